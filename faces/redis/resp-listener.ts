/** The RESP listener, to which Redis clients connect, and its dialect. */
import type { DaemonListener, FaceFigures } from "../../daemon/listener/daemon-listener.js";
import type { ClientConnection } from "../../daemon/net/connections/client-connection.js";
import type { ClientSocket } from "../../daemon/net/connections/client-socket.js";
import {
  type Answer,
  type ClientDoing,
  type Closing,
  closing,
  Dialect,
  isTextByte,
  type LongAnswer,
} from "../../daemon/net/connections/dialect.js";
import { type ForeignClient, foreignClient } from "../../daemon/net/connections/foreign-client.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { error, OK, type Reply } from "../../protocol/reply.js";
import { bulkHead, writeReply } from "../../protocol/resp/resp-writer.js";
import { UserListener, type UserListenerParts } from "../users/user-listener.js";
import { answerBytes, argumentBytes } from "./bytes/reply-bytes.js";
import { RespRequestParser } from "./bytes/resp-request-parser.js";
import { CommandRoutes } from "./commands/command-routes.js";
import { sessionHandlers } from "./commands/session-handlers.js";
import type { FamilyCounts } from "./metrics.js";
import type { AwaitedCommand } from "./session/awaited-command.js";
import { RespServer } from "./session/resp-server.js";
import { RespSession, type Routes } from "./session/resp-session.js";

/** Redis's default for tcp-keepalive, in seconds. */
const KEEP_ALIVE_SECONDS = 300;
const MILLISECONDS = 1000;

export class RespListener extends UserListener<Argv, RespServer> {
  constructor(parts: UserListenerParts) {
    const { path, daemon } = parts;
    const routes = new CommandRoutes(sessionHandlers, path.unsupported);
    const output = new SharedOutput();
    super(parts, {
      name: RESP_LISTENER,
      fullText: writeReply(error("ERR max number of clients reached")),
      makeServer: (host) => new RespServer(host, daemon, routes.counts),
      makeDialect: (server, connection) => new RespDialect(server, routes, output, connection),
      // Detects lost clients among those that wait for data.
      prepare(server, socket) {
        const seconds = server.numberOf("tcp-keepalive", KEEP_ALIVE_SECONDS);
        if (seconds > 0) socket.setKeepAlive(true, seconds * 1000);
      },
    });
  }

  override get service(): DaemonListener["service"] {
    return { resp: this.reachedAt(this.server.daemon.settings.announce) };
  }

  override get figures(): FaceFigures {
    return { families: () => this.families };
  }

  /** Clients' calls by command family. */
  get families(): readonly FamilyCounts[] {
    const families = new Map<string, { calls: number; failed: number; seconds: number }>();
    for (const [{ group }, { calls, failed, milliseconds }] of this.server.counts) {
      if (calls === 0) continue;
      const sums = families.get(group) ?? { calls: 0, failed: 0, seconds: 0 };
      sums.calls += calls;
      sums.failed += failed;
      sums.seconds += milliseconds / MILLISECONDS;
      families.set(group, sums);
    }
    return [...families].map(([family, sums]) => ({ family, ...sums }));
  }

  override async start(): Promise<void> {
    await this.#persistFunctions();
    await super.start();
    this.server.load.start();
  }

  override async stop(): Promise<void> {
    this.server.load.stop();
    await super.stop();
    this.server.putBackRetries.stop();
  }

  async #persistFunctions(): Promise<void> {
    const { daemon, host, scripts } = this.server;
    const { data } = daemon.settings;
    const { luaMemory: memory, luaTimeLimit: time } = host.limits;
    const lost = data === null ? null : await scripts.persistFunctions(data, { memory, time, spent: 0 });
    if (lost !== null) host.log.error(lost, NOT_LOADED);
  }
}

const NOT_LOADED =
  "the stored function libraries cannot be loaded, and are missing; the next change of a library replaces the file: repair or copy it first";

const RESP_LISTENER = "resp";

/** Maximum pending requests of a connection. */
const UNANSWERED_MAX = 4096;
const END = "\r\n";

/** A command's name and arguments. */
type Argv = readonly ByteString[];

/** The first byte of a TLS client. */
const TLS_HANDSHAKE = 0x16;

/**
 * The dialect of --resp: commands in, replies out, executed by the session. Clients send long pipelines before they
 * read the first reply. As in Redis, commands are therefore read even while the client does not read replies, up to a
 * limit.
 */
