/**
 * A client's side of the chat, for the page and the terminal alike: introduces the user, goes to the next server when one is lost, sends
 * again what was not acknowledged, and shows each message once. It uses no socket but the given one: it runs in browsers as it is.
 */
import type { Message, RoomEvent } from "./message.js";
import type { Person } from "./sessions.js";
import { type ClientFrame, PROTOCOL, type ServerFrame } from "./wire.js";

/** The part of WebSocket that is used, of any implementation. */
export interface ChatSocket {
  onopen: ((told: never) => void) | null;
  onmessage: ((told: { readonly data: string }) => void) | null;
  onclose: ((told: never) => void) | null;
  onerror: ((told: never) => void) | null;
  send(text: string): void;
  close(): void;
}

/** Events to show. */
export type Told =
  | {
      readonly is: "here";
      readonly session: string;
      readonly you: Person;
      readonly server: string;
      readonly isBack: boolean;
    }
  | { readonly is: "away"; readonly server: string }
  /** The server has sent nothing for some seconds; it sends again. */
  | { readonly is: "silent" | "heard"; readonly server: string }
  | { readonly is: "message"; readonly message: Message; readonly isOwn: boolean; readonly isLive: boolean }
  | { readonly is: "waiting"; readonly id: string; readonly text: string; readonly isKept: boolean }
  | { readonly is: "event"; readonly event: Exclude<RoomEvent, { kind: "said" }>; readonly isOwn: boolean }
  | { readonly is: "room"; readonly room: string }
  | { readonly is: "earlier"; readonly more: boolean }
  | Extract<ServerFrame, { is: "present" | "refused" | "rejected" }>;

export interface ConversationOptions {
  readonly servers: readonly string[];
  readonly pseudo: string;
  /** Id of an earlier conversation; null: a new one. */
  readonly session: string | null;
  readonly room?: string;
  readonly makeSocket: (url: string, protocol: string) => ChatSocket;
  readonly tell: (told: Told) => void;
  readonly makeId: () => string;
}

/** Maximum messages that wait for a server. */
const WAITING_MAX = 100;
/** Ids by which what comes again is known. */
const KNOWN_MAX = 10_000;
/** Servers report the users of a room more often. */
const SILENCE_MS = 25_000;
/** A server that promises signs of life is left after this. */
const BEATS_LOST_MS = 8000;
/** It is shown as silent after this, and after as many beats. */
const SILENT_MS = 2000;
const SILENT_BEATS = 2.2;
const RETRY_MS_FIRST = 100;
const RETRY_MS_MAX = 5000;
/** Pages to request in a row, to close the gap after an absence. */
const GAP_PAGES_MAX = 20;

type Take<Is extends ServerFrame["is"]> = (frame: Extract<ServerFrame, { is: Is }>, server: string) => void;

export class Conversation {
  readonly #options: ConversationOptions;
  readonly #waiting = new Map<string, string>();
  readonly #known = new Set<string>();
  #servers: readonly string[];
  #tried = 0;
  #retryMs = RETRY_MS_FIRST;
  #socket: ChatSocket | null = null;
  #isHere = false;
  #isEnded = false;
  #session: string | null;
  #from = "";
  #room: string | undefined;
  #oldest: string | null = null;
  /** Whether a page of the room has come; it may be empty. */
  #hasPage = false;
  #asked: string | null = null;
  #gapPages = 0;
  /** null: its server promises no signs of life. */
  #beatMs: number | null = SILENT_MS / SILENT_BEATS;
  #isSilent = false;
  readonly #timers: Partial<Record<"silent" | "silence" | "retry" | "again", ReturnType<typeof setTimeout>>> =
    {};

  constructor(options: ConversationOptions) {
    this.#options = options;
    this.#servers = options.servers;
    this.#session = options.session;
    this.#room = options.room;
    this.#connect();
  }

