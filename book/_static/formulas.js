// MathJax is large: it loads when the first formula comes near the window.
(function () {
  const library = new URL("vendored/tex-chtml.js", document.currentScript.src).href;
  const INSIDE = "-30px"; // while the page stands as it was opened
  const NEAR = "400px"; // once somebody scrolls
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

  function watch(rootMargin) {
    const near = new IntersectionObserver(
      (entries) => {
        if (!entries.some((entry) => entry.isIntersecting)) return;
        near.disconnect();
        window.setFormulas();
      },
      { rootMargin },
    );
    document.querySelectorAll(".math").forEach((place) => near.observe(place));
  }
  const begin = () => watch(INSIDE);
  if (document.readyState === "loading") document.addEventListener("DOMContentLoaded", begin);
  else begin();
  window.addEventListener("scroll", () => watch(NEAR), { once: true });
  window.addEventListener("beforeprint", window.setFormulas);
})();
