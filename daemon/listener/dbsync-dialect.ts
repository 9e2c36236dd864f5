/**
 * The connections of the port -p: frames of versions 1 and 2 in, frames out, and the requests of version 2. The
 * requests of version 1 are in session-v1.ts, and the subscriptions of version 2 in live-session.ts.
 */
import { Socket } from "node:net";
import type { ByteString } from "../../protocol/byte-string.js";
import { MalformedFrame } from "../../protocol/errors.js";
import { FrameQueue, writeFrame } from "../../protocol/frame.js";
import { hexOf, NO_KEY, signerOf } from "../../protocol/version-2/envelope.js";
import { firstCommandName } from "../../protocol/version-2/envelope-head.js";
import {
  type ClientMessage,
  KNOWS_DECISIONS,
  KNOWS_LISTEN,
  KNOWS_SIGNED,
  KNOWS_TRACE,
  KNOWS_UNSIGNED,
  type ListenMessage,
  OtherProtocol,
  PROTOCOL,
  readClientMessage,
  writeHello,
  writeRefused,
  writeResult,
} from "../../protocol/version-2/messages-v2.js";
import { refusalText } from "../engine/answers/refusals.js";
import { type EnvelopeAnswer, isProofOfPermission, type RefusedEnvelope } from "../engine/answers/request.js";
import { noteSlowEnvelope } from "../engine/slow-log/slow-log.js";
import { ClientConnection } from "../net/connections/client-connection.js";
import { type ClientSocket, SharedInput } from "../net/connections/client-socket.js";
import { type ClientDoing, type Closing, closing, Dialect, type Served } from "../net/connections/dialect.js";
import { type ForeignClient, foreignClient } from "../net/connections/foreign-client.js";
import { DaemonListener, type DaemonListenerParts } from "./daemon-listener.js";
import {
  DbsyncServer,
  type DbsyncService,
  type EventSources,
  type FrameOrClose,
  type MembersHello,
  type Session,
} from "./dbsync-server.js";
import { LiveSession, NO_EVENTS_LISTENER } from "./live-session.js";
import { SessionV1 } from "./session-v1.js";

export class DbsyncDialect extends Dialect<Buffer> {
  readonly showsBytes = true;
  /** Answers of version 2 are sent as soon as they are ready; version 1 has only one request at a time. */
  override readonly isInOrder = false;
  isClosing = false;
  protected readonly parser: FrameQueue;
  readonly #server: DbsyncServer;
  readonly #connection: ClientConnection<Buffer>;
  #session: Session | null = null;

  constructor(server: DbsyncServer, connection: ClientConnection<Buffer>) {
    super();
    this.#server = server;
    this.#connection = connection;
    this.parser = new FrameQueue(server.host.limits.maxRequestBytes, server.version);
  }

  get listener(): string {
    return this.#session?.listener ?? "dbsync";
  }

  get isProven(): boolean {
    return this.#session?.isProven ?? false;
  }

  override foreignClient(chunk: Buffer): ForeignClient | null {
    return foreignClient(chunk, "dbsync");
  }

  /**
   * Adds received bytes. A complete frame must arrive within --idle-timeout, regardless of the number of its pieces.
   */
  override push(chunk: Buffer): boolean {
    return this.parser.push(chunk);
  }

  override accepts(pending: number): boolean {
    // Either version serves a request if no other request is pending.
    return pending === 0 || this.#session === null || this.#session.takes(pending);
  }

