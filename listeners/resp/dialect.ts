/**
 * --resp as its connections see it: commands in, replies out; what they mean is the session's. As Redis it goes on reading while
 * its client does not, up to a bound: clients send long pipelines before they read the first answer.
 */

import type { ClientConnection } from "../../net/connections/client-connection.js";
import {
  type Answer,
  type ClientDoing,
  type Closing,
  closing,
  Dialect,
} from "../../net/connections/dialect.js";
import { isTextByte } from "../../net/connections/first-byte.js";
import { type ForeignClient, foreignClient } from "../../net/connections/foreign-client.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { error, type Reply } from "../../protocol/reply.js";
import type { RespRequestParser } from "../../protocol/resp/resp-request-parser.js";
import { bulkHead, writeReply } from "../../protocol/resp/resp-writer.js";
import { parserFor, RESP_LISTENER, type RespHost } from "./resp-host.js";
import { answerBytes, argumentBytes } from "./session/answers.js";
import type { AwaitedCommand } from "./session/awaited-command.js";
import { ConnectedClient } from "./session/connected-client.js";
import { RespSession } from "./session/session.js";
import { LONG_BYTES } from "./shared-output.js";

/** Requests of a connection that may wait for their answers. */
const UNANSWERED_MOST = 4096;
const END = "\r\n";

/** The words of a command. */
export type Argv = readonly ByteString[];

export class RespDialect extends Dialect<Argv> {
  readonly listener = RESP_LISTENER;
  override readonly readsOn = true;
  /** Commands are shorter than a look at the clock. */
  override readonly requestsPerLook = 16;
  isProven = false;
  protected readonly parser: RespRequestParser;
  readonly #host: RespHost;
  readonly #connection: ClientConnection<Argv>;
  readonly #client: ConnectedClient;
  readonly #session: RespSession;
  /** A command that waits until all before it are answered, or for the end of a pause. */
  #heldBack: Argv | null = null;
  #isPaused = false;
  /** Of this turn. */
  #served = 0;
  #errors = 0;

  constructor(host: RespHost, connection: ClientConnection<Argv>) {
    super();
    this.#host = host;
    this.#connection = connection;
    this.parser = parserFor(host);
    this.#client = new ConnectedClient(
      {
        id: host.nextId(),
        socket: connection.socket,
        kill: () => connection.destroy(),
        activeAt: () => connection.activeAt,
        requestBytes: () => this.parser.heldBytes,
        push: (bytes) => connection.push(bytes),
      },
      (client) => new RespSession(host, client),
    );
    this.#session = this.#client.session;
    this.#session.waitsLate = () => connection.listenOn();
    this.#session.answerOf = (reply) => this.#told(reply);
    this.parser.trusted = this.#session.user !== null;
    // Where nobody has to log in a first command may be as long as any.
    if (this.parser.trusted) connection.trust();
  }

  override get doing(): ClientDoing {
    return { name: this.#session.guest.name ?? "", command: this.#client.lastCommand ?? "" };
  }

  /** Lines such as those of memcached are inline commands of Redis. */
  override foreignClient(chunk: Buffer): ForeignClient | null {
    return foreignClient(chunk, "resp", ["memcached"]);
  }

  override isFirstByte(byte: number): boolean {
    return isTextByte(byte);
  }

  override get heldBytes(): number {
    return this.parser.heldBytes + this.#session.queuedBytes + (this.#session.subscriptions?.bytes ?? 0);
  }

  get isClosing(): boolean {
    return this.#session.isClosing;
  }

  /** As with Redis the rest of a command may be awaited for as long as the next one. */
  override get isMidRequest(): boolean {
    return false;
  }

  override get isHeldBack(): boolean {
    return this.#isPaused;
  }

  override get listensOn(): boolean {
    return this.#session.waiting !== null;
  }

  override push(chunk: Buffer): boolean {
    this.#host.state.inputBytes += chunk.length;
    return super.push(chunk);
  }

  override keep(): void {
    this.parser.keep();
    const { heldBytes } = this.parser;
    if (this.listensOn && heldBytes > this.#host.limits.maxQueryBytes)
      this.#connection.drop("too-much-behind", `${heldBytes} bytes`);
  }

  override takes(pending: number): boolean {
    return !this.#isPaused && (this.#heldBack === null || pending === 0);
  }

  override next(pending: number): Argv | null {
    this.#host.tracking.sayBehind();
    const argv = this.#heldBack ?? this.parser.next();
    if (argv === null) return null;
    this.#heldBack = argv;
    const { pause } = this.#host.state;
    if (pause.mode !== null && this.#session.isPaused(argv)) {
      this.#isPaused = true;
      pause.hold(this.#resume);
      return null;
    }
    if (pending > 0 && (pending >= UNANSWERED_MOST || !this.#session.mayRunBeside(argv))) return null;
    this.#heldBack = null;
    return argv;
  }

  get silenceMost(): number {
    const { subscriptions } = this.#session;
    return subscriptions?.isEmpty === false ? 0 : this.#host.limits.respIdleTimeout;
  }

  bytesOf(argv: Argv): number {
    return argumentBytes(argv);
  }

  override begin(now: number): void {
    this.#host.state.mark = now;
    this.#session.now = this.#host.environment.clock();
  }

  serve(argv: Argv): Answer | AwaitedCommand {
    const session = this.#session;
    const reply = session.serve(argv);
    this.#served++;
    if (!this.parser.trusted) this.parser.trusted = session.user !== null;
    const isMuted = session.replies !== "on" && session.mute();
    if (reply === null) return "";
    if (reply instanceof Promise || reply.kind === "later") return this.#awaited(reply, isMuted);
    if (isMuted) return "";
    if (reply.kind === "error") this.#errors++;
    return this.#told(reply);
  }

  #awaited(reply: Promise<Reply> | AwaitedCommand, isMuted: boolean): AwaitedCommand {
    const awaited = reply instanceof Promise ? this.#session.waiter() : reply;
    if (reply instanceof Promise) reply.then((it) => awaited.answered(it));
    awaited.isMuted = isMuted;
    return awaited;
  }

  override end(): void {
    const { observer, state } = this.#host;
    const isKnown = this.#session.user !== null;
    if (this.#served > 0) observer.served(RESP_LISTENER, this.#served, this.#errors);
    state.commands += this.#served;
    this.parser.trusted = isKnown;
    this.isProven ||= isKnown && this.#served > 0;
    this.#served = this.#errors = 0;
  }

  override sent(characters: number): void {
    this.#host.state.outputBytes += characters;
  }

  problem(): Closing | null {
    const { problem } = this.parser;
    return problem === null ? null : closing("malformed", problem, writeReply(error(`ERR ${problem}`)));
  }

  override leave(): void {
    this.#session.leave();
  }

  override gone(): void {
    this.#client.gone();
    this.#host.state.pause.forget(this.#resume);
  }

  readonly #resume = (): void => {
    this.#isPaused = false;
    this.#connection.nextTurn();
  };

  #told(reply: Reply): Answer {
    const { limits, output, state } = this.#host;
    if (reply.kind === "error") state.failed(reply.text);
    const most = limits.maxOutputBytes;
    // A long value goes to the socket by itself.
    if (reply.kind === "bulk" && reply.bytes.length >= LONG_BYTES && reply.bytes.length <= most)
      return output.long(bulkHead(reply.bytes.length), reply.bytes, END);
    const bytes = answerBytes(reply, this.#session.protocol, most);
    // Without words: who reads replies one by one would take any for this one.
    return bytes ?? closing("answer-too-long", `one answer of more than ${most} bytes`, null);
  }
}
