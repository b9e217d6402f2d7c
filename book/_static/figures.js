// plotly.js is large. It loads when the first figure comes near the window, and a figure is drawn
// when it comes near; until then it says that it is loading.
(function () {
  const library = new URL("vendored/plotly-cartesian.min.js", document.currentScript.src).href;
  const INSIDE = "-30px"; // while the page stands as it was opened
  const NEAR = "400px"; // once somebody scrolls
  const waiting = new Map(); // what each place will show
  let loading = null;

  function load() {
    loading ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      Object.assign(script, { src: library, onload: done, onerror: failed });
      document.head.append(script);
    });
    return loading;
  }

  async function draw(place) {
    const figure = waiting.get(place);
    if (!figure) return;
    waiting.delete(place);
    near.unobserve(place);
    try {
      await load();
    } catch {
      place.textContent = "The figure could not be loaded. Reload the page to try again.";
      return;
    }
    place.textContent = "";
    await window.Plotly.newPlot(place, figure);
    fitting.observe(place);
  }

  const watching = (rootMargin) =>
    new IntersectionObserver(
      (entries) => entries.filter((entry) => entry.isIntersecting).forEach(({ target }) => draw(target)),
      { rootMargin },
    );
  let near = watching(INSIDE);
  const look = () => {
    near.disconnect();
    near = watching(NEAR);
    [...waiting.keys()].forEach((place) => near.observe(place));
  };
  window.addEventListener("scroll", look, { once: true });

  // What a figure's own script calls; the library puts its own in this place.
  window.Plotly = {
    newPlot(place, figure) {
      place.textContent = "Loading…";
      waiting.set(place, figure);
      near.observe(place);
    },
  };
  window.addEventListener("beforeprint", () => [...waiting.keys()].forEach(draw));

  // A figure in a folded solution has no width until it is opened, and a phone is narrower than
  // the page that figures are made for: each is fitted when its place changes.
  const NARROW = 500; // pixels
  const SMALLER = 0.75;

  // What a figure was made with, before anything was fitted.
  function made(figure) {
    const { font, height, margin, annotations = [] } = figure._fullLayout;
    const notes = annotations.map((note) => note.font.size);
    return { size: font.size, left: margin.l, height, notes };
  }

  // Smaller text keeps neighbouring panels clear of one another.
  function scaled({ size, left, height, notes }, scale) {
    const change = { "font.size": scale * size, "margin.l": scale * left, height };
    notes.forEach((note, index) => (change[`annotations[${index}].font.size`] = scale * note));
    return change;
  }

  // A sheet of pictures is as high as its width lets it be.
  function sheetHeight({ _size, xaxis, yaxis }) {
    const span = (axis) => Math.abs(axis.range[1] - axis.range[0]);
    return _size.t + _size.b + (_size.w * span(yaxis)) / span(xaxis);
  }

  async function fit(figure) {
    await window.Plotly.Plots.resize(figure);
    const narrow = figure.clientWidth < NARROW;
    if (narrow === (figure.narrow ?? false)) return;
    figure.narrow = narrow;
    figure.made ??= made(figure);
    figure.style.height = `${figure.made.height}px`;
    await window.Plotly.relayout(figure, scaled(figure.made, narrow ? SMALLER : 1));
    const { yaxis, xaxis2 } = figure._fullLayout;
    if (narrow && figure.data[0].type === "image" && !yaxis.visible && !xaxis2) {
      const height = sheetHeight(figure._fullLayout);
      figure.style.height = `${height}px`;
      const change = { height };
      // The names of rows stand closer to their own row than to the one above.
      figure.made.notes.forEach((_, index) => (change[`annotations[${index}].yshift`] = -3));
      await window.Plotly.relayout(figure, change);
    }
  }

  const fitting = new ResizeObserver((entries) => {
    for (const { target, contentRect } of entries) {
      if (contentRect.width && target._fullLayout) fit(target);
    }
  });
})();
