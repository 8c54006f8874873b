// Films can be paused, the ledger can be searched, a link to a folded part opens it. Nothing here is needed to read.
"use strict";

for (const button of document.querySelectorAll("button.course-film")) {
  const figure = button.closest("figure");
  const image = figure.querySelector("img");
  const source = figure.querySelector("source");
  const set = (moving) => {
    source.remove();
    image.src = moving ? button.dataset.film : button.dataset.still;
    button.textContent = moving ? "Pause" : "Play";
  };
  if (window.matchMedia("(prefers-reduced-motion: reduce)").matches) button.textContent = "Play";
  button.addEventListener("click", () => set(button.textContent === "Play"));
}

const filter = document.getElementById("course-filter");
if (filter) {
  const rows = [...document.querySelectorAll(".course-ledger tbody tr")];
  const count = document.getElementById("course-filter-count");
  const apply = () => {
    const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
    let shown = 0;
    for (const row of rows) {
      const text = row.textContent.toLowerCase();
      row.hidden = !words.every((word) => text.includes(word));
      shown += !row.hidden;
    }
    for (const table of document.querySelectorAll(".course-ledger"))
      table.closest("section").hidden = !table.querySelector("tbody tr:not([hidden])");
    count.textContent = words.length ? `${shown} of ${rows.length}` : "";
  };
  filter.closest("p").hidden = false;
  filter.addEventListener("input", apply);
}

const reveal = () => {
  const target = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
  for (let node = target; node; node = node.parentElement) if (node.tagName === "DETAILS") node.open = true;
};
window.addEventListener("hashchange", reveal);
reveal();

// What scrolls sideways can be reached with the keyboard.
const reachable = () => {
  for (const node of document.querySelectorAll("pre, .pst-scrollable-table-container, div.math, mjx-container, .course-figure, .live-panels"))
    if (node.scrollWidth > node.clientWidth) node.tabIndex = 0;
};
window.addEventListener("load", reachable);
window.addEventListener("resize", reachable);
reachable();

// Names that the theme leaves out: what a screen reader says must be what stands there.
for (const named of document.querySelectorAll(".search-button-field, details.hide > summary")) named.removeAttribute("aria-label");
for (const summary of document.querySelectorAll("li.has-children > details > summary")) {
  const link = summary.closest("li").querySelector(":scope > a");
  if (link) summary.setAttribute("aria-label", `Pages under ${link.textContent.trim()}`);
}