  override get heldBytes(): number {
    return this.parser.heldBytes + (this.#session?.heldBytes ?? 0);
  }

  override get doing(): ClientDoing {
    return this.#session?.doing ?? super.doing;
  }

  override disconnected(): void {
    this.#session?.disconnected?.();
  }

  bytesOf({ length }: Buffer): number {
    return length;
  }

  serve(payload: Buffer): Served {
    const session = this.#sessionOf();
    const served = session.serve(payload);
    this.isClosing = session.closeAfterAnswer;
    if (typeof served === "string" || served instanceof Promise || served.kind === "closing") return served;
    const { hello } = served;
    const otherwise = closing("malformed", "bytes followed a daemon's hello");
    const take = (socket: ClientSocket) => {
      if (socket instanceof Socket) this.#server.service.members?.(socket, hello);
    };
    return { kind: "hand-over", take, otherwise };
  }

  problem(isEnded: boolean): Closing | null {
    const { malformed } = this.parser;
    if (malformed !== null)
      return { ...this.#sessionOf().malformed(malformed.message), offset: malformed.offset };
    return isEnded && this.parser.isMidRequest
      ? closing("frame-unfinished", "the client ended its stream")
      : null;
  }

  /** The time after which a silent client is disconnected. php-dbsync's daemon has the same limit. */
  get silenceMaxMs(): number {
    return this.#server.host.limits.idleTimeout;
  }

  /** Returns the session for the version that the first frame has selected. */
  #sessionOf(): Session {
    this.#session ??=
      this.parser.version === 2 ? new SessionV2(this.#server, this.#connection) : new SessionV1(this.#server);
    return this.#session;
  }
}

/** The number of digits of a key's id that are shown if the key has no label. */
const KEY_DIGITS = 12;
/** The number of bytes of an envelope that are stored for display: its header, and the name of its first command. */
const HEAD_SHOWN_BYTES = 512;
/** Bytes reserved for a result in addition to its replies; 200 would suffice. */
const HEAD_BYTES = 1024;
/** Maximum pending requests of a connection, excluding those that wait for other daemons. */
const UNANSWERED_MAX = 1024;
/** Maximum answers of a connection that may wait for other daemons; further ones count as pending requests. */
const WAITING_MAX = 1024;

/**
 * The session of version 2: envelopes and hellos in, results, refusals and hellos out. Answers are sent as soon as they
 * are ready. Only a malformed message closes the connection. Source: docs/protocol-v2.md "Messages".
 */
export class SessionV2 implements Session {
  readonly listener: DbsyncServer["listener"];
  readonly closeAfterAnswer = false;
  isProven = false;
  isGone = false;
  isOnlyHere = false;
  readonly #server: DbsyncServer;
  readonly #connection: ClientConnection<Buffer>;
  /**
   * A copy of the beginning of the last accepted envelope, which is overwritten in place. A view would keep the
   * complete received chunk in memory.
   */
  readonly #last = Buffer.allocUnsafeSlow(HEAD_SHOWN_BYTES);
  #lastBytes = 0;
  /** The subscriptions, or null if the client has not subscribed to anything. */
  #live: LiveSession | null = null;
  #hasServed = false;
  /** The number of answers that wait for other daemons; they do not delay the other answers. */
  #waiting = 0;

  constructor(server: DbsyncServer, connection: ClientConnection<Buffer>) {
    this.listener = server.listener;
    this.#server = server;
    this.#connection = connection;
  }

  get doing(): ClientDoing {
    const body = this.#last.subarray(0, this.#lastBytes);
    const { key = "", label = key.slice(0, KEY_DIGITS) } = this.#signerOf(body);
    return { name: label, command: firstCommandName(body).toLowerCase() };
  }

  get heldBytes(): number {
    return this.#live?.bytes ?? 0;
  }

  /** The maximum bytes of all replies of a result. */
  get #replyBytesMax(): number {
    return this.#server.host.limits.maxOutputBytes - HEAD_BYTES;
  }

  disconnected(): void {
    this.isGone = true;
    this.#live?.clear();
  }

  takes(pending: number): boolean {
    return pending - this.#waiting < UNANSWERED_MAX;
  }

  serve(payload: Buffer): FrameOrClose | MembersHello | Promise<FrameOrClose> {
    const isFirst = !this.#hasServed;
    this.#hasServed = true;

    let message: ClientMessage;
    try {
      message = readClientMessage(payload);
    } catch (problem) {
      if (problem instanceof MalformedFrame) return this.malformed(problem.message);
      if (problem instanceof OtherProtocol) return this.#otherProtocol(problem.found);
      throw problem;
    }

    if (message.kind === "hello") {
      const isMember = isFirst && message.role === "daemon" && this.#server.service.members !== null;
      this.isOnlyHere = message.role === "client" && message.members === 0;
      return isMember ? { kind: "members-hello", hello: message } : this.#hello();
    }
    if (message.kind === "listen") return this.#listen(message);

    const { body, wait, traceparent } = message;
    const { pipeline } = this.#server.service;
    const { limits, environment, observer } = this.#server.host;
    const startedAt = environment.uptime();
    const answer = pipeline.handleEnvelope(message, this.#replyBytesMax, null, this);
    const worked = environment.uptime() - startedAt;
    if (worked >= limits.slowlogTime) this.#noteSlow(body, worked, answer, traceparent);

    if (!(answer instanceof Promise)) {
      observer.answered(worked);
      return this.#frameOf(answer, body);
    }

    // A pending request that does not wait for other daemons has passed a check that proves the client's right. For
    // other requests, the answer proves it.
    this.isProven ||= wait === undefined;
    const waits = wait !== undefined && this.#waiting < WAITING_MAX ? 1 : 0;
    this.#waiting += waits;
    return answer.then((one) => {
      this.#waiting -= waits;
      observer.answered(environment.uptime() - startedAt);
      return this.#frameOf(one, body);
    });
  }

  /**
   * Logs an envelope that delayed all other clients. Refused envelopes are not logged, because anyone can send them.
   */
  #noteSlow(
    body: Buffer,
    milliseconds: number,
    answer: EnvelopeAnswer | Promise<EnvelopeAnswer>,
    traceparent: string | undefined,
  ): void {
    const { slowLog } = this.#server.service;
    const { environment, limits } = this.#server.host;
    if (slowLog === null || (!(answer instanceof Promise) && answer.kind === "refused")) return;
    const { key = "", label = key.slice(0, KEY_DIGITS) } = this.#signerOf(body);
    const envelope = { body, remote: this.#connection.remote, name: label, milliseconds, traceparent };
    noteSlowEnvelope(slowLog, envelope, { now: environment.clock(), max: limits.slowlogLength });
  }

  malformed(detail: string): Closing {
    const frame = this.#refuse({ kind: "refused", id: "", code: "malformed", detail, effect: "not-applied" });
    return closing("malformed", detail, frame);
  }

  #otherProtocol(found: string): Closing {
    const clock = this.#server.host.environment.clock();
    const code = "other-protocol";
    const sentence = `${refusalText(code)} It was ${found}.`;
    const refused = writeRefused({ id: "", code, sentence, clock, effect: "not-applied" });
    return closing(code, found, writeFrame(refused, PROTOCOL));
  }

  /** Subscribes this connection. The commands name this daemon, so an attacker cannot use the same bytes elsewhere. */
  #listen({ body, signature }: ListenMessage): FrameOrClose | Promise<FrameOrClose> {
    const { pipeline, events } = this.#server.service;
    const listener = events === null ? NO_EVENTS_LISTENER : this.#liveOf(events);
    const answer = pipeline.handleEnvelope(
      { kind: "command", body, signature },
      this.#replyBytesMax,
      listener,
    );
    return answer instanceof Promise
      ? answer.then((one) => this.#frameOf(one, body))
      : this.#frameOf(answer, body);
  }

  #liveOf(events: EventSources): LiveSession {
    this.#live ??= new LiveSession(events, this.#server, this.#connection);
    return this.#live;
  }

