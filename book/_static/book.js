// An equation wider than its column scrolls in its own box, and a keyboard reaches that box only if it can be focused.
// (The theme does the same for code, outputs and tables.)
(() => {
  const update = () => {
    for (const box of document.querySelectorAll("mjx-container")) {
      const column = box.hasAttribute("display") ? box : box.closest("p, li, dd, td, div");
      const wide = box.scrollWidth > column.clientWidth + 1;
      box.classList.toggle("wide", wide);
      if (wide) box.tabIndex = 0;
      else box.removeAttribute("tabindex");
    }
  };
  window.addEventListener("resize", update);
  window.addEventListener("load", () => window.MathJax?.startup?.promise?.then(update));
})();
