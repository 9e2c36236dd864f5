/** Finds, creates and fills elements of the page. Texts are always inserted as text, never as markup. */

export function byId<Kind extends Element = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as unknown as Kind;
}

/** Sets the text of an element only if it has changed, so that screen readers do not announce it again. */
export function setText(element: Element, text: string, className?: string): void {
  if (element.textContent !== text) element.textContent = text;
  if (className !== undefined && element.className !== className) element.className = className;
}

export function newSvg(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

export function newElement<Name extends keyof HTMLElementTagNameMap>(
  name: Name,
  text = "",
  className = "",
): HTMLElementTagNameMap[Name] {
  const element = document.createElement(name);
  element.textContent = text;
  element.className = className;
  return element;
}

export interface Cell {
  readonly text: string;
  readonly className?: string;
  /** The target of a link. */
  readonly href?: string | undefined;
  /** The text that a button next to the cell's text copies. */
  readonly copy?: string;
  /** The action of a click on the text. */
  readonly act?: () => void;
}

const CELL_KEY = Symbol("the cell's content");
type KnownCell = HTMLTableCellElement & { [CELL_KEY]?: string };

/** Sets the rows of a table, and changes only cells that differ. The first cell of a row is its head. */
export function fillTable(table: Element, rows: readonly (readonly Cell[])[]): void {
  const body = table.querySelector("tbody");
  if (body === null) return;
  const heads = [...table.querySelectorAll("thead th")].map((head) => head.textContent ?? "");
  while (body.rows.length > rows.length) body.deleteRow(-1);

  for (const [index, cells] of rows.entries()) {
    const row = body.rows[index] ?? body.insertRow();
    for (const [column, content] of cells.entries()) {
      const cell = row.cells[column] ?? row.appendChild(document.createElement(column === 0 ? "th" : "td"));
      if (column === 0) cell.scope = "row";
      // Style sheets show the label on phones, where a row is a card.
      cell.dataset["label"] = heads[column] ?? "";
      fillCell(cell, content);
    }
  }
}

function fillCell(cell: KnownCell, { text, className = "", href, copy, act }: Cell): void {
  if (cell.className !== className) cell.className = className;

  const key = JSON.stringify([text, href, copy, act !== undefined]);
  if (cell[CELL_KEY] !== key) {
    cell[CELL_KEY] = key;
    const content = newElement("span");
    content.append(...shownText(text, { className, href, isButton: act !== undefined }));
    if (copy !== undefined && navigator.clipboard !== undefined) content.append(" ", copyButton(copy));
    cell.replaceChildren(content);
  }

  // On phones a card does not show unknown values.
  cell.toggleAttribute("data-none", text === "–");
  const button = cell.querySelector<HTMLButtonElement>("button.link");
  if (button !== null && act !== undefined) button.onclick = act;
}

/** Positions at which lines of names and addresses may break: after separators. */
const BREAK_POSITIONS = /(?<=[.:@/_-])(?=[^.:@/_-])/;

interface TextStyle {
  readonly className: string;
  readonly href: string | undefined;
  readonly isButton: boolean;
}

function shownText(text: string, { className, href, isButton }: TextStyle): (Node | string)[] {
  const divided = className.includes("name") ? text.split(BREAK_POSITIONS) : [text];
  const parts = divided.flatMap((part, index) => (index === 0 ? [part] : [newElement("wbr"), part]));

  if (isButton) {
    const button = newElement("button", "", "link");
    button.type = "button";
    button.append(...parts);
    return [button];
  }
  if (href === undefined) return parts;
  const link = newElement("a");
  link.href = href;
  link.rel = "noreferrer";
  link.append(...parts);
  return [link];
}

function copyButton(text: string): HTMLButtonElement {
  const button = newElement("button", "Copy", "copy");
  button.type = "button";
  button.setAttribute("aria-label", `Copy ${text.slice(0, 200)}`);
  button.addEventListener("click", () => {
    navigator.clipboard.writeText(text).then(
      () => setText(button, "Copied"),
      () => setText(button, "Not copied"),
    );
    setTimeout(() => setText(button, "Copy"), 2000);
  });
  return button;
}

export function fillList(list: Element, facts: readonly (readonly [name: string, value: string])[]): void {
  while (list.children.length > 2 * facts.length) list.lastElementChild?.remove();
  for (const [index, fact] of facts.entries()) {
    for (const [part, text] of fact.entries()) {
      const element =
        list.children[2 * index + part] ?? list.appendChild(document.createElement(part === 0 ? "dt" : "dd"));
      setText(element, text);
    }
  }
}
