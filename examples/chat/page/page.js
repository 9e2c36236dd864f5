/** The script of the page. It passes input to the conversation and shows the conversation's events. */
import { Conversation } from "./conversation.js";
import { badge, element, Timeline } from "./timeline.js";

const at = (id) => document.getElementById(id);
const timeline = new Timeline(at("messages"));
/** The distance from the end of the list, in pixels, within which the user counts as reading the end. */
const END_PX = 80;

let conversation = null;
let you = null;
let people = [];
let count = 0;
let isAsking = false;
/** The number of messages of other users since the page was last visible. */
let unread = 0;

// The session is a secret of this tab. It survives a reload.
const storage = {
  get session() {
    return sessionStorage.getItem("chat-session");
  },
  set session(uuid) {
    if (uuid === null) sessionStorage.removeItem("chat-session");
    else sessionStorage.setItem("chat-session", uuid);
  },
};

const isAtEnd = () => at("log").scrollHeight - at("log").scrollTop - at("log").clientHeight < END_PX;

/**
 * Whether the user reads the end of the list. This stays true if the page becomes smaller, for example because of a
 * phone's keyboard.
 */
let readsEnd = true;

function toEnd() {
  const log = at("log");
  log.scrollTo({ top: log.scrollHeight, behavior: "instant" });
  at("newest").hidden = true;
  readsEnd = true;
}

/** Changes the list. If the user reads its end, the list scrolls to its new end. Otherwise it keeps its position. */
function change(update, isOwn = false) {
  const log = at("log");
  const wasAtEnd = readsEnd;
  const [top, height] = [log.scrollTop, log.scrollHeight];
  update();
  if (wasAtEnd || isOwn) toEnd();
  else if (isAsking) log.scrollTo({ top: top + log.scrollHeight - height, behavior: "instant" });
  return wasAtEnd || isOwn;
}

function state(text, name) {
  at("status").textContent = text;
  at("status").dataset.state = name;
}

const REFUSED = {
  flood: "too fast: it is sent again in a moment",
  "not-understood": "the server did not understand that",
  "no-text": "that is empty, or too long",
  "no-room": "a room's name has letters, numbers, - and _",
  "not-kept": "it could not be stored: it is sent again in a moment",
};

const REJECTED = {
  "no-name": "This name is not permitted: please choose another one.",
  taken: "Another user has this name or a similar one: please choose another one.",
  flood: "Too many sessions from your address: please wait a moment.",
  "unknown-session": "Your session has ended: please enter again.",
  "not-understood": "The server did not understand this page: please reload it.",
};

const place = (url) => new URL(url).host;

const HANDLERS = {
  here({ session, you: me, server, isBack }) {
    storage.session = session;
    localStorage.setItem("chat-pseudo", me.pseudo);
    you = me;
    state(`${isBack ? "back " : ""}at ${place(server)}`, "here");
    if (at("chat").hidden) {
      at("enter").hidden = true;
      at("chat").hidden = false;
      at("side-button").hidden = false;
      at("leave").hidden = false;
      at("say").focus();
    }
  },
  silent: ({ server }) => state(`${place(server)} does not answer`, "away"),
  heard: ({ server }) => state(`at ${place(server)}`, conversation === null ? "" : "here"),
  away: ({ server }) => state(`${place(server)} is lost: connecting to another server`, "away"),
  room({ room }) {
    timeline.clear();
    at("room").textContent = room;
    document.title = `#${room}`;
    at("earlier").hidden = true;
    at("beginning").hidden = true;
  },
  message({ message, isOwn, isLive }) {
    const wasSeen = change(() => timeline.message(message, isOwn));
    if (isLive && !wasSeen) at("newest").hidden = false;
    if (isLive && document.hidden && !isOwn) document.title = `(${++unread}) #${message.room}`;
    if (!wasSeen || isAsking) return;
    const { ids, oldest } = timeline.trim();
    conversation.forget(ids, oldest);
  },
  waiting({ id, text, isKept }) {
    change(() => (isKept ? timeline.kept(id) : timeline.waiting(id, text, you)), true);
  },
  event({ event, isOwn }) {
    if (!isOwn) change(() => timeline.notice(event));
    const others = people.filter(({ from }) => from !== event.from);
    const now = event.kind === "left" ? others : [...others, event];
    count += now.length - people.length;
    people = now;
    showPeople();
  },
  earlier({ more }) {
    isAsking = false;
    at("log").removeAttribute("aria-busy");
    at("earlier").hidden = !more;
    at("beginning").hidden = more;
  },
  present(told) {
    ({ people, count } = told);
    showPeople();
    showRooms(told.rooms, told.room);
  },
  refused: ({ why }) => state(REFUSED[why], "away"),
  rejected({ why }) {
    if (why === "flood") return state(REJECTED[why], "away");
    storage.session = null;
    leave();
    at("enter-error").textContent = REJECTED[why];
  },
};

