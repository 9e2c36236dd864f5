/**
 * A connection to an original server. Answers come in the order of the requests. The original takes everything that it reads in one go for one
 * request, so it is sent one request at a time. A dbsyncd is recognized by its answer to an action that the original does not have.
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

/** The last character of an answer, and of no part of one. */
const END = "\r";
/** An action that a dbsyncd has and the original does not have. */
export const PROBE_ACTION = "listindexes";
const ORIGINAL_ANSWER = `The action '${PROBE_ACTION}' provided is not valid.`;
/** What a dbsyncd answers to it when no document is named. */
const DBSYNCD_ANSWERS: readonly string[] = ["No document provided.", "Authentication required."];

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
  /** The request that is being answered. */
  #sent: Asked | null = null;
  /** Of the answer that is coming. */
  #pieces: string[] = [];
  #pieceChars = 0;
  #problem: Error | null = null;
  #isDbsyncd = false;
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

  /**
   * @param mark  sent with the first request: a daemon whose own listener receives it has connected to itself
   * @param closed  called once the connection is lost
   * @throws Error  no server listens there, or it is neither an original nor a dbsyncd
   */
  static async open(
    { host, port }: ReplicaPlace,
    mark: string,
    bounds: ReplicaBounds,
    closed: () => void,
  ): Promise<ReplicaConnection> {
    const socket = connect({ host, port, noDelay: true });
    const connection = new ReplicaConnection(socket, bounds, closed);
    // Sent before the socket is connected: the time limit counts from here on.
    try {
      const answer = await connection.ask(JSON.stringify({ action: PROBE_ACTION, id: mark }));
      connection.#isDbsyncd = isFromDbsyncd(answer);
      return connection;
    } catch (problem) {
      connection.destroy();
      throw problem;
    }
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

  /** Whether a dbsyncd answers there, not an original. */
  get isDbsyncd(): boolean {
    return this.#isDbsyncd;
  }

  /** @param request  a line @returns the answer, JSON. @throws Error  the connection */
  ask(request: string): Promise<string> {
    return new Promise((answer, fail) => {
      if (this.#problem !== null) {
        fail(this.#problem);
        return;
      }
      if (this.#isIdle) this.#silence.refresh();
      this.#unsent.push({ request, answer, fail });
      this.#sendNext();
    });
  }

  destroy(): void {
    this.#socket.destroy();
    this.#fail(new Error("given up"));
  }

  get #isIdle(): boolean {
    return this.#sent === null && this.#unsent.size === 0;
  }

  #sendNext(): void {
    if (this.#sent !== null) return;
    this.#sent = this.#unsent.shift() ?? null;
    if (this.#sent !== null) this.#socket.write(`${this.#sent.request}\n`);
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
      this.#sent?.answer(text);
      this.#sent = null;
    }
    if (from < piece.length) {
      this.#pieces.push(piece.slice(from));
      this.#pieceChars += piece.length - from;
      const { maxBytes } = this.#bounds;
      if (this.#pieceChars > maxBytes) this.#fail(new Error(`an answer is longer than ${maxBytes} bytes`));
    }
    this.#sendNext();
  }

  #awaitSilence(): NodeJS.Timeout {
    return setTimeout(() => this.#checkSilence(), this.#bounds.silenceMs).unref();
  }

  #checkSilence(): void {
    if (this.#isIdle) return;
    this.#fail(new SilentReplica(`no answer for ${this.#bounds.silenceMs} ms`));
  }

  #fail(problem: Error): void {
    if (this.#problem !== null) return;
    this.#problem = problem;
    clearTimeout(this.#silence);
    this.#socket.destroy();
    this.#sent?.fail(problem);
    this.#sent = null;
    for (let asked = this.#unsent.shift(); asked !== undefined; asked = this.#unsent.shift())
      asked.fail(problem);
    this.#closed();
  }
}

/** @throws Error  it is none */
export function objectOf(answer: string): JsonObject {
  const value = parseJson(answer);
  if (value instanceof JsonObject) return value;
  throw new Error("an answer is no object");
}

/** @throws Error  the answer is neither an original's nor a dbsyncd's */
function isFromDbsyncd(answer: string): boolean {
  const message = String(objectOf(answer).get("message"));
  if (message === ORIGINAL_ANSWER) return false;
  if (DBSYNCD_ANSWERS.includes(message)) return true;
  throw new Error(`it answers: ${message}`);
}
