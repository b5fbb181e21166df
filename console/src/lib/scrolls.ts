// A table wider than its box can be scrolled by keyboard: the box then takes the focus, under the
// name of the table's caption. A table that fits stays out of the way.

export function scrolls(box: HTMLElement): () => void {
  const update = () => {
    if (box.scrollWidth > box.clientWidth) {
      box.tabIndex = 0;
      box.setAttribute("role", "region");
      box.setAttribute("aria-label", `${box.querySelector("caption")?.textContent ?? "Table"}, scrollable`);
    } else {
      for (const name of ["tabindex", "role", "aria-label"]) box.removeAttribute(name);
    }
  };
  const observer = new ResizeObserver(update);
  observer.observe(box);
  const table = box.querySelector("table");
  if (table) observer.observe(table);
  return () => observer.disconnect();
}
