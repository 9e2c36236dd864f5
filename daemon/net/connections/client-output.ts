/**
 * Sends the answers of a connection to its socket: it awaits them, orders them, collects them for one write, traces
 * them, and checks whether the client reads them.
 */
import { traceFrame } from "../process/log.js";
import type { ClientSocket } from "./client-socket.js";
import type { ByteBudget, ConnectionRegistry } from "./connection-registry.js";
import {
  type Answer,
  type AnswerReceiver,
  type Closing,
  closing,
  type Dialect,
  type LaterAnswer,
  type LongAnswer,
  type Unwritten,
} from "./dialect.js";
import type { PushedText } from "./pushed-output.js";

/**
 * The number of unread bytes above which no further requests of a client are served, although it may send them before
 * it reads: answers can be much longer than their requests.
 */
const UNREAD_MAX = 1024 * 1024;
/** The number of characters that are collected for one write. */
const WRITE_CHARS = 64 * 1024;

/** The connection whose answers are sent, and the handlers of its events. */
export interface OutputHandlers {
  readonly socket: ClientSocket;
  readonly remote: string;
  /** Called when a pending answer has arrived. */
  onAnswered(): void;
  /** Called when pending answers can be sent; the answers of one turn are sent together. */
  onReady(): void;
  /** Called when the next turn must continue to send without waiting for an event of the socket. */
  nextTurn(): void;
  /**
   * Called when an answer closes the connection after the earlier answers, or when the client does not read its
   * answers.
   */
  onClosing(why: Closing): void;
}

/**
 * The output of a connection. Its methods that send bytes return whether more requests may be served: false if the
 * client must read first, if other connections must have their turn, or if the connection is closed.
 */
export class ClientOutput implements AnswerReceiver {
  /** Whether the client must read before more requests are served. Only this class sets it. */
  isFull = false;
  /** The answers of this turn that have not been sent. */
  written = "";
  /** The text that connections with the same pushed messages share, or null if there is none. */
  #pushed: PushedText | null = null;
  readonly #connection: OutputHandlers;
  readonly #registry: ConnectionRegistry;
  readonly #dialect: Dialect<unknown>;
  readonly #held: HeldBytes;
  /** The answers that are not sent in the turn of their request. */
  readonly #answers = new AnswerQueue();
  /** The long answer that is being written, or null if there is none. */
  #long: LongAnswer | null = null;
  /** The number of requests without an answer. */
  #unanswered = 0;
  #isSending = false;
  #isStopped = false;

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

