/** The page's elements, by their ids, and new ones. Texts are always texts, never markup. */

export function at<Kind extends Element = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as unknown as Kind;
}

/** Sets it only where it has changed, so that what reads aloud is not woken. */
export function say(element: Element, text: string, className?: string): void {
  if (element.textContent !== text) element.textContent = text;
  if (className !== undefined && element.className !== className) element.className = className;
}

export function drawn(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

export interface Cell {
  readonly text: string;
  readonly className?: string;
}

/** Makes a table's rows what they should be, changing only what is not. The first cell is the row's head. */
export function fillTable(table: Element, rows: readonly (readonly Cell[])[]): void {
  const body = table.querySelector("tbody");
  if (body === null) return;
  while (body.rows.length > rows.length) body.deleteRow(-1);
  for (const [index, cells] of rows.entries()) {
    const row = body.rows[index] ?? body.insertRow();
    for (const [column, { text, className = "" }] of cells.entries()) {
      const cell = row.cells[column] ?? row.appendChild(document.createElement(column === 0 ? "th" : "td"));
      if (column === 0 && cell instanceof HTMLTableCellElement) cell.scope = "row";
      say(cell, text, className);
    }
  }
}

export function fillList(list: Element, facts: readonly (readonly [name: string, value: string])[]): void {
  while (list.children.length > 2 * facts.length) list.lastElementChild?.remove();
  for (const [index, words] of facts.entries()) {
    for (const [place, text] of words.entries()) {
      const element =
        list.children[2 * index + place] ??
        list.appendChild(document.createElement(place === 0 ? "dt" : "dd"));
      say(element, text);
    }
  }
}
