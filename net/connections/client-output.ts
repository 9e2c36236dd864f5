/**
 * The way of a connection's answers to its socket: awaited, in their places, collected, traced, and whether the client takes them.
 */
import { traceFrame } from "../process/log.js";
import { AnswerQueue } from "./answer-queue.js";
import type { ClientSocket } from "./client-socket.js";
import type { ConnectionRegistry } from "./connection-registry.js";
import {
  type Answer,
  type AnswerListener,
  type Closing,
  closing,
  type Dialect,
  type LaterAnswer,
  type LongAnswer,
} from "./dialect.js";
import type { HeldBytes } from "./held-bytes.js";
import type { PushedText } from "./pushes.js";

/** Characters of answers that are collected for one write. */
const WRITE_CHARS = 64 * 1024;

/** The connection whose answers are sent, and what happens to it. */
export interface OutputHandlers {
  readonly socket: ClientSocket;
  readonly remote: string;
  /** A request whose answer was awaited is answered. */
  onAnswered(): void;
  /** Awaited answers can be sent, those of one turn together. */
  onReady(): void;
  /** More is to be sent in the next turn: the socket emits no event for it. */
  nextTurn(): void;
  /** An answer closes the connection after those before it, or the client does not read its answers. */
  onClosing(why: Closing): void;
}

/**
 * Methods that send return whether more may be served. If not, the client has to read first, other connections have
 * their turn, or the connection is closed.
 */
export class ClientOutput implements AnswerListener {
  /** Whether the client has to read before more is served. Set here alone. */
  isFull = false;
  /** Answers of this turn that have not been sent. */
  written = "";
  /** The text that connections with the same pushed messages share; null: not known. */
  #pushed: PushedText | null = null;
  readonly #connection: OutputHandlers;
  readonly #registry: ConnectionRegistry;
  readonly #dialect: Dialect<unknown>;
  readonly #held: HeldBytes;
  /** Answers that do not go out in the turn of their request. */
  readonly #answers = new AnswerQueue();
  /** The rest of an answer that is being written. */
  #long: LongAnswer | null = null;
  /** Requests that wait for their answers. */
  #unanswered = 0;
  #isSending = false;
  #hasCeased = false;

  constructor(
    connection: OutputHandlers,
    registry: ConnectionRegistry,
    dialect: Dialect<unknown>,
    held: HeldBytes,
  ) {
    this.#connection = connection;
    this.#registry = registry;
    this.#dialect = dialect;
    this.#held = held;
  }