  #hello(): string {
    const { pipeline, daemon, condition, takesVersion1, events } = this.#server.service;
    const { signers, recording } = pipeline;
    const { members } = recording;
    const { state } = condition();

    const knows = [
      signers === null ? KNOWS_UNSIGNED : KNOWS_SIGNED,
      ...(events === null ? [] : [KNOWS_LISTEN]),
      KNOWS_TRACE,
      ...(recording.decides ? [KNOWS_DECISIONS] : []),
    ];
    const versions = takesVersion1 ? [1, PROTOCOL] : [PROTOCOL];
    const clock = this.#server.host.environment.clock();
    const own = { versions, daemon, cluster: signers?.cluster ?? "", clock, state, members, knows };
    return writeFrame(writeHello({ kind: "hello", role: "daemon", ...own }), PROTOCOL);
  }

  #frameOf(answer: EnvelopeAnswer, body: Buffer): string {
    this.isProven ||= isProofOfPermission(answer);
    if (answer.kind === "result") {
      this.#lastBytes = body.copy(this.#last, 0, 0, HEAD_SHOWN_BYTES);
      const { id, units, errors, replies } = answer;
      const { pipeline, daemon } = this.#server.service;
      const { environment, observer } = this.#server.host;
      observer.served(this.listener, units, errors);
      const head = { id, daemon, clock: environment.clock(), newest: pipeline.recording.newest, units };
      return writeFrame(writeResult(head, replies), PROTOCOL);
    }

    const { code, detail } = answer;
    const { refusals, observer } = this.#server.host;
    refusals.note(code, { remote: this.#connection.remote, detail, ...this.#signerOf(body) });
    observer.refused(this.listener, code);
    return this.#refuse(answer);
  }

  /** Returns the signing key that the header names, for the log. After `bad-signature`, that key is not the signer. */
  #signerOf(body: Buffer): { key?: string; label?: ByteString } {
    try {
      const id = signerOf(body);
      if (id === NO_KEY) return {};
      const label = this.#server.service.pipeline.signers?.ring.find(id)?.label ?? "";
      return label === "" ? { key: hexOf(id) } : { key: hexOf(id), label };
    } catch (problem) {
      if (problem instanceof MalformedFrame) return {};
      throw problem;
    }
  }

  #refuse({ id, code, detail, effect }: RefusedEnvelope): string {
    const clock = this.#server.host.environment.clock();
    const sentence = refusalText(code, code === "cannot-decide" ? detail : null);
    const refused = { id, code, sentence, clock, effect };
    const { newest } = this.#server.service.pipeline.recording;
    return writeFrame(writeRefused(code === "too-old" ? { ...refused, newest } : refused), PROTOCOL);
  }
}

/** The listener on the daemon's main port (-p), for versions 1 and 2 of the protocol. */
export class DbsyncListener extends DaemonListener {
  constructor(
    parts: Omit<DaemonListenerParts, "name" | "options" | "fullText" | "connector">,
    service: DbsyncService,
  ) {
    super({
      ...parts,
      // The version of a connection is known only after its first frame.
      name: "dbsync",
      options: { address: "-b", port: "-p" },
      fullText: "",
      connector(host) {
        const server = new DbsyncServer(host, service, 0);
        // Input is copied: envelopes may wait, be recorded or be forwarded, and a member's connection is handed over.
        const input = new SharedInput(true);
        const dialectOf = (connection: ClientConnection<Buffer>) => new DbsyncDialect(server, connection);
        return (accepted) => new ClientConnection(input.take(accepted), host, dialectOf);
      },
    });
  }
}
