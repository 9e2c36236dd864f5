/**
 * A connection to a server that takes the JSON protocol: answers come in the order of the requests. One of the original's kind takes
 * all that it reads at once for one request, so it gets one at a time; a daemon of ours many, those of a turn in one write.
 */
import { connect, type Socket } from "node:net";
import type { ReplicaPlace } from "../../../net/process/place.js";
import { Queue } from "../../../net/process/queue.js";
import { stackOf } from "../../../protocol/errors.js";
import { parseJson } from "../../../protocol/json/json-reader.js";
import { JsonObject } from "../../../protocol/json/json-value.js";

export interface ReplicaBounds {
  /** Milliseconds: a server that says nothing for so long is given up. */
  readonly silenceMs: number;
  /** Of an answer. */
  readonly maxBytes: number;
}

/** It may be reached, and says nothing. */
export class SilentReplica extends Error {}

/** Requests that a daemon of ours is sent before it has answered the first of them. */
const UNANSWERED_MOST = 64;
/** The last character of an answer, and of no part of one. */
const END = "\r";
/** An action that we have and the original has not. */
const PROBE = '{"action":"listindexes"}';
const NO_ACTION = "is not valid";

interface Asked {
  readonly request: string;
  answer(text: string): void;
  fail(reason: Error): void;
}

export class ReplicaConnection {
  readonly #socket: Socket;
  #bounds: ReplicaBounds;
  #silence: NodeJS.Timeout;
  readonly #unsent = new Queue<Asked>();
  readonly #sent = new Queue<Asked>();
  #sentMost = 1;
  #isSending = false;
  /** Of the answer that is coming. */
  #pieces: string[] = [];
  #pieceChars = 0;
  #problem: Error | null = null;
  readonly #closed: () => void;

  private constructor(socket: Socket, bounds: ReplicaBounds, closed: () => void) {
    this.#socket = socket;
    this.#bounds = bounds;
    this.#closed = closed;
    this.#silence = this.#awaitSilence();
    socket.setEncoding("latin1");
    socket.on("data", (piece) => this.#receive(piece as unknown as string));
    socket.on("error", (reason) => this.#fail(reason));
    socket.on("close", () => this.#fail(new Error("it closed the connection")));
  }

  /** @param closed  called once it is lost @throws Error  nobody listens there */
  static async open(
    { host, port }: ReplicaPlace,
    bounds: ReplicaBounds,
    closed: () => void,
  ): Promise<ReplicaConnection> {
    const socket = connect({ host, port, noDelay: true });
    const connection = new ReplicaConnection(socket, bounds, closed);
    // Asked before it stands: so the time of silence counts from here on.
    connection.isDaemon = !(await connection.ask(PROBE)).includes(NO_ACTION);
    return connection;
  }

  /** From now on: what has been asked has that time from here on. */
  set bounds(bounds: ReplicaBounds) {
    this.#bounds = bounds;
    clearTimeout(this.#silence);
    this.#silence = this.#awaitSilence();
  }

  /** Whether nothing can be asked any more. */
  get isLost(): boolean {
    return this.#problem !== null;
  }

  /** Whether a daemon of ours is there, which takes lines. */
  get isDaemon(): boolean {
    return this.#sentMost > 1;
  }

  set isDaemon(isDaemon: boolean) {
    this.#sentMost = isDaemon ? UNANSWERED_MOST : 1;
  }

  /** @param request  a line @returns the answer, JSON. @throws Error  the connection */
  ask(request: string): Promise<string> {
    return new Promise((answer, fail) => {
      if (this.#problem !== null) {
        fail(this.#problem);
        return;
      }
      if (this.#sent.size + this.#unsent.size === 0) this.#silence.refresh();
      this.#unsent.push({ request, answer, fail });
      if (!this.#isSending) this.#sendSoon();
    });
  }

  destroy(): void {
    this.#socket.destroy();
    this.#fail(new Error("given up"));
  }

  /** At the end of the turn: what several clients wrote in it leaves together. */
  #sendSoon(): void {
    this.#isSending = true;
    setImmediate(() => {
      this.#isSending = false;
      let lines = "";
      while (this.#unsent.size > 0 && this.#sent.size < this.#sentMost) {
        const asked = this.#unsent.shift() as Asked;
        this.#sent.push(asked);
        lines += `${asked.request}\n`;
      }
      if (lines !== "") this.#socket.write(lines);
    });
  }

  /** Takes characters of the server. An exception that they cause closes this connection alone. */
  #receive(piece: string): void {
    try {
      this.#take(piece);
    } catch (problem) {
      this.#fail(new Error(`reading its answer failed by an error in the daemon: ${stackOf(problem)}`));
    }
  }

  #take(piece: string): void {
    this.#silence.refresh();
    let from = 0;
    for (let end = piece.indexOf(END); end >= 0; end = piece.indexOf(END, from)) {
      const text = this.#pieces.join("") + piece.slice(from, end);
      this.#pieces = [];
      this.#pieceChars = 0;
      from = end + 1;
      this.#sent.shift()?.answer(text);
    }
    if (from < piece.length) {
      this.#pieces.push(piece.slice(from));
      this.#pieceChars += piece.length - from;
      const { maxBytes } = this.#bounds;
      if (this.#pieceChars > maxBytes) this.#fail(new Error(`an answer is longer than ${maxBytes} bytes`));
    }
    if (this.#unsent.size > 0 && !this.#isSending) this.#sendSoon();
  }

  #awaitSilence(): NodeJS.Timeout {
    return setTimeout(() => this.#checkSilence(), this.#bounds.silenceMs).unref();
  }

  #checkSilence(): void {
    if (this.#sent.size + this.#unsent.size === 0) return;
    this.#fail(new SilentReplica(`no answer for ${this.#bounds.silenceMs} ms`));
  }

  #fail(problem: Error): void {
    if (this.#problem !== null) return;
    this.#problem = problem;
    clearTimeout(this.#silence);
    this.#socket.destroy();
    for (const queue of [this.#sent, this.#unsent])
      for (let asked = queue.shift(); asked !== undefined; asked = queue.shift()) asked.fail(problem);
    this.#closed();
  }
}

/** @throws Error  it is none */
export function objectOf(answer: string): JsonObject {
  const value = parseJson(answer);
  if (value instanceof JsonObject) return value;
  throw new Error("an answer is no object");
}