function showPeople() {
  const items = [...people]
    .sort((a, b) => a.pseudo.localeCompare(b.pseudo))
    .map((person) => {
      const item = element("li");
      const isYou = person.from === you?.from;
      const disc = badge(person);
      disc.classList.add("small");
      item.append(disc, element("span", "name", person.pseudo));
      if (isYou) item.append(element("span", "you", "you"));
      return item;
    });
  if (count > people.length) items.push(element("li", "", `and ${count - people.length} more`));
  at("people").replaceChildren(...items);
  at("count").textContent = String(count);
  at("people-title").textContent = `Here (${count})`;
}

function showRooms(rooms, current) {
  const focused = document.activeElement?.closest("#rooms")?.querySelector(":focus")?.textContent;
  const items = rooms.map((room) => {
    const button = element("button", "", `# ${room}`);
    button.type = "button";
    if (room === current) button.setAttribute("aria-current", "true");
    button.addEventListener("click", () => goTo(room));
    const item = element("li");
    item.append(button);
    return item;
  });
  at("rooms").replaceChildren(...items);
  // Keeps the keyboard focus on the same room.
  [...at("rooms").querySelectorAll("button")].find(({ textContent }) => textContent === focused)?.focus();
}

function goTo(room) {
  if (!conversation.goTo(room)) return state("not now: a message is waiting for a server", "away");
  showSide(false);
  at("say").focus();
}

function showSide(isShown) {
  at("chat").classList.toggle("shows-side", isShown);
  at("side-button").setAttribute("aria-expanded", String(isShown));
}

function earlier() {
  if (at("earlier").hidden || isAsking) return;
  isAsking = true;
  // Screen readers do not read a page of old messages aloud.
  at("log").setAttribute("aria-busy", "true");
  conversation.earlier();
}

function enter(pseudo, session) {
  at("enter-error").textContent = "";
  state("connecting", "");
  const own = location.origin.replace(/^http/, "ws");
  conversation = new Conversation({
    servers: [own],
    pseudo,
    session,
    makeId: () => newId(),
    makeSocket: (url, protocol) => new WebSocket(url, protocol),
    onEvent: (event) => HANDLERS[event.is](event),
  });
}

/**
 * Makes a UUID. `randomUUID` exists only on secure pages, and a page from another machine without TLS is not secure.
 */
function newId() {
  const bytes = crypto.getRandomValues(new Uint8Array(16));
  bytes[6] = (bytes[6] & 15) | 64;
  bytes[8] = (bytes[8] & 63) | 128;
  const digits = [...bytes].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  return digits.replace(/^(.{8})(.{4})(.{4})(.{4})/, "$1-$2-$3-$4-");
}

function leave() {
  conversation?.end();
  conversation = null;
  state("not connected", "");
  timeline.clear();
  showSide(false);
  at("chat").hidden = true;
  at("side-button").hidden = true;
  at("leave").hidden = true;
  at("enter").hidden = false;
  at("room").textContent = "chat";
  document.title = "Chat";
  at("pseudo").focus();
}

at("enter-form").addEventListener("submit", (event) => {
  event.preventDefault();
  enter(at("pseudo").value, null);
});

at("say-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const text = at("say").value.trim();
  if (text === "") return;
  if (!conversation.say(text))
    return state("too many messages are waiting for a server: try again later", "away");
  at("say").value = "";
  at("say").focus();
});

at("say").addEventListener("keydown", (event) => {
  if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
  event.preventDefault();
  at("say-form").requestSubmit();
});

at("room-form").addEventListener("submit", (event) => {
  event.preventDefault();
  const room = at("room-name").value.trim();
  if (room !== "") goTo(room);
  at("room-name").value = "";
});

at("earlier").addEventListener("click", earlier);
at("newest").addEventListener("click", () => {
  toEnd();
  at("say").focus();
});
at("side-button").addEventListener("click", () => {
  showSide(!at("chat").classList.contains("shows-side"));
});
at("leave").addEventListener("click", () => {
  storage.session = null;
  leave();
});
at("log").addEventListener("scroll", () => {
  readsEnd = isAtEnd();
  if (readsEnd) at("newest").hidden = true;
});
new ResizeObserver(() => {
  if (readsEnd) toEnd();
}).observe(at("log"));

document.addEventListener("keydown", (event) => {
  if (at("chat").hidden) return;
  if (event.key === "Escape") {
    showSide(false);
    at("say").focus();
  }
  if (event.key === "ArrowUp" && event.altKey) {
    event.preventDefault();
    earlier();
  }
});

document.addEventListener("visibilitychange", () => {
  if (document.hidden) return;
  unread = 0;
  if (!at("chat").hidden) document.title = `#${at("room").textContent}`;
});

// Ends the conversation when the tab is closed. Otherwise the name would stay reserved, as for a disconnected client.
// A page from the browser's cache resumes its session.
addEventListener("pagehide", () => conversation?.end());
addEventListener("pageshow", ({ persisted }) => {
  if (persisted && storage.session !== null) enter(at("pseudo").value, storage.session);
});

at("pseudo").value = localStorage.getItem("chat-pseudo") ?? "";
if (storage.session === null) at("pseudo").focus();
else enter(at("pseudo").value, storage.session);