  /** @returns false: too much waits for a server already */
  say(text: string): boolean {
    if (this.#waiting.size >= WAITING_MAX) return false;
    const id = this.#options.makeId();
    this.#waiting.set(id, text);
    this.#options.tell({ is: "waiting", id, text, isKept: false });
    if (this.#isHere && this.#waiting.size === 1) this.#sayFirst();
    return true;
  }

  /** Number of messages that no server has acknowledged. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** @returns false: no server is there, or what was said in this room has not reached one yet */
  goTo(room: string): boolean {
    if (!this.#isHere || this.#waiting.size > 0) return false;
    this.#send({ do: "room", room });
    return true;
  }

  earlier(): void {
    if (this.#isHere && this.#oldest !== null) this.#ask(this.#oldest);
  }

  /** Forgets messages that are no longer shown, and the order key of the earliest that still is. */
  forget(ids: readonly string[], oldest: string | undefined): void {
    for (const id of ids) this.#known.delete(id);
    if (oldest !== undefined && ids.length > 0) {
      this.#oldest = oldest;
      this.#options.tell({ is: "earlier", more: true });
    }
  }

  end(): void {
    this.#isEnded = true;
    for (const timer of Object.values(this.#timers)) clearTimeout(timer);
    this.#socket?.close();
  }

  #connect(): void {
    const server = this.#servers[this.#tried++ % this.#servers.length] as string;
    let socket: ChatSocket;
    try {
      socket = this.#options.makeSocket(server, PROTOCOL);
    } catch {
      // No address, or one that a page which came by https may not ask: the next one.
      this.#retry();
      return;
    }
    this.#socket = socket;
    // Until it has answered, any server is expected to.
    this.#beatMs = SILENT_MS / SILENT_BEATS;
    this.#heard(socket, server);
    const room = this.#room === undefined ? {} : { room: this.#room };
    socket.onopen = () =>
      this.#session === null
        ? this.#send({ do: "begin", pseudo: this.#options.pseudo, ...room })
        : this.#send({ do: "resume", session: this.#session, ...room });
    socket.onmessage = ({ data }) => {
      if (this.#socket !== socket) return;
      this.#heard(socket, server);
      const frame = frameIn(data);
      if (frame !== null) this.#take(frame, server);
    };
    socket.onerror = () => {};
    socket.onclose = () => this.#lost(socket, server);
  }

  /** A server that was cut off says nothing, not even that. */
  #heard(socket: ChatSocket, server: string): void {
    clearTimeout(this.#timers.silence);
    clearTimeout(this.#timers.silent);
    if (this.#isSilent) this.#options.tell({ is: "heard", server });
    this.#isSilent = false;
    const beatMs = this.#beatMs;
    const lost = () => {
      this.#lost(socket, server);
      socket.close();
    };
    this.#timers.silence = setTimeout(lost, beatMs === null ? SILENCE_MS : BEATS_LOST_MS);
    if (beatMs === null) return;
    const silent = () => {
      this.#isSilent = true;
      this.#options.tell({ is: "silent", server });
    };
    this.#timers.silent = setTimeout(silent, Math.max(SILENT_MS, beatMs * SILENT_BEATS));
  }

  #lost(socket: ChatSocket, server: string): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    clearTimeout(this.#timers.silence);
    clearTimeout(this.#timers.silent);
    this.#isSilent = false;
    if (this.#isEnded) return;
    this.#isHere = false;
    this.#options.tell({ is: "away", server });
    this.#retry();
  }

  #retry(): void {
    this.#timers.retry = setTimeout(() => this.#connect(), this.#retryMs * (0.5 + Math.random()));
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }

  #take(frame: ServerFrame, server: string): void {
    const take = this.#frames[frame.is] as ((frame: ServerFrame, server: string) => void) | undefined;
    // A later server may say more.
    take?.(frame, server);
  }

  readonly #frames: { readonly [Is in ServerFrame["is"]]: Take<Is> } = {
    welcome: (frame, server) => this.#welcomed(frame, server),
    history: (frame) => this.#turnPage(frame),
    kept: ({ message }) => this.#kept(message),
    event: ({ event }) => {
      if (event.kind === "said") this.#show(event.message, true);
      else this.#options.tell({ is: "event", event, isOwn: event.from === this.#from });
    },
    present: (frame) => this.#options.tell(frame),
    alive: () => {},
    refused: (frame) => this.#refused(frame),
    rejected: (frame) => this.#rejected(frame),
  };

  #kept(message: Message): void {
    if (this.#waiting.delete(message.id))
      this.#options.tell({ is: "waiting", id: message.id, text: message.text, isKept: true });
    this.#show(message, true);
    this.#sayFirst();
  }

  #welcomed(
    { session, you, isBack, servers, beatMs }: Extract<ServerFrame, { is: "welcome" }>,
    server: string,
  ): void {
    this.#beatMs = beatMs ?? null;
    if (this.#socket !== null) this.#heard(this.#socket, server);
    this.#session = session;
    this.#from = you.from;
    this.#isHere = true;
    this.#retryMs = RETRY_MS_FIRST;
    if (servers.length > 0) {
      this.#servers = [server, ...servers.filter((one) => one !== server)];
      this.#tried = 1;
    }
    this.#options.tell({ is: "here", session, you, server, isBack });
    // The page that comes by itself is the newest.
    this.#asked = null;
    this.#sayFirst();
  }

  /** The newest page comes by itself, earlier ones on request: by the user, or to close the gap after an absence. */
  #turnPage({ room, messages, more }: Extract<ServerFrame, { is: "history" }>): void {
    const { tell } = this.#options;
    if (room !== this.#room || !this.#hasPage) {
      this.#known.clear();
      this.#room = room;
      this.#hasPage = true;
      this.#oldest = null;
      this.#asked = null;
      tell({ is: "room", room });
    }
    const wasAway = this.#asked === null && this.#known.size > 0;
    if (wasAway) this.#gapPages = GAP_PAGES_MAX;
    const isClosed = messages.some(({ id }) => this.#known.has(id)) || !more;
    for (const message of messages) this.#show(message, this.#gapPages > 0);
    const first = messages[0]?.order ?? null;
    if (this.#gapPages > 0) {
      this.#gapPages = isClosed ? 0 : this.#gapPages - 1;
      if (this.#gapPages > 0 && first !== null) this.#ask(first);
      return;
    }
    if (first !== null) this.#oldest = first;
    tell({ is: "earlier", more });
  }

  #ask(before: string): void {
    this.#asked = before;
    this.#send({ do: "earlier", before });
  }

  #show(message: Message, isLive: boolean): void {
    if (this.#known.has(message.id) || message.room !== this.#room) return;
    this.#known.add(message.id);
    if (this.#known.size > KNOWN_MAX) this.#known.delete(this.#known.values().next().value as string);
    this.#options.tell({ is: "message", message, isOwn: message.from === this.#from, isLive });
  }

  #refused(frame: Extract<ServerFrame, { is: "refused" }>): void {
    const { id, why, afterMs } = frame;
    const text = id === null ? undefined : this.#waiting.get(id);
    if (id !== null && text !== undefined) {
      if (why === "flood" || why === "not-kept") {
        clearTimeout(this.#timers.again);
        this.#timers.again = setTimeout(() => this.#sayFirst(), afterMs);
      } else {
        this.#waiting.delete(id);
        this.#sayFirst();
      }
    }
    this.#options.tell(frame);
  }

  /** Sends one message at a time, so that they stay in their order. A message that was stored already adds nothing. */
  #sayFirst(): void {
    const [first] = this.#waiting;
    if (this.#isHere && first !== undefined) this.#send({ do: "say", id: first[0], text: first[1] });
  }

  #rejected(frame: Extract<ServerFrame, { is: "rejected" }>): void {
    if (frame.why === "unknown-session" && this.#session !== null) {
      // It has ended: the same name again, with what still waits.
      this.#session = null;
      return;
    }
    if (frame.why !== "flood") this.end();
    this.#options.tell(frame);
  }

  #send(frame: ClientFrame): void {
    this.#socket?.send(JSON.stringify(frame));
  }
}

/** @returns null: it says nothing */
function frameIn(text: string): ServerFrame | null {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === "object" && frame !== null ? (frame as ServerFrame) : null;
  } catch {
    return null;
  }
}