class RespDialect extends Dialect<Argv> {
  readonly showsBytes = false;
  readonly listener = RESP_LISTENER;
  override readonly readsOn = true;
  /** Reading the clock takes longer than a command, so it is read once for several commands. */
  override readonly requestsPerClockCheck = 16;
  isProven = false;
  protected readonly parser: RespRequestParser;
  readonly #server: RespServer;
  readonly #output: SharedOutput;
  readonly #connection: ClientConnection<Argv>;
  readonly #session: RespSession;
  /** A command that waits until earlier ones are answered, or until a pause ends. */
  #waitingCommand: Argv | null = null;
  /** The number of commands served in this turn, and the number of errors among their replies. */
  #served = 0;
  #errors = 0;

  constructor(server: RespServer, routes: Routes, output: SharedOutput, connection: ClientConnection<Argv>) {
    super();
    const { limits } = server.host;
    const bounds = { bulkBytes: limits.maxBulkBytes, requestBytes: limits.maxQueryBytes };
    this.#server = server;
    this.#output = output;
    this.#connection = connection;
    this.parser = new RespRequestParser(bounds, server.strings);
    this.#session = new RespSession(server, routes, connection, this.parser);
    this.#session.answerOf = (reply) => this.#answer(reply);
    this.parser.trusted = this.#session.userSession.user !== null;
    // Without logins, even the first command may have the maximum length.
    if (this.parser.trusted) connection.trust();
  }

