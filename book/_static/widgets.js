// Widgets find their modules beside this file, and never on another server.
(function () {
  const vendored = new URL("vendored/", document.currentScript.src).href;
  document.currentScript.setAttribute("data-jupyter-widgets-cdn", vendored);
  // They look for their icons beside the modules, all of which are in one bundle.
  const paths = { "@jupyter-widgets": "fonts", "@jupyter-widgets/html-manager/dist": "fonts" };
  window.requirejs.config({ baseUrl: vendored, paths });
})();

// They ask for formulas as MathJax 2 took them; the page has version 3, where it has formulas.
window.addEventListener("load", function () {
  const math = window.MathJax;
  if (!math || math.Hub) return;
  const typeset = (place) => window.setFormulas().then(() => window.MathJax.typesetPromise([place]));
  math.Hub = { Queue: (request) => typeset(request[2]) };
});
