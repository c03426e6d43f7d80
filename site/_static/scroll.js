// What scrolls sideways can be reached by keyboard, and says what it is.
function markScrolling() {
  for (const block of document.querySelectorAll("pre, .table-wrapper")) {
    if (block.scrollWidth > block.clientWidth) {
      const output = block.closest(".cell_output");
      block.tabIndex = 0;
      block.setAttribute("role", "group");  // a region would be a landmark
      block.setAttribute("aria-label", output ? "Output" : block.matches("pre") ? "Code" : "Table");
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) block.removeAttribute(name);
    }
  }
}

// The theme's two landmarks beside the text have no names to tell them apart.
function nameSidebars() {
  for (const [place, name] of [["sidebar", "All pages"], ["toc", "This page"]]) {
    document.querySelector(`.${place}-drawer`)?.setAttribute("aria-label", name);
  }
}

addEventListener("load", markScrolling);
addEventListener("load", nameSidebars);
addEventListener("resize", markScrolling);
