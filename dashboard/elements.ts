/** The page's elements, by their ids, and new ones. Texts are always texts, never markup. */

export function at<Kind extends Element = HTMLElement>(id: string): Kind {
  const found = document.getElementById(id);
  if (found === null) throw new Error(`the page has no #${id}`);
  return found as unknown as Kind;
}

/** Sets it only if it has changed, so that screen readers are not triggered. */
export function say(element: Element, text: string, className?: string): void {
  if (element.textContent !== text) element.textContent = text;
  if (className !== undefined && element.className !== className) element.className = className;
}

export function drawn(name: string, attributes: Readonly<Record<string, string | number>>): SVGElement {
  const element = document.createElementNS("http://www.w3.org/2000/svg", name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, String(value));
  return element;
}

export function made<Name extends keyof HTMLElementTagNameMap>(
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
  /** The target of its text. */
  readonly href?: string | undefined;
  /** The text that the button next to it copies. */
  readonly copy?: string;
  /** The action of a click on its text. */
  readonly act?: () => void;
}

const CELL_KEY = Symbol("what the cell shows");
type KnownCell = HTMLTableCellElement & { [CELL_KEY]?: string };

/** Updates a table's rows, changing only what differs. The first cell is the row's head. */
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
      // Shown on phones, where a row is a card.
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
    const content = made("span");
    content.append(...shownText(text, { className, href, isButton: act !== undefined }));
    if (copy !== undefined && navigator.clipboard !== undefined) content.append(" ", copyButton(copy));
    cell.replaceChildren(content);
  }
  // On phones a card leaves out what is not known.
  cell.toggleAttribute("data-none", text === "–");
  const button = cell.querySelector<HTMLButtonElement>("button.link");
  if (button !== null && act !== undefined) button.onclick = act;
}

/** Positions at which lines may break: after the marks that separate parts of names and addresses, not within words. */
const DIVIDES = /(?<=[.:@/_-])(?=[^.:@/_-])/;

interface TextLook {
  readonly className: string;
  readonly href: string | undefined;
  readonly isButton: boolean;
}

function shownText(text: string, { className, href, isButton }: TextLook): (Node | string)[] {
  const divided = className.includes("name") ? text.split(DIVIDES) : [text];
  const parts = divided.flatMap((part, index) => (index === 0 ? [part] : [made("wbr"), part]));
  if (isButton) {
    const button = made("button", "", "link");
    button.type = "button";
    button.append(...parts);
    return [button];
  }
  if (href === undefined) return parts;
  const link = made("a");
  link.href = href;
  link.rel = "noreferrer";
  link.append(...parts);
  return [link];
}

function copyButton(text: string): HTMLButtonElement {
  const button = made("button", "Copy", "copy");
  button.type = "button";
  button.setAttribute("aria-label", `Copy ${text.slice(0, 200)}`);
  button.addEventListener("click", () => {
    navigator.clipboard.writeText(text).then(
      () => say(button, "Copied"),
      () => say(button, "Not copied"),
    );
    setTimeout(() => say(button, "Copy"), 2000);
  });
  return button;
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
