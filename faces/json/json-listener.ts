/**
 * The JSON listener, for clients of php-dbsync's replicated in-memory database, and the session of a connection:
 * requests in, answers out.
 */
import { isUtf8 } from "node:buffer";
import type { InfoFields } from "../../daemon/engine/info/info-text.js";
import type { FaceFigures } from "../../daemon/listener/daemon-listener.js";
import type { ClientSocket } from "../../daemon/net/connections/client-socket.js";
import {
  type Answer,
  type Closing,
  closing,
  isTextByte,
  type LongAnswer,
} from "../../daemon/net/connections/dialect.js";
import { type ForeignClient, foreignClient } from "../../daemon/net/connections/foreign-client.js";
import type { Limits } from "../../daemon/options/limits.js";
import { textOfBytes } from "../../protocol/byte-string.js";
import { MalformedJson, NOT_UTF8 } from "../../protocol/json/json-reader.js";
import type { UserCommands } from "../users/user-commands.js";
import {
  SessionDialect,
  UserListener,
  type UserListenerParts,
  type UserSocketHost,
} from "../users/user-listener.js";
import { actions } from "./actions/actions.js";
import { type Action, DocumentClient } from "./actions/document-client.js";
import { isForwardedWrite, RefusedRequests } from "./actions/forwarded-writes.js";
import { JsonLineParser } from "./bytes/json-lines.js";
import {
  ANSWER_END,
  ERROR_HEAD,
  failure,
  faultSentence,
  joined,
  lengthOf,
  type Member,
  type Piece,
  type Text,
  withErrorCode,
  withinLimit,
  withinStringLimit,
} from "./messages/json-answers.js";
import { type JsonRequest, readRequest, textOfLine, unknownMember } from "./messages/json-request.js";
import { DocumentStore } from "./replicas/document-store.js";
import { PROBE_ACTION, ReplicaServer } from "./replicas/replica-server.js";
import {
  type JsonReplicaFigures,
  JsonReplicas,
  replicaLimitsOf,
  replicationFields,
} from "./replicas/replicas.js";

const FORWARDED_REFUSED =
  'a request with "replicate":false was refused: if another server forwarded it, the two servers now differ';
const JSON_LISTENER = "json";
const TOO_LONG = "The line is longer than this server accepts (--max-request-bytes).";
/** The maximum length of a line before a login, in bytes. A login is much shorter. */
const LOGIN_LINE_BYTES_MAX = 256 * 1024;
const LOGIN_TOO_LONG = "The line is longer than this server accepts before a login.";

export class JsonListener extends UserListener<Buffer> {
  readonly #replicas: JsonReplicas | null;

  constructor(parts: UserListenerParts) {
    const { path, daemon, environment, log } = parts;
    const { jsonReplicas: addresses } = daemon.settings;
    const refused = new RefusedRequests(log, environment, FORWARDED_REFUSED);
    const store = new DocumentStore(path, environment);
    const replicaLimits = replicaLimitsOf(parts.limits);
    const servers = addresses.map((address) => new ReplicaServer(address, replicaLimits, log, environment));
    const replicas = addresses.length === 0 ? null : new JsonReplicas(servers, store, replicaLimits, log);
    const output = new PieceOutput();
    super(parts, {
      name: JSON_LISTENER,
      fullText: failure("Too many clients.") + ANSWER_END,
      makeServer: (host) => host,
      makeDialect: (host) => new JsonDialect(host, replicas, refused, output),
    });
    this.#replicas = replicas;
  }

  override set limits(limits: Limits) {
    super.limits = limits;
    if (this.#replicas !== null) this.#replicas.limits = limits;
  }

  override get loading(): string | null {
    return this.#replicas?.isReady === false ? this.#replicas.notReady : null;
  }

  override get figures(): FaceFigures {
    return { jsonReplicas: () => this.jsonReplicas };
  }

  override get health(): { readonly jsonReplicas?: JsonReplicaFigures } {
    return this.jsonReplicas === null ? {} : { jsonReplicas: this.jsonReplicas };
  }

  override get replicationFields(): InfoFields {
    return this.jsonReplicas === null ? {} : replicationFields(this.jsonReplicas);
  }

  /** The servers to which clients' writes are sent, or null if there are none. */
  get jsonReplicas(): JsonReplicaFigures | null {
    return this.#replicas?.figures ?? null;
  }

  override async start(): Promise<void> {
    await super.start();
    await this.#replicas?.start();
  }

  override async stop(): Promise<void> {
    this.#replicas?.stopFetching();
    await super.stop();
    this.#replicas?.stop();
  }
}

/**
 * The dialect of --json. Each line is a request, which the session executes; answers are returned in the same order. As
 * with the original, clients may be silent for any length of time between lines, but not within a line.
 */
class JsonDialect extends SessionDialect<Buffer, Text> {
  readonly listener = JSON_LISTENER;
  protected readonly parser: JsonLineParser;
  readonly #host: UserSocketHost;
  readonly #output: PieceOutput;
  readonly #maxRequestBytes: number;
  readonly #session: JsonSession;

