/** The listener of --sentinel, and its dialect. */
import type { DaemonListener } from "../../daemon/listener/daemon-listener.js";
import type { ClientConnection } from "../../daemon/net/connections/client-connection.js";
import {
  type ClientDoing,
  type CloseAnswer,
  closing,
  Dialect,
  isTextByte,
  type WireAnswer,
} from "../../daemon/net/connections/dialect.js";
import { type ForeignClient, foreignClient } from "../../daemon/net/connections/foreign-client.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { error, type Reply } from "../../protocol/reply.js";
import { writeReply } from "../../protocol/resp/resp-writer.js";
import { answerBytes, argumentBytes } from "../redis/bytes/reply-bytes.js";
import { RespRequestParser } from "../redis/bytes/resp-request-parser.js";
import { UserListener, type UserListenerOptions } from "../users/user-listener.js";
import { SentinelServer } from "./sentinel-server.js";
import { SentinelSession } from "./sentinel-session.js";

const SENTINEL_LISTENER = "sentinel";
type Argv = readonly ByteString[];

export class SentinelListener extends UserListener<Argv, SentinelServer> {
  constructor(options: UserListenerOptions) {
    super(options, {
      name: SENTINEL_LISTENER,
      fullText: writeReply(error("ERR max number of clients reached")),
      makeServer: (host) => new SentinelServer(host, options.daemon),
      makeDialect: (server, connection) => new SentinelDialect(server, connection),
    });
  }

  override get service(): DaemonListener["service"] {
    return { sentinel: this.reachedAt(this.server.daemon.settings.announceSentinel) };
  }

  override async start(): Promise<void> {
    await super.start();
    this.server.start();
  }

  override async stop(): Promise<void> {
    this.server.stop();
    await super.stop();
  }
}

/** The dialect of --sentinel: RESP requests, one after the other, which the session answers. */
class SentinelDialect extends Dialect<Argv> {
  readonly showsBytes = false;
  readonly listener = SENTINEL_LISTENER;
  isProven = false;
  protected readonly parser: RespRequestParser;
  readonly #server: SentinelServer;
  readonly #session: SentinelSession;

  constructor(server: SentinelServer, connection: ClientConnection<Argv>) {
    super();
    const { limits } = server.host;
    this.#server = server;
    this.parser = new RespRequestParser(
      { bulkBytes: limits.maxBulkBytes, requestBytes: limits.maxQueryBytes },
      server.strings,
    );
    this.#session = new SentinelSession(server, connection);
    this.parser.needsLogin = this.#session.needsLogin;
  }

  override get doing(): ClientDoing {
    return this.#session.doing;
  }

  override foreignClient(chunk: Buffer): ForeignClient | null {
    return foreignClient(chunk, "resp");
  }

  override isFirstByte(byte: number): boolean {
    return isTextByte(byte);
  }

  override get heldBytes(): number {
    return this.parser.heldBytes + (this.#session.subscriptions?.bytes ?? 0);
  }

  get isClosing(): boolean {
    return this.#session.isClosing;
  }

  get silenceMaxMs(): number {
    return this.#session.isSubscribed ? 0 : this.#server.host.limits.respIdleTimeout;
  }

  bytesOf(argv: Argv): number {
    return argumentBytes(argv);
  }

  serve(argv: Argv): WireAnswer | Promise<WireAnswer> {
    const served = this.#session.serve(argv);
    return served instanceof Promise ? served.then((reply) => this.#answer(reply)) : this.#answer(served);
  }

  #answer(reply: Reply | null): WireAnswer {
    const session = this.#session;
    this.#server.commands++;
    this.#server.host.observer.served(SENTINEL_LISTENER, 1, reply?.kind === "error" ? 1 : 0);
    this.parser.needsLogin = session.needsLogin;
    this.isProven ||= !session.needsLogin;
    return reply === null ? "" : this.#written(reply);
  }

  problem(): CloseAnswer | null {
    const { problem } = this.parser;
    return problem === null ? null : closing("malformed", problem, writeReply(error(`ERR ${problem}`)));
  }

  override disconnected(): void {
    this.#session.disconnected();
  }

  #written(reply: Reply): WireAnswer {
    const maxBytes = this.#server.host.limits.maxOutputBytes;
    const bytes = answerBytes(reply, this.#session.protocol, maxBytes);
    return bytes ?? closing("answer-too-long", `one answer of more than ${maxBytes} bytes`, null);
  }
}
