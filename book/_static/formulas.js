// MathJax is large: it loads when the first formula comes near the window.
(function () {
  const library = new URL("vendored/tex-svg.js", document.currentScript.src).href;
  const NEAR = "400px";
  let loading = null;

  // Resolves when every formula of the page is set.
  window.setFormulas = function () {
    loading ??= new Promise((done, failed) => {
      const script = document.createElement("script");
      const set = () => window.MathJax.startup.promise.then(done, failed);
      Object.assign(script, { src: library, onload: set, onerror: failed });
      document.head.append(script);
    });
    return loading;
  };

  const near = new IntersectionObserver(
    (entries) => {
      if (!entries.some((entry) => entry.isIntersecting)) return;
      near.disconnect();
      window.setFormulas();
    },
    { rootMargin: NEAR },
  );
  const watch = () => document.querySelectorAll(".math").forEach((place) => near.observe(place));
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", watch);
  else watch();
  window.addEventListener("beforeprint", window.setFormulas);
})();