  override get doing(): ClientDoing {
    return { name: this.#session.userSession.name ?? "", command: this.#session.lastCommand ?? "" };
  }

  override foreignClient(chunk: Buffer): ForeignClient | null {
    return foreignClient(chunk, "resp");
  }

  override isFirstByte(byte: number): boolean {
    return isTextByte(byte);
  }

  /** Answers as Redis does to input that is no request. A TLS client could not read the answer. */
  override answerToFirstByte(byte: number): string | null {
    return byte === TLS_HANDSHAKE ? null : "-ERR Protocol error: the first byte is not text\r\n";
  }

  override get heldBytes(): number {
    const { queuedBytes, heldBytes } = this.#session;
    return this.parser.heldBytes + queuedBytes + heldBytes + (this.#session.subscriptions?.bytes ?? 0);
  }

  get isClosing(): boolean {
    return this.#session.isClosing;
  }

  /** Returns false: as in Redis, the rest of a command may arrive as late as a new command. */
  override get isMidRequest(): boolean {
    return false;
  }

  /** Also of a client whose command CLIENT PAUSE delays: if it disconnects, the command is not executed. */
  override get isWaitingForData(): boolean {
    return this.#session.waiting !== null || this.isRequestWaiting;
  }

  override push(chunk: Buffer): boolean {
    this.#server.inputBytes += chunk.length;
    return super.push(chunk);
  }

  override copyUnread(): void {
    this.parser.copyUnread();
    if (!this.isWaitingForData) return;
    const { heldBytes } = this.parser;
    if (heldBytes > this.#server.host.limits.maxQueryBytes)
      this.#connection.drop("too-much-behind", `${heldBytes} bytes`);
  }

  override accepts(pending: number): boolean {
    return !this.isRequestWaiting && (this.#waitingCommand === null || pending === 0);
  }

  override next(pending: number): Argv | null {
    const { pause, tracking } = this.#server;
    if (tracking.size > 0) tracking.sendDeferred();
    const argv = this.#waitingCommand ?? this.parser.next();
    if (argv === null) return null;

    this.#waitingCommand = argv;
    if (pause.mode !== null && this.#session.isPaused(argv)) {
      this.isRequestWaiting = true;
      pause.hold(this.#resume);
      return null;
    }

    if (pending > 0 && !this.#mayRunAhead(argv, pending)) return null;
    this.#waitingCommand = null;
    return argv;
  }

  #mayRunAhead(argv: Argv, pending: number): boolean {
    const { heldBytes } = this.#session;
    const isFull = pending >= UNANSWERED_MAX || heldBytes > this.#server.host.limits.maxHeldBytes;
    return !isFull && this.#session.mayRunAhead(argv, pending);
  }

  get silenceMaxMs(): number {
    const { subscriptions } = this.#session;
    return subscriptions?.isEmpty === false ? 0 : this.#server.host.limits.respIdleTimeout;
  }

  bytesOf(argv: Argv): number {
    return argumentBytes(argv);
  }

  override begin(now: number): void {
    this.#server.mark = now;
    this.#session.now = this.#server.environment.clock();
  }

  serve(argv: Argv): Answer | AwaitedCommand {
    const session = this.#session;
    const reply = session.serve(argv);
    this.#served++;
    if (!this.parser.trusted) this.parser.trusted = session.userSession.user !== null;
    const isMuted = session.replies !== "on";
    if (isMuted) session.muted();
    if (reply === null) return "";
    if (reply instanceof Promise || reply.kind === "later") return this.#awaited(reply, argv, isMuted);
    if (isMuted) return "";

    if (reply.kind === "error") this.#errors++;
    return this.#answer(reply);
  }

  #awaited(reply: Promise<Reply | null> | AwaitedCommand, argv: Argv, isMuted: boolean): AwaitedCommand {
    const session = this.#session;
    const awaited = reply instanceof Promise ? session.waiter() : reply;
    if (!isMuted && session.last !== null && this.#server.path.records)
      awaited.unwritten = session.takings.begin(session.last.command, argv, session);
    if (reply instanceof Promise) {
      awaited.hasRun = session.hasRun;
      reply.then((settled) => {
        // The command has pushed its answer.
        if (settled === null) awaited.isMuted = true;
        awaited.answered(settled ?? OK);
      });
    }

    awaited.isMuted = isMuted;
    return awaited;
  }

  override end(): void {
    const isKnown = this.#session.userSession.user !== null;
    if (this.#served > 0) this.#server.host.observer.served(RESP_LISTENER, this.#served, this.#errors);
    this.#server.commands += this.#served;
    this.parser.trusted = isKnown;
    this.isProven ||= isKnown && this.#served > 0;
    this.#served = this.#errors = 0;
  }

  override sent(characters: number): void {
    this.#server.outputBytes += characters;
  }

  problem(): Closing | null {
    const { problem } = this.parser;
    return problem === null ? null : closing("malformed", problem, writeReply(error(`ERR ${problem}`)));
  }

  override stopWaiting(): void {
    this.#session.leave();
  }

  override disconnected(): void {
    this.#session.disconnected();
    this.#server.pause.forget(this.#resume);
  }

  readonly #resume = (): void => {
    this.isRequestWaiting = false;
    this.#connection.nextTurn();
  };

  #answer(reply: Reply): Answer {
    if (reply === OK) return "+OK\r\n";
    if (reply.kind === "error") this.#server.failed(reply.text);
    const maxBytes = this.#server.host.limits.maxOutputBytes;
    // A long value is written to the socket separately.
    if (reply.kind === "bulk" && reply.bytes.length >= LONG_BYTES && reply.bytes.length <= maxBytes)
      return this.#output.long(bulkHead(reply.bytes.length), reply.bytes, END);
    const bytes = answerBytes(reply, this.#session.protocol, maxBytes);
    // Close without an error: a client that reads reply by reply would mistake the error for this reply.
    return bytes ?? closing("answer-too-long", `one answer of more than ${maxBytes} bytes`, null);
  }
}

/** The minimum length of a value that is written separately, in bytes. Node writes shorter strings from its stack. */
export const LONG_BYTES = 16 * 1024;
/** The number of bytes of a value that are written in one call. */
const PART_BYTES = 64 * 1024;
/** Maximum bytes of the text before and after the value. */
const OVERHEAD_BYTES_MAX = 1024;

/**
 * The output of long values through one buffer, which all connections of a listener share. Otherwise V8 would join a
 * value with the text around it, and Node would copy the result into a new buffer for each write: two copies in newly
 * allocated memory.
 */
export class SharedOutput {
  #buffer = Buffer.allocUnsafeSlow(PART_BYTES + OVERHEAD_BYTES_MAX);

  /** Returns an answer that is written with `write`, after all earlier answers. */
  long(before: ByteString, value: ByteString, after: ByteString): LongAnswer {
    const write: LongAnswer["write"] = (socket, sent) => {
      sent(before + value + after);
      this.write(socket, before, value, after);
      return true;
    };
    return { kind: "long", left: 0, write };
  }

  /**
   * Writes a value.
   * @param before  ASCII text before the value; at most `OVERHEAD_BYTES_MAX` bytes together with `after`
   * @returns the result of `socket.write`
   */
  write(socket: ClientSocket, before: ByteString, value: ByteString, after: ByteString): boolean {
    let at = 0;
    let head = before;
    while (socket.writableLength === 0) {
      const part = value.length <= PART_BYTES ? value : value.substring(at, at + PART_BYTES);
      at += part.length;
      const buffer = this.#buffer;
      let end = head === "" ? 0 : buffer.write(head, 0, "latin1");
      end += buffer.write(part, end, "latin1");
      if (at === value.length) end += buffer.write(after, end, "latin1");
      const isAccepted = socket.write(buffer.subarray(0, end));
      // Bytes that the system has not accepted stay in their buffer until it does.
      if (socket.writableLength > 0) this.#buffer = Buffer.allocUnsafeSlow(buffer.length);
      if (at === value.length) return isAccepted;
      head = "";
    }

    return socket.write(head + value.substring(at) + after, "latin1");
  }
}
