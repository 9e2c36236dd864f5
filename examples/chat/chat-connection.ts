/**
 * One connection with its user, its room and its requests, which are processed one after the other. Only the socket
 * and the list of sent messages are local to the server. Messages, sessions and rooms are in Redis and MongoDB.
 */
import { randomUUID } from "node:crypto";
import type { WebSocket } from "ws";
import type { History } from "./history.js";
import { idOf, type Message, orderOf, pseudoOf, type RoomEvent, roomNamed, textOf } from "./message.js";
import type { Refusal, Rejection } from "./page-frames.js";
import type { Dialect, FirstMessage, Request } from "./protocols.js";
import type { Listener, Rooms } from "./rooms.js";
import { publicIdOf, type Session, type Sessions } from "./sessions.js";
import type { Limits } from "./settings.js";

export interface SeatParts {
  readonly socket: WebSocket;
  readonly addr: Session["addr"];
  readonly dialect: Dialect;
  readonly sessions: Sessions;
  readonly rooms: Rooms;
  readonly history: History;
  readonly limits: Limits;
  readonly servers: () => Promise<readonly string[]>;
  readonly log: (line: string) => void;
}

/** The close codes of a client that leaves: a normal end, a page that is closed or reloaded, and no code at all. */
const LEFT: ReadonlySet<number> = new Set([1000, 1001, 1005]);
/** The close codes of the server, according to RFC 6455. */
const CLOSE = { normal: 1000, policy: 1008, binary: 1003, later: 1013 } as const;

/**
 * The number of remembered ids, as a multiple of HISTORY_COUNT. An event whose id is remembered is not sent again. All
 * messages of a page must be remembered, because the server reads the newest page repeatedly.
 */
const SHOWN_PER_HISTORY = 3;
/** A message that a client sends again is not published again if it was stored longer ago than this. */
const REPUBLISH_MAX_MS = 60_000;
const SAY_AGAIN_MS = 1000;

export class Seat implements Listener {
  readonly dialect: Dialect;
  readonly #parts: SeatParts;
  readonly #flood: TokenBucket;
  readonly #helloTimer: NodeJS.Timeout;
  /** The ids of the latest messages that were sent to this client. */
  readonly #shown = new Set<string>();
  /**
   * The ids of other events. They are separate, so that many users who join and leave do not cause a message to be
   * sent twice.
   */
  readonly #happened = new Set<string>();
  /** The events that occur while the history is read. They are sent after it. */
  #waiting: RoomEvent[] | null = null;
  readonly #shownMax: number;
  #session: Session | null = null;
  #from = "";
  #turn: Promise<void> = Promise.resolve();
  #strikes = 0;
  #saidAt = 0;
  #sentAt = 0;
  #hasBegun = false;
  #isOpen = true;

