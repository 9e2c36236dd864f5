/**
 * The client's side of the chat, for the page and the terminal. It introduces the user, connects to the next server
 * when one is lost, sends unacknowledged messages again, and reports each message once. It uses only the given
 * sockets, so it also runs in browsers.
 */
import type { Message, RoomEvent } from "./message.js";
import { type ClientFrame, PROTOCOL, type ServerFrame } from "./page-frames.js";
import type { Person } from "./sessions.js";

/** The part of WebSocket that this module uses, in any implementation. */
export interface ChatSocket {
  onopen: ((event: never) => void) | null;
  onmessage: ((event: { readonly data: string }) => void) | null;
  onclose: ((event: never) => void) | null;
  onerror: ((event: never) => void) | null;
  send(text: string): void;
  close(): void;
}

/** An event for the user interface. */
export type ConversationEvent =
  | {
      readonly is: "here";
      readonly session: string;
      readonly you: Person;
      readonly server: string;
      readonly isBack: boolean;
    }
  | { readonly is: "away"; readonly server: string }
  /** `silent`: the server has sent nothing for some seconds. `heard`: it sends again. */
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
  /** The id of an earlier conversation, or null for a new one. */
  readonly session: string | null;
  readonly room?: string;
  readonly makeSocket: (url: string, protocol: string) => ChatSocket;
  readonly onEvent: (event: ConversationEvent) => void;
  readonly makeId: () => string;
}

