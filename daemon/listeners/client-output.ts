/**
 * The way of a connection's answers to its socket: awaited, in their places, collected, traced, and whether the client takes them.
 */
import type { Socket } from "node:net";
import { type Later, type Listener, whenThere } from "../answers/later-reply.js";
import { traceFrame } from "../process/log.js";
import { AnswerQueue, type Slot } from "./answer-queue.js";
import type { SocketHost } from "./connection-host.js";
import type { Answer, Closing, Dialect, LongAnswer } from "./dialect.js";
import type { HeldBytes } from "./held-bytes.js";

/** Characters of answers that are collected for one write. */
export const WRITE_CHARS = 64 * 1024;

/**
 * What a write leaves: room for more; the client has to read first, whose time runs; or others have their turn, since nobody is
 * told when what is under way has gone.
 */
export type Room = "room" | "full" | "turn";

export interface ClientOutputParts {
  readonly socket: Socket;
  readonly host: Pick<SocketHost, "log" | "limits">;
  readonly remote: string;
  readonly dialect: Pick<Dialect<never>, "sent" | "readsOn" | "isInOrder">;
  readonly held: HeldBytes;
  /** A request that was awaited is answered. */
  readonly settled: () => void;
  /** Answers that were awaited can be sent, those of one turn together. */
  readonly ready: () => void;
  /** Such an answer closes the connection, behind those that can be sent. */
  readonly closing: (closing: Closing) => void;
}

export class ClientOutput {
  /** Answers of this turn that have not been sent. */
  written = "";
  /** Answers that do not go out in the turn of their request. */
  readonly answers = new AnswerQueue();
  readonly #parts: ClientOutputParts;
  /** What is left of an answer that is being written. */
  #long: LongAnswer | null = null;

  /** Requests that wait for their answers. */
  #unanswered = 0;
  #isSending = false;
  #hasCeased = false;

  constructor(parts: ClientOutputParts) {
    this.#parts = parts;
  }

  /** Requests that are not answered, or whose answers are not sent. */
  get pending(): number {
    return Math.max(this.#unanswered, this.answers.length);
  }

  /** Whether an answer has to go behind others that are still to come. */
  get isBehind(): boolean {
    return this.answers.length > 0 && this.#parts.dialect.isInOrder;
  }

  /** Of what was handed over to it, and has not gone to the system. */
  get heldBytes(): number {
    return this.#parts.socket.writableLength + (this.#long?.left ?? 0);
  }

  /** What was collected, which the caller sends. */
  take(): string {
    const { written } = this;
    this.written = "";
    return written;
  }

  write(text: string): Room {
    if (text === "") return "room";
    const { socket, host, remote, dialect } = this.#parts;
    dialect.sent(text.length);
    traceFrame(host.log, "sent", remote, text);
    return socket.write(text, "latin1") ? "room" : this.#room();
  }

  /** @param bytes  of the request, which are held until it is answered */
  await(later: Promise<Answer> | Later<Answer>, bytes: number): void {
    const { dialect, held } = this.#parts;
    const slot = dialect.isInOrder ? this.answers.add(null) : null;
    this.#unanswered++;
    held.unanswered += bytes;
    whenThere<Answer>(later, new AwaitedRequest(this.#answered, slot, bytes));
  }

  /** Nothing more is said: what is awaited is forgotten. */
  cease(): void {
    this.#hasCeased = true;
    this.answers.clear();
  }

  /** Writes a long answer behind what was sent before. What does not go at once is for `writeOn`. */
  writeLong(long: LongAnswer): Room {
    const { socket } = this.#parts;
    const isWhole = long.write(socket);
    this.#long = isWhole ? null : long;
    if (socket.writableNeedDrain) return this.#room();
    return isWhole ? "room" : "turn";
  }

  /** Writes on of a long answer, if one is being written. */
  writeOn(): Room {
    return this.#long === null ? "room" : this.writeLong(this.#long);
  }

  readonly #answered: Answered = (answer, slot, bytes) => {
    this.#unanswered--;
    this.#parts.held.unanswered -= bytes;
    if (!this.#hasCeased) this.#settle(answer, slot);
  };

  /** @param slot  null: wherever there is room */
  #settle(answer: Answer, slot: Slot | null): void {
    const { settled, ready, closing } = this.#parts;
    settled();
    if (typeof answer !== "string" && answer.kind === "closing") {
      closing(answer);
      return;
    }
    if (slot === null) this.answers.add(answer);
    else slot.answer = answer;
    if (this.#isSending || (slot !== null && !this.answers.isFirst(slot))) return;
    // Many are answered together: so do the answers leave.
    this.#isSending = true;
    process.nextTick(() => {
      this.#isSending = false;
      ready();
    });
  }

  /** What the client leaves lying is bounded, and has its time. */
  #room(): Room {
    const { socket, host, dialect } = this.#parts;
    const { maxOutputBytes, idleTimeout } = host.limits;
    // After a long write Node wants a pause, also if the system has taken all of it.
    if (socket.writableLength === 0 && this.#long === null) return "room";
    socket.setTimeout(idleTimeout);
    return dialect.readsOn && socket.writableLength <= maxOutputBytes ? "room" : "full";
  }
}

/** @param bytes  of the request */
type Answered = (answer: Answer, slot: Slot | null, bytes: number) => void;

/** A request on the way to its answer. */
class AwaitedRequest implements Listener<Answer> {
  readonly #answered: Answered;
  readonly #slot: Slot | null;
  readonly #bytes: number;

  constructor(answered: Answered, slot: Slot | null, bytes: number) {
    this.#answered = answered;
    this.#slot = slot;
    this.#bytes = bytes;
  }

  told(answer: Answer): void {
    this.#answered(answer, this.#slot, this.#bytes);
  }
}
