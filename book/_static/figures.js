// A figure in a folded solution has no width until it is opened: fit each when its place changes.
window.addEventListener("load", function () {
  if (!window.Plotly) return;
  const fit = (entries) => {
    for (const { target, contentRect } of entries) {
      if (contentRect.width && target._fullLayout) window.Plotly.Plots.resize(target);
    }
  };
  const watch = new ResizeObserver(fit);
  document.querySelectorAll(".spa2v-figure").forEach((figure) => watch.observe(figure));
});
