// What the tests ask of a page.
window.probes = {
  async ready() {
    const views = document.querySelectorAll('script[type$="widget-view+json"]');
    const drawn = () => document.querySelectorAll(".cell_output :is(.jupyter-widgets, .lm-Widget)").length;
    for (let wait = 0; wait < 300 && views.length && !drawn(); wait++) {
      await new Promise((done) => setTimeout(done, 100));
    }
    // What loads when it comes near is all asked for when a page is printed.
    window.dispatchEvent(new Event("beforeprint"));
    await window.setFormulas?.();
    await window.MathJax?.startup?.promise;
    const drawing = () => document.querySelectorAll(".spa2v-figure:not(.js-plotly-plot)").length;
    for (let wait = 0; wait < 600 && drawing(); wait++) {
      await new Promise((done) => setTimeout(done, 100));
    }
    await new Promise((done) => requestAnimationFrame(() => requestAnimationFrame(done)));
  },

  unfold() {
    document.querySelectorAll("details").forEach((fold) => (fold.open = true));
  },

  figuresWithoutMarks() {
    probes.unfold();
    const marks =
      ".trace path, .js-line, .js-fill, .points path, .textpoint text, .bars path, " +
      ".hm image, .im image, .imagelayer image, .shapelayer path";
    const drawn = (figure) =>
      [...figure.querySelectorAll(marks)].some((mark) => {
        const box = mark.getBoundingClientRect();
        return box.width + box.height > 2;
      });
    return [...document.querySelectorAll(".spa2v-figure")]
      .filter((figure) => !drawn(figure))
      .map((figure) => figure.getAttribute("aria-label"));
  },

  viewsNotDrawn() {
    return [...document.querySelectorAll('script[type$="widget-view+json"]')].filter(
      (view) => !view.parentElement.querySelector(".jupyter-widgets, .lm-Widget"),
    ).length;
  },

  formulasNotSet() {
    return [...document.querySelectorAll(".math")]
      .filter((place) => !place.querySelector("mjx-container mjx-math"))
      .map((place) => place.textContent);
  },

  // In seconds; -1 for what cannot be played. A player without a source is waiting for its kernel.
  durations() {
    const duration = (player) =>
      new Promise((done) => {
        if (player.readyState >= 1) return done(player.duration);
        setTimeout(() => done(-1), 20000);
        player.onloadedmetadata = () => done(player.duration);
        player.preload = "metadata";
        player.load();
      });
    const players = [...document.querySelectorAll("audio, video")];
    const ready = (player) => player.src || player.querySelector("source");
    return Promise.all(players.filter(ready).map(duration));
  },

  picturesAtFault() {
    return [...document.querySelectorAll("img")]
      .filter((picture) => !picture.alt || (picture.complete && !picture.naturalWidth))
      .map((picture) => picture.src.slice(0, 80));
  },

  async serious() {
    const found = await axe.run(document, { resultTypes: ["violations"] });
    return found.violations
      .filter(({ impact }) => impact === "serious" || impact === "critical")
      .flatMap(({ id, nodes }) => nodes.map((node) => `${id}: ${node.html.slice(0, 200)}`));
  },

  // Of the chapter's own controls, those after whose use the chapter is what it was before. What a
  // control itself shows, such as a slider's handle, is no attribute and does not count.
  async controlsWithoutEffect() {
    probes.unfold();
    const chapter = document.querySelector("article");
    const state = () =>
      chapter.outerHTML + [...chapter.querySelectorAll("canvas")].map((one) => one.toDataURL()).join();
    const say = (control, name) => control.dispatchEvent(new Event(name, { bubbles: true }));
    const uses = {
      range(control) {
        control.value = Number(control.value) === Number(control.max) ? control.min : control.max;
        say(control, "input");
        say(control, "change");
      },
      "select-one"(control) {
        control.selectedIndex = control.selectedIndex ? 0 : 1;
        say(control, "input");
        say(control, "change");
      },
    };
    const idle = [];
    for (const control of chapter.querySelectorAll("button, input, select, textarea, summary")) {
      const seen = control.isConnected && control.checkVisibility() && control.clientWidth;
      if (!seen || control.disabled || control.type === "file") continue;
      const before = state(), html = control.outerHTML.slice(0, 150);
      (uses[control.type] ?? ((one) => one.click()))(control);
      for (let wait = 0; wait < 20 && state() === before; wait++) {
        await new Promise((done) => setTimeout(done, 50));
      }
      if (state() === before) idle.push(html);
    }
    return idle;
  },

  // Of the page's ground, then of every label of a figure; in [0, 1] as WCAG defines it.
  luminances() {
    const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
    const luminance = (colour) => {
      canvas.fillStyle = colour;
      canvas.fillRect(0, 0, 1, 1);
      const [red, green, blue] = [...canvas.getImageData(0, 0, 1, 1).data].map((part) => {
        const share = part / 255;
        return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
      });
      return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const ground = getComputedStyle(document.body).backgroundColor;
    const labels = [
      ...document.querySelectorAll(".spa2v-figure .infolayer text, .spa2v-figure .xtick text"),
    ];
    return [ground, ...labels.map((text) => getComputedStyle(text).fill)].map(luminance);
  },

  width() {
    probes.unfold();
    return document.scrollingElement.scrollWidth;
  },
};
