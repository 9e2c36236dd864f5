/** A server of --json-replica, and the connection to it. Only an original server receives writes. */

import { connect, type Socket } from "node:net";
import type { Logger } from "pino";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import { formatHost, type HostAndPort } from "../../../daemon/net/process/host-and-port.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { parseJson } from "../../../protocol/json/json-reader.js";
import { JsonObject } from "../../../protocol/json/json-value.js";
import { Queue } from "../../../protocol/queue.js";
import { type AnswerReader, ConnectionEnd, RequestClient } from "../../../protocol/request-client.js";

/** The kind of a server; `self` is the daemon's own listener. */
export type ReplicaKind = "original" | "dbsyncd" | "self";

/** The default port of -p. */
const DAEMON_PORT = 1111;
/** The length in bytes of a random probe id, long enough that no other program can guess it. */
const PROBE_ID_BYTES = 16;

/** The error when a dbsyncd listens at an address of --json-replica. */
export class DbsyncdReplica extends Error {
  constructor({ host }: HostAndPort) {
    const peer = formatHost({ host, port: DAEMON_PORT });
    super(
      `it is a dbsyncd, but --json-replica is for original servers. Instead of --json-replica, start both with: ` +
        `--data FOLDER --peer ${peer} --cluster-secret FILE (--peer: the other daemon's host and the port of its -p)`,
    );
  }
}

/** The error when the daemon has connected to itself. */
class OwnAddress extends Error {}

export class ReplicaServer {
  /** Called when the server has closed the connection. */
  onClosed: () => void = () => {};
  readonly #address: HostAndPort;
  readonly #log: Logger;
  readonly #environment: Environment;
  #replicaLimits: ReplicaLimits;
  #connection: ReplicaConnection | null = null;
  #kind: ReplicaKind | null = null;
  /** The probe id sent with the first request of the connection that is being opened, or null if none is. */
  #probeId: string | null = null;
  #isOwn = false;
  /** What has been logged about the server since an original answered last. */
  #reported: "unreachable" | "dbsyncd" | null = null;
  /** Whether the server's contents have been compared since it was connected. */
  isCompared = false;
  /** Whether the server has sent its documents since the daemon's start. Until then it receives no writes. */
  hasSentDocuments = false;
  /** The reason why the server was not reached. */
  problem: unknown = new Error("not connected yet");

  constructor(address: HostAndPort, replicaLimits: ReplicaLimits, log: Logger, environment: Environment) {
    this.#address = address;
    this.#replicaLimits = replicaLimits;
    this.#log = log;
    this.#environment = environment;
  }

  /** Replaces the limits, including those of the open connection. */
  set replicaLimits(replicaLimits: ReplicaLimits) {
    this.#replicaLimits = replicaLimits;
    if (this.#connection !== null) this.#connection.replicaLimits = replicaLimits;
  }

  /** Runs work during which the server may be silent for longer. @param factor  multiplies the usual time limit */
  async withLongerTimeout<A>(factor: number, maxMs: number, work: () => Promise<A>): Promise<A> {
    const usual = this.#replicaLimits;
    const silenceMs = Math.max(usual.silenceMs, Math.min(factor * usual.silenceMs, maxMs));
    const longer = { ...usual, silenceMs };
    this.replicaLimits = longer;
    try {
      return await work();
    } finally {
      if (this.#replicaLimits === longer) this.replicaLimits = usual;
    }
  }

  /** The address as host:port. */
  get name(): string {
    return formatHost(this.#address);
  }

  /** The connection, or null if there is none. */
  get connection(): ReplicaConnection | null {
    return this.#connection;
  }

  /** The kind of the server, or null if it is unknown or the connection was lost. */
  get kind(): ReplicaKind | null {
    return this.#kind;
  }

  get isSelf(): boolean {
    return this.#kind === "self";
  }

  get isConnected(): boolean {
    return this.#kind === "original" && this.#connection?.isLost === false;
  }

  /** Whether writes may be sent to the server. */
  get acceptsWrites(): boolean {
    return this.hasSentDocuments && this.#kind === "original";
  }

  /** Called with the probe id of a request that this daemon's own listener has received. */
  probeReceived(probeId: string): void {
    if (probeId === this.#probeId) this.#isOwn = true;
  }

  /** Returns a connection to an original. @throws DbsyncdReplica @throws Error  the connection failed */
  async connected(): Promise<ReplicaConnection> {
    // The server may have closed the connection while nothing was sent.
    if (this.#connection?.isLost) this.disconnect();
    this.#connection ??= await this.#open();
    return this.#connection;
  }

  /** Logs that the server is unreachable, or is a dbsyncd, but each only once until an original answers. */
  reportUnreachable(problem: unknown): void {
    this.problem = problem;
    const reason = problem instanceof Error ? problem.message : String(problem);
    const log = this.#log;
    const isDbsyncd = problem instanceof DbsyncdReplica;
    if (isDbsyncd && this.#reported !== "dbsyncd")
      log.error({ replica: this.name, reason }, "no writes are sent to this server of --json-replica");
    else if (!isDbsyncd && this.#reported === null)
      log.warn(
        { replica: this.name, reason },
        "a JSON replica is unreachable; missed writes will be sent later",
      );
    this.#reported = isDbsyncd ? "dbsyncd" : (this.#reported ?? "unreachable");
  }

  /** Records that the server has answered a write. */
  reportReachable(): void {
    this.#reported = null;
  }

  disconnect(): void {
    const connection = this.#connection;
    this.#connection = null;
    if (this.#kind === "original") this.#kind = null;
    connection?.destroy();
  }

  async #open(): Promise<ReplicaConnection> {
    const address = this.#address;
    this.#probeId = Buffer.from(this.#environment.randomBytes(PROBE_ID_BYTES), "latin1").toString("hex");
    this.#isOwn = false;
    this.isCompared = false;
    const connection = await ReplicaConnection.open(address, this.#probeId, this.#replicaLimits, () => {
      if (this.#connection?.isLost === true) this.onClosed();
    }).catch((problem) => {
      this.#kind = null;
      throw problem;
    });
    this.#kind = this.#isOwn ? "self" : connection.isDbsyncd ? "dbsyncd" : "original";
    if (this.#kind === "original") return connection;

    connection.destroy();
    throw this.isSelf ? new OwnAddress("it is this daemon") : new DbsyncdReplica(address);
  }
}

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

/**
 * A connection to an original server. Answers arrive in the order of the requests. The original treats the bytes of one
 * read as one request, so requests are sent to it one at a time. A dbsyncd is recognized by its answer to an action
 * that the original does not have.
 */
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
