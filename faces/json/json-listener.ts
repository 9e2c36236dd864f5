/** The listener of --json, for clients of php-dbsync's replicated in-memory database, and its connections' dialect. */
import type { InfoFields } from "../../daemon/engine/info/info-text.js";
import type { FaceFigures } from "../../daemon/listener/daemon-listener.js";
import {
  type CloseAnswer,
  closing,
  isTextByte,
  type WireAnswer,
} from "../../daemon/net/connections/dialect.js";
import { type ForeignClient, foreignClient } from "../../daemon/net/connections/foreign-client.js";
import type { Limits } from "../../daemon/options/limits.js";
import { SessionDialect } from "../users/session-dialect.js";
import { UserListener, type UserListenerOptions, type UserSocketHost } from "../users/user-listener.js";
import { RefusedRequests } from "./actions/forwarded-writes.js";
import { JsonLineParser } from "./bytes/json-lines.js";
import { JsonSession } from "./json-session.js";
import { ANSWER_END, ERROR_HEAD, errorAnswer, type Text, withinLimit } from "./messages/json-answers.js";
import { PieceOutput } from "./piece-output.js";
import { DocumentStore } from "./replicas/document-store.js";
import { ReplicaServer } from "./replicas/replica-server.js";
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

  constructor(options: UserListenerOptions) {
    const { path, daemon, environment, log } = options;
    const { jsonReplicas: addresses } = daemon.settings;
    const refused = new RefusedRequests(log, environment, FORWARDED_REFUSED);
    const store = new DocumentStore(path, environment);
    const replicaLimits = replicaLimitsOf(options.limits);
    const servers = addresses.map((address) => new ReplicaServer(address, replicaLimits, log, environment));
    const replicas = addresses.length === 0 ? null : new JsonReplicas(servers, store, replicaLimits, log);
    const output = new PieceOutput();
    super(options, {
      name: JSON_LISTENER,
      fullText: errorAnswer("Too many clients.") + ANSWER_END,
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

  problem(): CloseAnswer | null {
    if (!this.parser.isTooLong) return null;
    const answer = errorAnswer(this.needsLogin ? LOGIN_TOO_LONG : TOO_LONG) + ANSWER_END;
    return closing("malformed", "a line above --max-request-bytes", answer);
  }

  override disconnected(): void {
    this.#session.leave();
  }

  protected written(joined: Text): WireAnswer {
    const answer = withinLimit(joined, this.#host.limits.maxOutputBytes);
    return typeof answer === "string" ? answer + ANSWER_END : this.#output.long([...answer, ANSWER_END]);
  }

  protected isError(answer: string): boolean {
    return answer.startsWith(ERROR_HEAD);
  }
}
