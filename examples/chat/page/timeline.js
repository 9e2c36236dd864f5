/** The list of what was said: each in its place, whatever comes first. All that others wrote is set as text, never as markup. */

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const NOTICES = {
  joined: ["has come in", "have come in"],
  left: ["has left", "have left"],
  returned: ["is back", "are back"],
};
/** So many names are told of those who have come or left; the rest are counted. */
const NAMES_MAX = 3;
/** Longer texts are folded, and those of more lines. */
const FOLDED_CHARS = 700;
const FOLDED_LINES = 10;
/** What one says within so long of one's last message stands under the same name. */
const FOLLOWS_MS = 300_000;
/** Above this the earliest are taken away: the page may be open for weeks. They can be asked for again. */
const SHOWN_MAX = 2000;

export function element(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}

/** A disc in one of a terminal's 256 colours, with the name's first letter in black or white, whichever can be read. */
export function badge({ pseudo, color }) {
  const disc = element("span", "badge", [...pseudo][0]?.toUpperCase() ?? "");
  const [r, g, b] = colorOf(color);
  const linear = [r, g, b].map((one) => ((one / 255 + 0.055) / 1.055) ** 2.4);
  const light = 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2];
  disc.style.background = `rgb(${r} ${g} ${b})`;
  disc.style.color = light > 0.179 ? "#000" : "#fff";
  disc.setAttribute("aria-hidden", "true");
  return disc;
}

/** As xterm has them: 16 by name, a cube of 216, 24 greys. */
function colorOf(color) {
  if (color >= 232) return Array(3).fill(8 + (color - 232) * 10);
  if (color >= 16) {
    const steps = [0, 95, 135, 175, 215, 255];
    const place = color - 16;
    return [Math.floor(place / 36), Math.floor(place / 6) % 6, place % 6].map((step) => steps[step]);
  }
  const strong = color >= 8 ? 255 : 160;
  return [1, 2, 4].map((bit) => (color & bit ? strong : color === 8 ? 110 : 30));
}

/** `Ann and Bob have come in, Cat has left`. */
function noticeText(events) {
  const byKind = new Map();
  for (const { kind, pseudo } of events) byKind.set(kind, [...(byKind.get(kind) ?? []), pseudo]);
  const parts = [...byKind].map(([kind, names]) => {
    const named = names.slice(0, NAMES_MAX);
    const others = names.length - named.length;
    if (others > 0) named.push(`${others} more`);
    const all = named.length === 1 ? named[0] : `${named.slice(0, -1).join(", ")} and ${named.at(-1)}`;
    return `${all} ${NOTICES[kind][names.length === 1 ? 0 : 1]}`;
  });
  return parts.join("; ");
}

/** A button that shows all of a long text, and folds it again. */
function unfolding(text) {
  const button = element("button", "unfold");
  button.type = "button";
  const fold = (isFolded) => {
    text.classList.toggle("folded", isFolded);
    button.textContent = isFolded ? `Show all ${text.textContent.length} characters` : "Show less";
    button.setAttribute("aria-expanded", String(!isFolded));
  };
  button.addEventListener("click", () => fold(!text.classList.contains("folded")));
  fold(true);
  return button;
}

export class Timeline {
  #list;
  #waiting = new Map();
  /** Who has come and left, by the line that tells of them. */
  #events = new WeakMap();

  constructor(list) {
    this.#list = list;
  }

  clear() {
    // What waits for a server stays.
    for (const item of [...this.#list.children]) if (!item.classList.contains("waiting")) item.remove();
  }

  message(message, isOwn) {
    const item = this.#item(message, isOwn);
    item.dataset.id = message.id;
    this.#place(item, message.order);
  }

  /** Those who come and leave with nothing said between are one line; of each, what was last. */
  notice({ kind, from, pseudo, at }) {
    const order = at.toString(16).padStart(12, "0");
    const day = DAY.format(at);
    const before = this.#before(order);
    const isGroup = before?.classList.contains("notice") === true && before.dataset.day === day;
    const item = isGroup ? before : element("li", "notice");
    const events = this.#events.get(item) ?? new Map();
    events.delete(from);
    events.set(from, { kind, pseudo });
    this.#events.set(item, events);
    item.replaceChildren(noticeText(events.values()), element("time", "", ` ${TIME.format(at)}`));
    item.dataset.day = day;
    if (!isGroup) this.#place(item, order);
  }

  /** Said, and not told to be kept. */
  waiting(id, text, you) {
    const item = this.#item({ at: Date.now(), text, ...you }, true);
    item.classList.add("waiting");
    // Screen readers read it when it is kept, and then once.
    item.setAttribute("aria-live", "off");
    item.append(element("span", "state", "waits for a server"));
    this.#waiting.set(id, item);
    this.#list.append(item);
    this.#follow(item);
  }

  kept(id) {
    this.#waiting.get(id)?.remove();
    this.#waiting.delete(id);
  }

  #item({ from, pseudo, color, at, text }, isOwn) {
    const item = element("li", isOwn ? "message own" : "message");
    item.dataset.from = from;
    item.dataset.at = String(at);
    item.dataset.day = DAY.format(at);
    const head = element("div", "head");
    const time = element("time", "", TIME.format(at));
    time.dateTime = new Date(at).toISOString();
    head.append(element("span", "name", pseudo));
    if (isOwn) head.append(element("span", "you", "you"));
    head.append(time);
    const said = element("p", "text", text);
    item.append(badge({ pseudo, color }), head, said);
    if (text.length > FOLDED_CHARS || text.split("\n").length > FOLDED_LINES) item.append(unfolding(said));
    return item;
  }

  /** Takes the earliest away if there are too many. @returns ids of them, and the place of what is the earliest now */
  trim() {
    const ids = [];
    while (this.#list.childElementCount > SHOWN_MAX) {
      const { id } = this.#list.firstElementChild.dataset;
      if (id !== undefined) ids.push(id);
      this.#list.firstElementChild.remove();
    }
    return { ids, oldest: this.#list.querySelector("[data-id]")?.dataset.order };
  }

  /** Behind all that stands before it; nearly always that is the end. */
  #place(item, order) {
    item.dataset.order = order;
    const before = this.#before(order);
    this.#list.insertBefore(item, before === null ? this.#list.firstElementChild : before.nextElementSibling);
    this.#follow(item);
    this.#follow(item.nextElementSibling);
  }

  /** What stands before a place; null: nothing. */
  #before(order) {
    let one = this.#list.lastElementChild;
    while (one !== null && (one.classList.contains("waiting") || one.dataset.order >= order))
      one = one.previousElementSibling;
    return one;
  }

  /** Whether its day has to be told, and its name need not be. */
  #follow(item) {
    if (item === null) return;
    const before = item.previousElementSibling;
    const isNewDay = before !== null && before.dataset.day !== item.dataset.day;
    item.classList.toggle("new-day", isNewDay);
    const { from, at } = item.dataset;
    const isSame = from !== undefined && before?.dataset.from === from && at - before.dataset.at < FOLLOWS_MS;
    item.classList.toggle("follows", isSame && !isNewDay);
  }
}