  /** @param replicas  original servers that receive the writes, or null if there are none */
  constructor(
    host: UserSocketHost,
    replicas: JsonReplicas | null,
    refused: RefusedRequests,
    output: PieceOutput,
  ) {
    const session = new JsonSession(host, replicas, refused);
    super(host, session);
    this.#host = host;
    this.#output = output;
    this.#session = session;
    this.#maxRequestBytes = host.limits.maxRequestBytes;
    this.parser = new JsonLineParser(this.#maxRequestBytes);
  }

  override foreignClient(chunk: Buffer): ForeignClient | null {
    return foreignClient(chunk, "json");
  }

  /** Accepts NUL as well, because the original removes it from the beginning of a line. */
  override isFirstByte(byte: number): boolean {
    return isTextByte(byte) || byte === 0;
  }

  override get heldBytes(): number {
    return this.parser.heldBytes;
  }

  override push(chunk: Buffer): boolean {
    const maxBytes = this.#maxRequestBytes;
    this.parser.maxBytes = this.needsLogin ? Math.min(LOGIN_LINE_BYTES_MAX, maxBytes) : maxBytes;
    return super.push(chunk);
  }

  bytesOf({ length }: Buffer): number {
    return length;
  }

  problem(): Closing | null {
    if (!this.parser.isTooLong) return null;
    const answer = failure(this.needsLogin ? LOGIN_TOO_LONG : TOO_LONG) + ANSWER_END;
    return closing("malformed", "a line above --max-request-bytes", answer);
  }

  override disconnected(): void {
    this.#session.leave();
  }

  protected written(joined: Text): Answer {
    const answer = withinLimit(joined, this.#host.limits.maxOutputBytes);
    return typeof answer === "string" ? answer + ANSWER_END : this.#output.long([...answer, ANSWER_END]);
  }

  protected isError(answer: string): boolean {
    return answer.startsWith(ERROR_HEAD);
  }
}

const BUFFER_BYTES = 64 * 1024;
/** The number of bytes written in a turn, before other clients are served. */
const TURN_BYTES = 2 * 1024 * 1024;

/**
 * The output of long answers, piece by piece through one buffer, which all connections of a listener share. Joining the
 * pieces would copy the answer, and Node would copy the joined string again into a buffer. Writing everything in one
 * turn would delay other clients.
 */
class PieceOutput {
  #buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);

  /** Returns an answer that consists of these pieces. @param all  in ASCII */
  long(all: readonly Piece[]): LongAnswer {
    const pieces = new Pieces(all);
    return {
      kind: "long",
      get left() {
        return pieces.left;
      },
      write: (socket, sent) => this.#write(socket, pieces, sent),
    };
  }

  /**
   * Writes pieces until the system accepts no more bytes, or the limit of a turn is reached.
   * @returns whether all pieces have been written; if not, call it again with the same `pieces`
   */
  #write(socket: ClientSocket, pieces: Pieces, sent: (bytes: Buffer) => void): boolean {
    for (let budget = TURN_BYTES; budget > 0 && socket.writableLength === 0 && !pieces.isEmpty; ) {
      const end = pieces.fill(this.#buffer);
      budget -= end;
      const bytes = this.#buffer.subarray(0, end);
      sent(bytes);
      socket.write(bytes);
      // Bytes that the system has not accepted stay in their buffer until it does.
      if (socket.writableLength > 0) this.#buffer = Buffer.allocUnsafeSlow(BUFFER_BYTES);
    }
    return pieces.isEmpty;
  }
}

/** The part of an answer that is still to be written. */
export class Pieces {
  readonly #pieces: readonly Piece[];
  #next = 0;
  /** The next piece, or null if it has not been joined yet. */
  #piece: string | null = null;
  /** The number of characters of the next piece that have been written. */
  #at = 0;
  #left: number;

  constructor(pieces: readonly Piece[]) {
    this.#pieces = pieces;
    this.#left = lengthOf(pieces);
  }

  /** The number of characters that are still to be written. */
  get left(): number {
    return this.#left;
  }

  get isEmpty(): boolean {
    return this.#left === 0;
  }

  /** Fills a buffer. @returns the number of bytes */
  fill(buffer: Buffer): number {
    let end = 0;
    while (end < buffer.length && this.#next < this.#pieces.length) {
      const piece = (this.#piece ??= joined(this.#pieces[this.#next] as Piece));
      const room = buffer.length - end;
      const remaining = piece.length - this.#at;
      const part =
        remaining === piece.length && remaining <= room ? piece : piece.substring(this.#at, this.#at + room);
      end += buffer.write(part, end, "latin1");
      if (part.length === remaining) {
        this.#next++;
        this.#at = 0;
        this.#piece = null;
      } else this.#at += part.length;
    }
    this.#left -= end;
    return end;
  }
}

/** The request that closes the connection without an answer. */
const QUIT = "quit";
/**
 * Matches HTTP requests, which a page of another site can make a browser send here. Without this check, a listener
 * without logins would execute their bodies.
 */
const HTTP = /^(?:[A-Z]+ \S+ HTTP\/|Host:)/i;
/** Maximum milliseconds that a forwarded request waits for the daemon to be ready. */
const FORWARDED_WAIT_MS = 500;
/** The member that an original reads in every answer to `getall`, because it does not expect an error. */
const NO_DOCUMENTS: Member = ["documents", "[]"];

/** The session of a JSON connection: requests in, answers out. It does not handle bytes. */
class JsonSession {
  readonly commands: UserCommands;
  readonly #client: DocumentClient;
  readonly #replicas: JsonReplicas | null;
  readonly #refused: RefusedRequests;
  /** Whether the client has requested error codes. */
  #hasCodes = false;
  /** The action of the current request. */
  #action: string | undefined;

  /** @param replicas  original servers to which writes are sent, or null if there are none */
  constructor(host: UserSocketHost, replicas: JsonReplicas | null, refused: RefusedRequests) {
    this.#client = new DocumentClient(host, replicas);
    this.commands = this.#client.commands;
    this.#replicas = replicas;
    this.#refused = refused;
  }

  /** Ends long answers, because the connection has closed. */
  leave(): void {
    this.#client.leave();
  }

  /** @param line  without surrounding spaces @returns the answer, or null if the connection must be closed */
  serve(line: Buffer): Text | Promise<Text> | null {
    this.#action = undefined;
    const answer = this.#answerTo(line);
    if (!this.#hasCodes || answer === null) return answer;
    const action = this.#action;
    return answer instanceof Promise
      ? answer.then((settled) => withErrorCode(settled, action))
      : withErrorCode(answer, action);
  }

  #answerTo(line: Buffer): Text | Promise<Text> | null {
    const text = textOfLine(line, isUtf8);
    if (text === QUIT) return null;
    this.commands.userSession.renew();
    let request: JsonRequest;
    try {
      request = readRequest(text);
    } catch (problem) {
      if (!(problem instanceof MalformedJson)) throw problem;
      if (HTTP.test(text)) return null;
      const shown = text.endsWith(NOT_UTF8) ? line.toString("utf8") : text;
      return failure(faultSentence(problem.fault, shown));
    }
    const { action } = request;
    this.#action = action;
    if (request.isOn("codes")) this.#hasCodes = true;
    if (action === undefined) return failure("No action key provided.");
    const run = actions.get(action);
    if (action === PROBE_ACTION && request.id !== undefined) this.#replicas?.probeReceived(request.id);
    if (run === undefined) return failure(`The action '${action}' provided is not valid.`);
    if (this.commands.needsLogin && action !== "auth") return failure("Authentication required.");
    if (this.#isServed(action, request)) return this.#run(action, run, request);
    return this.#whenServed(action, request).then((late) => late ?? this.#run(action, run, request));
  }

  #run(action: string, run: Action, request: JsonRequest): Text | Promise<Text> {
    const fault = unknownMember(action, request);
    if (fault !== null) return failure(fault);
    const answer = withinStringLimit(() => run(this.#client, request));
    if (
      typeof answer === "string" &&
      answer.startsWith(ERROR_HEAD) &&
      isForwardedWrite(this.#client, request)
    )
      this.#refused.note({ action, document: textOfBytes(request.document ?? "") }, answer);
    return answer;
  }

  /** Returns whether the servers of --json-replica have sent their documents, or the action needs none. */
  #isServed(action: string, request: JsonRequest): boolean {
    const replicas = this.#replicas;
    if (replicas === null || replicas.isReady || action === "auth") return true;
    return request.document === undefined && action === PROBE_ACTION;
  }

  /**
   * Waits until the daemon is ready, for at most the time that a server may be silent. @returns an error if it is not
   * ready, or null if it is
   */
  async #whenServed(action: string, request: JsonRequest): Promise<string | null> {
    const replicas = this.#replicas as JsonReplicas;
    const isPassed = request.isOff("replicate");
    // An original that forwards a request, or fetches all documents at its start, is blocked until it receives the
    // answer. Meanwhile this daemon cannot fetch that original's documents.
    if (await replicas.whenReady(isPassed ? FORWARDED_WAIT_MS : undefined)) return null;
    if (!isPassed) return failure(replicas.notReady);
    if (action === "getall") return failure(replicas.notReady, NO_DOCUMENTS);
    replicas.noteRefused();
    return failure(replicas.notReady);
  }
}