  constructor(parts: SeatParts) {
    const { socket, dialect, limits } = parts;
    this.dialect = dialect;
    this.#parts = parts;
    this.#shownMax = limits.HISTORY_COUNT * SHOWN_PER_HISTORY;
    this.#flood = new TokenBucket(limits.FLOOD_COUNT, limits.FLOOD_MS);
    this.#helloTimer = setTimeout(() => this.#reject("not-understood"), limits.HELLO_MS);
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) this.#close(CLOSE.binary);
      else this.#onMessage(data.toString());
    });
    // If a frame is too large, not UTF-8 or has a wrong mask, ws closes the connection with the appropriate code.
    socket.on("error", () => {});
    socket.on("close", (code) => this.#closed(LEFT.has(code)));
  }

  /** The session of this connection, or null before it is known and after its end. */
  get session(): Session | null {
    return this.#isOpen ? this.#session : null;
  }

  deliver(event: RoomEvent): void {
    if (this.#waiting === null) this.#show(event);
    // Events that exceed the limit are read from the history later.
    else if (this.#waiting.push(event) > this.#shownMax) this.#waiting.shift();
  }

  /** Sends a heartbeat, unless the client has recently received something. */
  beat(): void {
    const text = this.#session === null ? null : this.#parts.dialect.alive();
    if (text !== null && performance.now() - this.#sentAt > this.#parts.limits.BEAT_MS / 2) this.send(text);
  }

  send(frame: string): void {
    if (!this.#isOpen) return;
    this.#sentAt = performance.now();
    const { socket, limits, log } = this.#parts;
    socket.send(frame);
    if (socket.bufferedAmount <= limits.WAITING_BYTES) return;
    log(`a client does not read: more than ${limits.WAITING_BYTES} bytes wait for it`);
    socket.terminate();
  }

  /** Resolves when all requests are processed, and the room knows that the user has left. */
  async leave(): Promise<void> {
    this.#parts.socket.terminate();
    this.#closed(false);
    await this.#turn;
  }

  /** Applies the rate limit before any work is done for a request. */
  #onMessage(text: string): void {
    if (!this.#isOpen) return;
    if (this.#hasBegun) this.#enqueue(text);
    else {
      this.#hasBegun = true;
      clearTimeout(this.#helloTimer);
      const first = this.#parts.dialect.first(text);
      if (first === null) this.#reject("not-understood");
      else this.#next(() => this.#begin(first), null);
    }
  }

  #enqueue(text: string): void {
    const { limits, dialect } = this.#parts;
    const request = dialect.request(text);
    const afterMs = this.#flood.take();
    if (request !== null && afterMs === 0) {
      this.#next(() => this.#serve(request), request);
      return;
    }
    const id = request?.kind === "say" ? request.id : null;
    this.#refuse(request === null ? "not-understood" : "flood", id, afterMs);
    if (++this.#strikes > limits.STRIKES) this.#close(CLOSE.policy);
  }

  /** Queues a request while another one is being processed. The queue may contain as many requests as a burst. */
  #next(work: () => Promise<void>, request: Request | null): void {
    this.#turn = this.#turn.then(async () => {
      if (!this.#isOpen) return;
      try {
        await work();
      } catch (problem) {
        this.#parts.log(`a request failed: ${(problem as Error).message}`);
        // The client is in no room, or joined only partially. Another server may succeed.
        if (request?.kind !== "say") return this.#close(CLOSE.later);
        this.#refuse("not-kept", request.id, SAY_AGAIN_MS);
      }
    });
  }

  async #begin(first: FirstMessage): Promise<void> {
    const { sessions, addr, limits } = this.#parts;
    const room = roomNamed(first.room, limits.NAME_CHARS) ?? undefined;
    if (first.kind === "begin") {
      const pseudo = pseudoOf(first.pseudo, limits.NAME_CHARS);
      if (pseudo === null || sessions.isReserved(pseudo)) return this.#reject("no-name");
      const started = await sessions.begin(pseudo, addr, room);
      return typeof started === "string" ? this.#reject(started) : await this.#join(started, false);
    }
    const session = await sessions.resume(first.uuid, addr, room);
    return session === null ? this.#reject("unknown-session") : await this.#join(session, true);
  }

  async #join(session: Session, isBack: boolean): Promise<void> {
    const { dialect, servers, limits } = this.#parts;
    const from = publicIdOf(session.uuid);
    this.#session = session;
    this.#from = from;
    for (const frame of dialect.welcome({
      session,
      from,
      isBack,
      servers: await servers(),
      beatMs: limits.BEAT_MS,
    }))
      this.send(frame);
    await this.#enter(session, isBack ? "returned" : "joined");
  }

  async #enter(session: Session, kind: "joined" | "returned"): Promise<void> {
    const { rooms, sessions, dialect } = this.#parts;
    this.#waiting = [];
    await rooms.enter(session.room, this);
    await sessions.enter(session);
    await this.#announce(session, kind);
    await this.#showHistory(session.room, null);
    const waiting = this.#waiting;
    this.#waiting = null;
    for (const event of waiting) this.#show(event);
    const [present, all] = await Promise.all([sessions.present(session.room), sessions.rooms()]);
    const text = dialect.present({ room: session.room, ...present, rooms: all });
    if (text !== null) this.send(text);
  }

  async #serve(request: Request): Promise<void> {
    const session = this.#session;
    if (session === null) return;
    if (request.kind === "say") await this.#say(session, request);
    if (request.kind === "earlier") await this.#showHistory(session.room, request.before);
    if (request.kind === "room") await this.#move(session, request.room);
  }

  async #say(session: Session, request: Extract<Request, { kind: "say" }>): Promise<void> {
    const { history, rooms, sessions, limits, dialect } = this.#parts;
    const text = textOf(request.text, limits.TEXT_CHARS);
    if (text === null) return this.#refuse("no-text", request.id, 0);
    // No two messages of a user have the same time, so that they stay in order.
    this.#saidAt = Math.max(Date.now(), this.#saidAt + 1);
    const [at, id] = [this.#saidAt, request.id ?? randomUUID()];
    const { room, pseudo, color } = session;
    const said: Message = { id, order: orderOf(at, id), room, at, from: this.#from, pseudo, color, text };
    const message = await history.add(said);
    // The message may have been sent in the meantime, as a part of the history.
    const kept = dialect.kept(message, this.#shown.has(id));
    this.#remember(id);
    if (kept !== null) this.send(kept);
    if (message.room !== room || at - message.at > REPUBLISH_MAX_MS) return;
    await rooms.publish(room, { kind: "said", message });
    await sessions.write(session);
  }

  async #move(session: Session, to: unknown): Promise<void> {
    const { sessions, rooms, limits } = this.#parts;
    const room = roomNamed(to, limits.NAME_CHARS);
    if (room === null) return this.#refuse("no-room", null, 0);
    if (room === session.room) return;
    await rooms.leave(session.room, this);
    if (await sessions.exit(session)) await this.#announce(session, "left");
    this.#session = { ...session, room };
    await sessions.write(this.#session);
    await this.#enter(this.#session, "joined");
  }

  async #showHistory(room: string, before: string | null): Promise<void> {
    const { history, dialect, limits } = this.#parts;
    const count = limits.HISTORY_COUNT;
    // Read one more message than is sent, to find out whether earlier messages exist.
    const found = await history.last(room, count + 1, before);
    const messages = found.slice(-count);
    if (before === null) for (const { id } of messages) this.#remember(id);
    for (const frame of dialect.history({ room, from: this.#from, messages, more: found.length > count }))
      this.send(frame);
  }

  async #announce({ room, pseudo, color }: Session, kind: "joined" | "left" | "returned"): Promise<void> {
    const event = { kind, id: randomUUID(), at: Date.now(), from: this.#from, pseudo, color };
    await this.#parts.rooms.publish(room, event);
  }

  #show(event: RoomEvent): void {
    const id = idOf(event);
    const known = event.kind === "said" ? this.#shown : this.#happened;
    if (known.has(id)) return;
    this.#remember(id, known);
    const from = event.kind === "said" ? event.message.from : event.from;
    const text = this.#parts.dialect.event(event, from === this.#from);
    if (text !== null) this.send(text);
  }

  #remember(id: string, known = this.#shown): void {
    known.add(id);
    if (known.size <= this.#shownMax) return;
    const [oldest] = known;
    known.delete(oldest as string);
  }

  #refuse(why: Refusal, id: string | null, afterMs: number): void {
    this.send(this.#parts.dialect.refused({ why, id, afterMs }));
  }

  #reject(why: Rejection): void {
    this.send(this.#parts.dialect.rejected(why));
    this.#close(CLOSE.normal);
  }

  #close(code: number): void {
    this.#parts.socket.close(code);
    this.#closed(false);
  }

  /** @param hasLeft  whether the client has closed its connection */
  #closed(hasLeft: boolean): void {
    if (!this.#isOpen) return;
    this.#isOpen = false;
    clearTimeout(this.#helloTimer);
    const { rooms, sessions, log } = this.#parts;
    this.#turn = this.#turn
      .then(async () => {
        const session = this.#session;
        if (session === null) return;
        await rooms.leave(session.room, this);
        if (await sessions.end(session, hasLeft)) await this.#announce(session, "left");
      })
      .catch((problem: Error) => log(`a user who left is still listed for some seconds: ${problem.message}`));
  }
}

/** A limit of a rate: it permits a burst of N events, and then N events in each period. */
class TokenBucket {
  readonly #max: number;
  readonly #ms: number;
  #left: number;
  #at = performance.now();

  /** @param ms  the milliseconds after which the complete burst is available again */
  constructor(max: number, ms: number) {
    this.#max = max;
    this.#ms = ms;
    this.#left = max;
  }

  /** Takes a token. @returns 0 if one was available, otherwise the milliseconds until the next one */
  take(): number {
    const now = performance.now();
    this.#left = Math.min(this.#max, this.#left + ((now - this.#at) * this.#max) / this.#ms);
    this.#at = now;
    if (this.#left < 1) return Math.ceil(((1 - this.#left) * this.#ms) / this.#max);
    this.#left--;
    return 0;
  }
}