  /** Requests that are not answered, or whose answers are not sent. */
  get pending(): number {
    return Math.max(this.#unanswered, this.#answers.length);
  }

  /** Whether as much is collected as goes out in one write. */
  get isMuch(): boolean {
    return this.written.length >= WRITE_CHARS;
  }

  /** Bytes that were handed to the socket, and that the system has not taken. */
  get heldBytes(): number {
    return this.#connection.socket.writableLength + (this.#long?.left ?? 0);
  }

  /** Adds the answer of a request after those before it. */
  add(answer: string): void {
    if (this.#answers.length > 0 && this.#isBehind) this.#answers.add({ answer });
    else this.written += answer;
  }

  addLong(answer: LongAnswer): boolean {
    if (this.#isBehind) {
      this.#answers.add({ answer });
      return true;
    }
    if (this.flush()) return this.#writeLong(answer);
    // The client has to read the answers before it first.
    this.#long = answer;
    return false;
  }

  /** @param bytes  bytes of the request, which stay in memory until it is answered */
  await(awaited: Promise<Answer> | LaterAnswer, bytes: number): void {
    const [dialect, held] = [this.#dialect, this.#held];
    const later = awaited instanceof Promise ? this.#laterOf(awaited) : awaited;
    later.bytes = bytes;
    later.listener = this;
    if (dialect.isInOrder) this.#answers.add(later);
    this.#unanswered++;
    held.unanswered += bytes;
  }

  answered(later: LaterAnswer, answer: Answer): void {
    this.#unanswered--;
    this.#held.unanswered -= later.bytes;
    if (!this.#hasCeased) this.#settle(later, answer);
  }

  /** Adds what answers no request, and many connections receive. */
  push(bytes: string): void {
    const pushed = this.written === "" ? this.#registry.pushes.nothing : this.#pushed;
    // Something else may have been written after it.
    this.#pushed = pushed?.text.length === this.written.length ? pushed.behind(bytes) : null;
    this.written = this.#pushed?.text ?? this.written + bytes;
  }

  /** Sends what was collected. */
  flush(): boolean {
    return this.#write(this.take());
  }

  /** Returns what was collected, for the caller to send. */
  take(): string {
    const { written } = this;
    this.written = "";
    this.#pushed = null;
    return written;
  }

  /** Sends the answers that are ready, whether or not the client has read those before: they are bounded. */
  sendReady(): void {
    for (;;) {
      const ready = this.#answers.take(WRITE_CHARS);
      if (ready === null) return;
      if (typeof ready === "string") this.#write(ready);
      else this.#writeLong(ready);
    }
  }

  /** Writes on of a long answer, if one is being written. */
  writeOn(): boolean {
    return this.#long === null || this.#writeLong(this.#long);
  }

  /** The system has taken all. @returns whether something waits for that */
  drained(): boolean {
    this.#connection.socket.setTimeout(0);
    const wasFull = this.isFull;
    this.isFull = false;
    return wasFull;
  }

  /** Sends nothing more, and forgets awaited answers. */
  cease(): void {
    this.#hasCeased = true;
    this.#answers.clear();
  }

  /** Whether an answer has to wait for earlier ones that are awaited. */
  get #isBehind(): boolean {
    return this.#answers.length > 0 && this.#dialect.isInOrder;
  }

  #write(text: string): boolean {
    if (text === "") return true;
    this.#sent(text);
    return this.#connection.socket.write(text, "latin1") || this.#hasRoom();
  }

  /** Writes a long answer after what was sent before. `writeOn` writes what could not be written immediately. */
  #writeLong(long: LongAnswer): boolean {
    const { socket } = this.#connection;
    const isWhole = long.write(socket, this.#sent);
    this.#long = isWhole ? null : long;
    if (socket.writableNeedDrain) return this.#hasRoom();
    if (!isWhole) this.#connection.nextTurn();
    return isWhole;
  }

  readonly #sent = (bytes: Buffer | string): void => {
    this.#dialect.sent(bytes.length);
    traceFrame(this.#registry.log, "sent", this.#connection.remote, bytes);
  };

  #laterOf(promise: Promise<Answer>): LaterAnswer {
    const later: LaterAnswer = { kind: "later", answer: null, bytes: 0, listener: null };
    promise.then((answer) => this.answered(later, answer));
    return later;
  }

  #settle(later: LaterAnswer, answer: Answer): void {
    const [connection, dialect] = [this.#connection, this.#dialect];
    connection.onAnswered();
    if (typeof answer !== "string" && answer.kind === "closing") {
      this.sendReady();
      connection.onClosing(answer);
      return;
    }
    later.answer = answer;
    if (!dialect.isInOrder) this.#answers.add(later);
    else if (!this.#answers.isFirst(later)) return;
    if (this.#isSending) return;
    // Many are answered together: so do the answers leave.
    this.#isSending = true;
    process.nextTick(this.#allReady);
  }

  readonly #allReady = (): void => {
    this.#isSending = false;
    this.#connection.onReady();
  };

  /** Bounds what the client leaves unread, in bytes and in time. */
  #hasRoom(): boolean {
    const { socket } = this.#connection;
    const { maxOutputBytes, idleTimeout } = this.#registry.limits;
    const lying = socket.writableLength;
    // After a long write Node emits `drain` first, even if the system has taken all of it.
    if (lying === 0 && this.#long === null) return true;
    socket.setTimeout(idleTimeout);
    if (!this.#dialect.readsOn) this.isFull = true;
    else if (lying <= maxOutputBytes) return true;
    else this.#connection.onClosing(closing("answer-too-long", `${lying} bytes wait`, null));
    return false;
  }
}