/** The maximum number of messages that wait for a server. */
const WAITING_MAX = 100;
/** The number of stored ids, with which repeated messages are recognised. */
const KNOWN_MAX = 10_000;
/** The time without a heartbeat after which the client leaves a server that sends heartbeats. */
const BEATS_LOST_MS = 8000;
/** The time and the number of missing heartbeats after which the server is reported as silent. */
const SILENT_MS = 2000;
const SILENT_BEATS = 2.2;
const RETRY_MS_FIRST = 100;
const RETRY_MS_MAX = 5000;
/** The maximum number of pages that are requested in sequence to close the gap after a disconnection. */
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
  /** Whether a page of the room has arrived. It may be empty. */
  #hasPage = false;
  #requestedBefore: string | null = null;
  #gapPages = 0;
  /** The interval of the server's heartbeats. */
  #beatMs = SILENT_MS / SILENT_BEATS;
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

  /** Sends a message, or stores it until a server is available. @returns false if too many messages are waiting */
  say(text: string): boolean {
    if (this.#waiting.size >= WAITING_MAX) return false;
    const id = this.#options.makeId();
    this.#waiting.set(id, text);
    this.#options.onEvent({ is: "waiting", id, text, isKept: false });
    if (this.#isHere && this.#waiting.size === 1) this.#sayFirst();
    return true;
  }

  /** The number of messages that no server has acknowledged. */
  get waiting(): number {
    return this.#waiting.size;
  }

  /** Changes the room. @returns false if no server is connected, or a message in this room is not acknowledged yet */
  goTo(room: string): boolean {
    if (!this.#isHere || this.#waiting.size > 0) return false;
    this.#send({ do: "room", room });
    return true;
  }

  earlier(): void {
    if (this.#isHere && this.#oldest !== null) this.#requestPage(this.#oldest);
  }

  /** Forgets messages that are no longer shown. @param oldest  the order key of the earliest message that is shown */
  forget(ids: readonly string[], oldest: string | undefined): void {
    for (const id of ids) this.#known.delete(id);
    if (oldest !== undefined && ids.length > 0) {
      this.#oldest = oldest;
      this.#options.onEvent({ is: "earlier", more: true });
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
      // The address is invalid, or a page loaded with HTTPS may not connect to it. Try the next one.
      this.#retry();
      return;
    }
    this.#socket = socket;
    // The welcome shows whether the server sends heartbeats. Until then, assume that it does.
    this.#beatMs = SILENT_MS / SILENT_BEATS;
    this.#restartTimers(socket, server);
    const room = this.#room === undefined ? {} : { room: this.#room };
    socket.onopen = () =>
      this.#session === null
        ? this.#send({ do: "begin", pseudo: this.#options.pseudo, ...room })
        : this.#send({ do: "resume", session: this.#session, ...room });
    socket.onmessage = ({ data }) => {
      if (this.#socket !== socket) return;
      this.#restartTimers(socket, server);
      const frame = frameIn(data);
      if (frame !== null) this.#handleFrame(frame, server);
    };
    socket.onerror = () => {};
    socket.onclose = () => this.#lost(socket, server);
  }

  /** Restarts the timer that detects a lost server, which may not close the connection. */
  #restartTimers(socket: ChatSocket, server: string): void {
    clearTimeout(this.#timers.silence);
    clearTimeout(this.#timers.silent);
    if (this.#isSilent) this.#options.onEvent({ is: "heard", server });
    this.#isSilent = false;
    const beatMs = this.#beatMs;
    const lost = () => {
      this.#lost(socket, server);
      socket.close();
    };
    this.#timers.silence = setTimeout(lost, BEATS_LOST_MS);
    const silent = () => {
      this.#isSilent = true;
      this.#options.onEvent({ is: "silent", server });
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
    this.#options.onEvent({ is: "away", server });
    this.#retry();
  }

  #retry(): void {
    this.#timers.retry = setTimeout(() => this.#connect(), this.#retryMs * (0.5 + Math.random()));
    this.#retryMs = Math.min(this.#retryMs * 2, RETRY_MS_MAX);
  }

  #handleFrame(frame: ServerFrame, server: string): void {
    const take = this.#frames[frame.is] as ((frame: ServerFrame, server: string) => void) | undefined;
    // A later version of the server may send more kinds of frames.
    take?.(frame, server);
  }

  readonly #frames: { readonly [Is in ServerFrame["is"]]: Take<Is> } = {
    welcome: (frame, server) => this.#welcomed(frame, server),
    history: (frame) => this.#turnPage(frame),
    kept: ({ message }) => this.#kept(message),
    event: ({ event }) => {
      if (event.kind === "said") this.#show(event.message, true);
      else this.#options.onEvent({ is: "event", event, isOwn: event.from === this.#from });
    },
    present: (frame) => this.#options.onEvent(frame),
    alive: () => {},
    refused: (frame) => this.#refused(frame),
    rejected: (frame) => this.#rejected(frame),
  };

  #kept(message: Message): void {
    if (this.#waiting.delete(message.id))
      this.#options.onEvent({ is: "waiting", id: message.id, text: message.text, isKept: true });
    this.#show(message, true);
    this.#sayFirst();
  }

  #welcomed(
    { session, you, isBack, servers, beatMs }: Extract<ServerFrame, { is: "welcome" }>,
    server: string,
  ): void {
    this.#beatMs = beatMs;
    if (this.#socket !== null) this.#restartTimers(this.#socket, server);
    this.#session = session;
    this.#from = you.from;
    this.#isHere = true;
    this.#retryMs = RETRY_MS_FIRST;
    if (servers.length > 0) {
      this.#servers = [server, ...servers.filter((one) => one !== server)];
      this.#tried = 1;
    }
    this.#options.onEvent({ is: "here", session, you, server, isBack });
    // After the welcome the server sends the newest page without a request.
    this.#requestedBefore = null;
    this.#sayFirst();
  }

  /**
   * Handles a page of messages. The server sends the newest page without a request. The user requests earlier ones,
   * or the client requests them to close a gap after a disconnection.
   */
  #turnPage({ room, messages, more }: Extract<ServerFrame, { is: "history" }>): void {
    const { onEvent } = this.#options;
    if (room !== this.#room || !this.#hasPage) {
      this.#known.clear();
      this.#room = room;
      this.#hasPage = true;
      this.#oldest = null;
      this.#requestedBefore = null;
      onEvent({ is: "room", room });
    }
    const wasAway = this.#requestedBefore === null && this.#known.size > 0;
    if (wasAway) this.#gapPages = GAP_PAGES_MAX;
    const isClosed = messages.some(({ id }) => this.#known.has(id)) || !more;
    for (const message of messages) this.#show(message, this.#gapPages > 0);
    const first = messages[0]?.order ?? null;
    if (this.#gapPages > 0) {
      this.#gapPages = isClosed ? 0 : this.#gapPages - 1;
      if (this.#gapPages > 0 && first !== null) this.#requestPage(first);
      return;
    }
    if (first !== null) this.#oldest = first;
    onEvent({ is: "earlier", more });
  }

  #requestPage(before: string): void {
    this.#requestedBefore = before;
    this.#send({ do: "earlier", before });
  }

  #show(message: Message, isLive: boolean): void {
    if (this.#known.has(message.id) || message.room !== this.#room) return;
    this.#known.add(message.id);
    if (this.#known.size > KNOWN_MAX) this.#known.delete(this.#known.values().next().value as string);
    this.#options.onEvent({ is: "message", message, isOwn: message.from === this.#from, isLive });
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
    this.#options.onEvent(frame);
  }

  /** Sends one message at a time, so that their order is preserved. Sending a stored message again has no effect. */
  #sayFirst(): void {
    const [first] = this.#waiting;
    if (this.#isHere && first !== undefined) this.#send({ do: "say", id: first[0], text: first[1] });
  }

  #rejected(frame: Extract<ServerFrame, { is: "rejected" }>): void {
    if (frame.why === "unknown-session" && this.#session !== null) {
      // The session has ended: begin a new one with the same name and the waiting messages.
      this.#session = null;
      return;
    }
    if (frame.why !== "flood") this.end();
    this.#options.onEvent(frame);
  }

  #send(frame: ClientFrame): void {
    this.#socket?.send(JSON.stringify(frame));
  }
}

/** Parses a frame. @returns null if it is invalid */
function frameIn(text: string): ServerFrame | null {
  try {
    const frame: unknown = JSON.parse(text);
    return typeof frame === "object" && frame !== null ? (frame as ServerFrame) : null;
  } catch {
    return null;
  }
}
