/** The list of what was said: each in its place, whatever comes first. All that others wrote is set as text, never as markup. */

const TIME = new Intl.DateTimeFormat(undefined, { hour: "2-digit", minute: "2-digit" });
const DAY = new Intl.DateTimeFormat(undefined, { weekday: "long", day: "numeric", month: "long" });
const NOTICES = { joined: "has come in", left: "has left", returned: "is back" };
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

export class Timeline {
  #list;
  #waiting = new Map();

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

  notice({ kind, pseudo, at }) {
    const item = element("li", "notice", `${pseudo} ${NOTICES[kind]}`);
    const time = element("time", "", ` ${TIME.format(at)}`);
    item.append(time);
    item.dataset.day = DAY.format(at);
    this.#place(item, at.toString(16).padStart(12, "0"));
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
    head.append(element("span", "name", isOwn ? `${pseudo} (you)` : pseudo), time);
    item.append(badge({ pseudo, color }), head, element("p", "text", text));
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
    let next = null;
    for (let one = this.#list.lastElementChild; one !== null; one = one.previousElementSibling) {
      if (!one.classList.contains("waiting") && one.dataset.order < order) break;
      next = one;
    }
    this.#list.insertBefore(item, next);
    this.#follow(item);
    this.#follow(item.nextElementSibling);
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
