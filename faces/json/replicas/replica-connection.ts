/**
 * A connection to an original server. Answers arrive in the order of the requests. The original treats the bytes of one
 * read as one request, so requests are sent to it one at a time. A dbsyncd is recognized by its answer to an action
 * that the original does not have.
 */
import { connect, type Socket } from "node:net";
import type { HostAndPort } from "../../../daemon/net/process/host-and-port.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { parseJson } from "../../../protocol/json/json-reader.js";
import { JsonObject } from "../../../protocol/json/json-value.js";
import { Queue } from "../../../protocol/queue.js";
import { type AnswerReader, ConnectionEnd, RequestClient } from "../../../protocol/request-client.js";

export interface ReplicaLimits {
  /** Milliseconds without a received byte after which a request fails. */
  readonly silenceMs: number;
  /** Maximum length of an answer in bytes. */
  readonly maxBytes: number;
}

/** The last character of an answer, which does not occur within one. */
const END = "\r";
/** An action that a dbsyncd has and the original does not. */
export const PROBE_ACTION = "listindexes";
const ORIGINAL_ANSWER = `The action '${PROBE_ACTION}' provided is not valid.`;
/** The possible answers of a dbsyncd to the probe without a document. */
const DBSYNCD_ANSWERS: readonly string[] = ["No document provided.", "Authentication required."];

/** Returns whether a request failed because the server sent nothing. */
export const isSilence = (problem: unknown): boolean =>
  problem instanceof ConnectionEnd && problem.why === "late";

export class ReplicaConnection {
  readonly #reader: OriginalAnswers;
  readonly #client: RequestClient<ByteString>;
  #isDbsyncd = false;
  /** Settles when the previous request has been answered. */
  #before: Promise<unknown> = Promise.resolve();

  private constructor(socket: Socket, replicaLimits: ReplicaLimits, closed: () => void) {
    this.#reader = new OriginalAnswers(replicaLimits.maxBytes);
    this.#client = new RequestClient({
      socket,
      reader: this.#reader,
      answerMs: replicaLimits.silenceMs,
      isSilence: true,
      setTimer,
      ended: closed,
    });
  }

  /**
   * @param probeId  sent with the first request; a daemon whose own listener receives it has connected to itself
   * @param closed  called once the connection is lost
   * @throws Error  no server listens there, or it is neither an original nor a dbsyncd
   */
  static async open(
    { host, port }: HostAndPort,
    probeId: string,
    replicaLimits: ReplicaLimits,
    closed: () => void,
  ): Promise<ReplicaConnection> {
    const socket = connect({ host, port, noDelay: true });
    const connection = new ReplicaConnection(socket, replicaLimits, closed);
    // The request is sent before the socket is connected, so that its time limit includes connecting.
    try {
      const answer = await connection.request(JSON.stringify({ action: PROBE_ACTION, id: probeId }));
      connection.#isDbsyncd = isFromDbsyncd(answer);
      return connection;
    } catch (problem) {
      connection.destroy();
      throw problem;
    }
  }

  /** Replaces the limits; the new time limit also applies to pending requests. */
  set replicaLimits({ silenceMs, maxBytes }: ReplicaLimits) {
    this.#reader.maxBytes = maxBytes;
    this.#client.answerMs = silenceMs;
  }

  /** Whether the connection has ended. */
  get isLost(): boolean {
    return this.#client.end !== null;
  }

  /** Whether the server is a dbsyncd instead of an original. */
  get isDbsyncd(): boolean {
    return this.#isDbsyncd;
  }

  /** Sends a request. @param request  one line @returns the answer as JSON @throws ConnectionEnd */
  request(request: string): Promise<string> {
    const answer = this.#before.then(() => this.#client.request(`${request}\n`));
    this.#before = answer.catch(() => {});
    return answer;
  }

  destroy(): void {
    this.#client.close();
  }
}

function setTimer(milliseconds: number, step: () => void): () => void {
  const timer = setTimeout(step, milliseconds).unref();
  return () => clearTimeout(timer);
}

class OriginalAnswers implements AnswerReader<ByteString> {
  maxBytes: number;
  problem: string | null = null;
  readonly #answers = new Queue<ByteString>();
  /** The pieces of the answer that is arriving. */
  #pieces: ByteString[] = [];
  #pieceBytes = 0;

  constructor(maxBytes: number) {
    this.maxBytes = maxBytes;
  }

  get isMidAnswer(): boolean {
    return this.#pieceBytes > 0;
  }

  push(chunk: Buffer): void {
    const piece = chunk.toString("latin1");
    let from = 0;
    for (let end = piece.indexOf(END); end >= 0; end = piece.indexOf(END, from)) {
      this.#answers.push(this.#pieces.join("") + piece.slice(from, end));
      this.#pieces = [];
      this.#pieceBytes = 0;
      from = end + 1;
    }
    if (from === piece.length) return;
    this.#pieces.push(piece.slice(from));
    this.#pieceBytes += piece.length - from;
    if (this.#pieceBytes > this.maxBytes) this.problem = `an answer is longer than ${this.maxBytes} bytes`;
  }

  next(): ByteString | null {
    return this.#answers.shift() ?? null;
  }
}

/** Returns the object in an answer. @throws Error  the answer is not an object */
export function objectOf(answer: string): JsonObject {
  const value = parseJson(answer);
  if (value instanceof JsonObject) return value;
  throw new Error("a reply is not an object");
}

/**
 * Returns whether an answer to the probe comes from a dbsyncd. @throws Error  it comes neither from an original nor
 * from a dbsyncd
 */
function isFromDbsyncd(answer: string): boolean {
  const message = String(objectOf(answer).get("message"));
  if (message === ORIGINAL_ANSWER) return false;
  if (DBSYNCD_ANSWERS.includes(message)) return true;
  throw new Error(`it replied: ${message}`);
}