  /** The number of requests that are not answered or whose answers have not been sent. */
  get pending(): number {
    return Math.max(this.#unanswered, this.#answers.length);
  }

  /** Whether an answer that is not written yet must not be lost. */
  get mustBeWritten(): boolean {
    return this.#answers.mustBeWritten;
  }

  /** Whether enough bytes for one write are collected. */
  get hasFullWrite(): boolean {
    return this.written.length >= WRITE_CHARS;
  }

  /**
   * The number of bytes that the system has not accepted yet: those in the socket, and pushed bytes that wait for
   * answers.
   */
  get heldBytes(): number {
    return this.#connection.socket.writableLength + (this.#long?.left ?? 0) + this.#answers.pushed;
  }

  /** Adds the answer of a request after the earlier answers. */
  add(answer: string): void {
    if (this.#answers.length > 0 && this.#hasPending) this.#answers.add({ answer });
    else this.written += answer;
  }

  addLong(answer: LongAnswer): boolean {
    if (this.#hasPending) {
      this.#answers.add({ answer });
      return true;
    }
    if (this.flush()) return this.#writeLong(answer);
    // The long answer is written later, because the client must first read the earlier answers.
    this.#long = answer;
    return false;
  }

  /** Adds a pending answer. @param bytes  the size of the request, which stays in memory until it is answered */
  await(awaited: Promise<Answer> | LaterAnswer, bytes: number): void {
    const [dialect, held] = [this.#dialect, this.#held];
    const later = awaited instanceof Promise ? this.#laterOf(awaited) : awaited;
    later.bytes = bytes;
    later.receiver = this;
    if (dialect.isInOrder) this.#answers.add(later);
    this.#unanswered++;
    held.unanswered += bytes;
  }

  answered(later: LaterAnswer, answer: Answer): void {
    this.#unanswered--;
    this.#held.unanswered -= later.bytes;
    if (this.#isStopped) later.unwritten?.unwritten();
    else this.#settle(later, answer);
  }

  /** Adds bytes that answer no request, and that many connections may receive. */
  push(bytes: string): void {
    if (this.#answers.delaysPushes) this.#pushAfterAnswers(bytes);
    else this.#pushNow(bytes);
  }

  #pushAfterAnswers(bytes: string): void {
    this.#answers.push(bytes);
    const { pushed } = this.#answers;
    if (pushed > this.#registry.limits.maxOutputBytes)
      this.#connection.onClosing(closing("answer-too-long", `${pushed} bytes are waiting`, null));
  }

  #pushNow(bytes: string): void {
    const pushed = this.written === "" ? this.#registry.pushes.nothing : this.#pushed;
    // Other bytes may have been written after the shared text.
    this.#pushed = pushed?.text.length === this.written.length ? pushed.followedBy(bytes) : null;
    this.written = this.#pushed?.text ?? this.written + bytes;
  }

  /** Sends the collected answers. */
  flush(): boolean {
    const text = this.written;
    if (text === "") return true;
    this.written = "";
    this.#pushed = null;
    return this.#write(text);
  }

  /** Removes and returns the collected answers, which the caller sends. */
  take(): string {
    const { written } = this;
    this.written = "";
    this.#pushed = null;
    return written;
  }

  /** Sends the answers that are ready, even if the client has not read the earlier ones; their size is limited. */
  sendReady(): void {
    for (;;) {
      const ready = this.#answers.take(WRITE_CHARS);
      if (ready === null) return;
      if (typeof ready === "string") this.#write(ready);
      else this.#writeLong(ready);
    }
  }

  /** Continues to write a long answer, if there is one. */
  continueLong(): boolean {
    return this.#long === null || this.#writeLong(this.#long);
  }

  /** Handles the event that the system has accepted all bytes. @returns whether serving was suspended until then */
  drained(): boolean {
    this.#connection.socket.setTimeout(0);
    const wasFull = this.isFull;
    this.isFull = false;
    return wasFull;
  }

  /** Stops sending, and discards pending answers. */
  stop(): void {
    this.#isStopped = true;
    this.#answers.clear();
  }

  /** Whether an answer must wait for earlier ones that are pending. */
  get #hasPending(): boolean {
    return this.#answers.length > 0 && this.#dialect.isInOrder;
  }

  #write(text: string): boolean {
    this.#sent(text);
    return this.#connection.socket.write(text, "latin1") || this.#hasRoom();
  }

  /**
   * Writes a long answer after the earlier answers. `continueLong` later writes the part that could not be written
   * immediately.
   */
  #writeLong(long: LongAnswer): boolean {
    const { socket } = this.#connection;
    const isComplete = long.write(socket, this.#sent);
    this.#long = isComplete ? null : long;
    if (socket.writableNeedDrain) return this.#hasRoom();
    if (!isComplete) this.#connection.nextTurn();
    return isComplete;
  }

  readonly #sent = (bytes: Buffer | string): void => {
    const dialect = this.#dialect;
    dialect.sent?.(bytes.length);
    traceFrame(this.#registry.log, "sent", this.#connection.remote, bytes, dialect.showsBytes);
  };

  #laterOf(promise: Promise<Answer>): LaterAnswer {
    const later: LaterAnswer = { kind: "later", answer: null, bytes: 0, receiver: null };
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
    // Many requests are answered together, so their answers are sent together.
    this.#isSending = true;
    process.nextTick(this.#allReady);
  }

  readonly #allReady = (): void => {
    this.#isSending = false;
    this.#connection.onReady();
  };

  /** Limits the number of unread bytes, and the time for which they may stay unread. */
  #hasRoom(): boolean {
    const { socket } = this.#connection;
    const { maxOutputBytes, idleTimeout } = this.#registry.limits;
    const unread = socket.writableLength;
    // After a long write Node emits `drain` first, even if the system has accepted all of it.
    if (unread === 0 && this.#long === null) return true;
    socket.setTimeout(idleTimeout);
    if (!this.#dialect.readsOn || unread > UNREAD_MAX) this.isFull = true;
    if (this.#dialect.readsOn && unread > maxOutputBytes)
      this.#connection.onClosing(closing("answer-too-long", `${unread} bytes are waiting`, null));
    return !this.isFull;
  }
}

/** The slot of an answer. */
interface Slot {
  /** The answer, or null if it is pending. */
  readonly answer: string | LongAnswer | null;
  /** Whether it contains pushed bytes, which answer no request. */
  readonly isPush?: boolean;
  /** Whether bytes that are pushed from now on must not overtake it. */
  readonly hasRun?: boolean;
  /** Notified if the answer cannot be written; null if it need not be. */
  readonly unwritten?: Unwritten | null;
}

/** The unsent answers of a connection: answers that are ready, and slots for pending ones. */
class AnswerQueue {
  /** The number of slots. It is a field because it is read several times for each request; only this class sets it. */
  length = 0;
  /** The number of pushed characters. Only this class sets it. */
  pushed = 0;
  #slots: Slot[] = [];

  add(slot: Slot): void {
    this.length = this.#slots.push(slot);
  }

  push(bytes: string): void {
    this.pushed += bytes.length;
    this.add({ answer: bytes, isPush: true, hasRun: true });
  }

  /** Whether there are slots that pushed bytes must not overtake. */
  get delaysPushes(): boolean {
    return this.length > 0 && this.#slots.some(({ hasRun }) => hasRun === true);
  }

  isFirst(slot: Slot): boolean {
    return this.#slots[0] === slot;
  }

  /**
   * Removes and returns the first answers that are ready: either short answers, joined to a string of at most about the
   * given number of characters, or one long answer.
   * @returns null if the first answer is not ready
   */
  take(about: number): string | LongAnswer | null {
    const [first] = this.#slots;
    if (first === undefined || first.answer === null) return null;

    let ready = 0;
    let taken: string | LongAnswer = "";
    for (const { answer, isPush } of this.#slots) {
      if (typeof answer !== "string" || taken.length >= about) break;
      taken += answer;
      if (isPush === true) this.pushed -= answer.length;
      ready++;
    }
    if (ready === 0) {
      taken = first.answer;
      ready = 1;
    }

    this.#slots = ready === this.length ? [] : this.#slots.slice(ready);
    this.length -= ready;
    return taken;
  }

  /** Whether an answer must not be lost. */
  get mustBeWritten(): boolean {
    return this.#slots.some(({ unwritten }) => unwritten != null);
  }

  /** Discards all answers. Of those that are pending, the code that receives them notifies `unwritten`. */
  clear(): void {
    const slots = this.#slots;
    this.#slots = [];
    this.length = 0;
    this.pushed = 0;
    for (const { answer, unwritten } of slots) if (answer !== null) unwritten?.unwritten();
  }
}

/** The number of bytes that one connection holds, which the listener's budget includes. */
export class HeldBytes {
  /** The number of bytes of requests that have not been served. */
  queued = 0;
  /** The number of bytes of requests that have not been answered. */
  unanswered = 0;
  readonly #budget: ByteBudget;
  #reported = 0;
  /** The part of `#reported` that are answers. */
  #answers = 0;
  #isUnauthenticated = true;

  constructor(budget: ByteBudget) {
    this.#budget = budget;
  }

  /** Counts the bytes as those of an authenticated client from now on. */
  prove(): void {
    if (this.#isUnauthenticated) this.#budget.prove(this.#reported);
    this.#isUnauthenticated = false;
  }

  /** The number of bytes of unread answers that the budget counts for this connection. */
  get answers(): number {
    return this.#answers;
  }

  /** The number of bytes that the budget counts for this connection. */
  get total(): number {
    return this.#reported;
  }

  /**
   * Reports the number of bytes to the budget.
   * @param written  the number of bytes that the client has not read yet
   * @returns whether this connection holds more than before and the budget is exceeded
   */
  report(written: number): boolean {
    const grown = this.queued + this.unanswered + written - this.#reported;
    const answers = written - this.#answers;
    this.#reported += grown;
    this.#answers = written;
    if (grown === 0 && answers === 0) return false;
    return !this.#budget.change(grown, answers, this.#isUnauthenticated) && (grown > 0 || answers > 0);
  }

  release(): void {
    this.#budget.change(-this.#reported, -this.#answers, this.#isUnauthenticated);
    this.#reported = this.#answers = 0;
  }
}
