/**
 * The list of messages, in their order regardless of the order of arrival. Texts of users are inserted as text, never
 * as markup.
 */

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const NOTICES = {
  joined: ["has joined", "have joined"],
  left: ["has left", "have left"],
  returned: ["is back", "are back"],
};
/** The maximum number of names in a notice about users who have joined or left. The remaining users are counted. */
const NAMES_MAX = 3;
/** The maximum number of characters and lines of a text that is not folded. */
const FOLDED_CHARS = 700;
const FOLDED_LINES = 10;
/** The time within which the messages of a user appear below the same name. */
const FOLLOWS_MS = 300_000;
/**
 * The maximum number of shown messages. The earliest ones are removed, since the page may be open for weeks. They can
 * be requested again.
 */
const SHOWN_MAX = 2000;

export function element(name, className, text) {
  const created = document.createElement(name);
  if (className) created.className = className;
  if (text !== undefined) created.textContent = text;
  return created;
}

/**
 * Returns a disc in one of the 256 terminal colours. It contains the first letter of the name in black or white,
 * depending on the contrast.
 */
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

/** Returns the colour of xterm: 16 named colours, a cube of 216 colours, and 24 greys. */
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

/** Returns a notice such as `Ann and Bob have joined, Cat has left`. */
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

/** Returns a button that unfolds and folds a long text. */
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
  /** The events of users, by the line that shows them. */
  #events = new WeakMap();

  constructor(list) {
    this.#list = list;
  }

  clear() {
    // Messages that wait for a server stay in the list.
    for (const item of [...this.#list.children]) if (!item.classList.contains("waiting")) item.remove();
  }

  message(message, isOwn) {
    const item = this.#item(message, isOwn);
    item.dataset.id = message.id;
    this.#place(item, message.order);
  }

  /**
   * Adds an event of a user. Consecutive events without a message between them are one line, which shows the last
   * event of each user.
   */
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

  /** Adds a message that is not acknowledged yet. */
  waiting(id, text, you) {
    const item = this.#item({ at: Date.now(), text, ...you }, true);
    item.classList.add("waiting");
    // Screen readers read the message only when it is stored.
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
    const paragraph = element("p", "text", text);
    item.append(badge({ pseudo, color }), head, paragraph);
    if (text.length > FOLDED_CHARS || text.split("\n").length > FOLDED_LINES)
      item.append(unfolding(paragraph));
    return item;
  }

  /**
   * Removes the earliest messages if there are too many.
   * @returns their ids, and the order key of the message that is now the earliest
   */
  trim() {
    const ids = [];
    while (this.#list.childElementCount > SHOWN_MAX) {
      const { id } = this.#list.firstElementChild.dataset;
      if (id !== undefined) ids.push(id);
      this.#list.firstElementChild.remove();
    }
    return { ids, oldest: this.#list.querySelector("[data-id]")?.dataset.order };
  }

  /** Inserts an item after all earlier ones, which is almost always at the end. */
  #place(item, order) {
    item.dataset.order = order;
    const before = this.#before(order);
    this.#list.insertBefore(item, before === null ? this.#list.firstElementChild : before.nextElementSibling);
    this.#follow(item);
    this.#follow(item.nextElementSibling);
  }

  /** Returns the item before an order key, or null. */
  #before(order) {
    let one = this.#list.lastElementChild;
    while (one !== null && (one.classList.contains("waiting") || one.dataset.order >= order))
      one = one.previousElementSibling;
    return one;
  }

  /** Marks an item if the day must be shown before it, or if it needs no name. */
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
