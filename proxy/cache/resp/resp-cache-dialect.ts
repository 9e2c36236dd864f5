/** RESP as clients of a cache speak it: commands in, whatever is answered out, in their order. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { error } from "../../../protocol/reply.js";
import { RespRequestParser } from "../../../protocol/resp/resp-request-parser.js";
import { commandLength, writeCommand, writeReply } from "../../../protocol/resp/resp-writer.js";
import type { ShortStrings } from "../../../protocol/resp/short-strings.js";
import type { ClientConnection } from "../../../serving/connections/client-connection.js";
import type { SocketHost } from "../../../serving/connections/connection-host.js";
import type { ConnectionObserver } from "../../../serving/connections/connection-observer.js";
import {
  type Answer,
  type Closing,
  closing,
  Dialect,
  type LaterAnswer,
} from "../../../serving/connections/dialect.js";
import type { ClientLimits } from "../../clients/client-limits.js";
import type { UpstreamLimits } from "../../upstream/limits.js";
import type { UpstreamPlace } from "../../upstream/place.js";
import { type CommandRule, ruleOf, tagsOfUnseen } from "./command-rules.js";
import type { Argv } from "./connection-state.js";
import { type RespCacheHost, RespCacheSession } from "./resp-cache-session.js";
import { Tunnel } from "./tunnel.js";

export const RESP_CACHE_LISTENER = "resp";
/** Requests of a connection that may wait for their answers. */
const UNANSWERED_MOST = 4096;

export interface RespClientHost extends SocketHost<ClientLimits, ConnectionObserver>, RespCacheHost {
  readonly place: UpstreamPlace;
  readonly upstreamLimits: UpstreamLimits;
  readonly strings: ShortStrings;
}

export class RespCacheDialect extends Dialect<Argv> {
  readonly listener = RESP_CACHE_LISTENER;
  override readonly readsOn = true;
  override readonly requestsPerLook = 16;
  isProven = false;
  protected readonly parser: RespRequestParser;
  readonly #host: RespClientHost;
  readonly #connection: ClientConnection<Argv>;
  readonly #session: RespCacheSession;
  /** A command that waits until all before it are answered. */
  #heldBack: Argv | null = null;
  #rule: CommandRule = "read";
  #tunnel: Tunnel | null = null;
  #isTunnelClosed = false;

  constructor(host: RespClientHost, connection: ClientConnection<Argv>) {
    super();
    this.#host = host;
    this.#connection = connection;
    this.#session = new RespCacheSession(host);
    const { maxRequestBytes } = host.limits;
    this.parser = new RespRequestParser(
      { bulkBytes: maxRequestBytes, requestBytes: maxRequestBytes },
      host.strings,
    );
  }

  get silenceMost(): number {
    return this.#tunnel === null ? this.#host.limits.silenceTimeout : 0;
  }

  get isClosing(): boolean {
    return this.#session.isClosing || this.#isTunnelClosed;
  }

  /** The rest of a command may be awaited for as long as the next one, as with Redis. */
  override get isMidRequest(): boolean {
    return false;
  }

  override takes(pending: number): boolean {
    if (this.#tunnel?.isFull === true || this.#session.isChanging) return false;
    return this.#heldBack === null || pending === 0;
  }

  override next(pending: number): Argv | null {
    if (!this.takes(pending)) return null;
    const argv = this.#heldBack ?? this.parser.next();
    if (argv === null) return null;
    this.#rule = ruleOf(argv);
    const mustWait = this.#tunnel === null && this.#session.mustWait(this.#rule);
    const isHeld = pending > 0 && (mustWait || pending >= UNANSWERED_MOST);
    this.#heldBack = isHeld ? argv : null;
    return isHeld ? null : argv;
  }

  bytesOf(argv: Argv): number {
    return commandLength(argv);
  }

  serve(argv: Argv): Answer | Promise<Answer> | LaterAnswer {
    this.isProven = true;
    const rule = this.#rule;
    if (this.#tunnel === null && rule !== "own") return this.#session.serve(argv, rule);
    this.#tunnel ??= this.#dig();
    const { store, doubtTime, links } = this.#host;
    const tags = links.isTold ? [] : tagsOfUnseen(argv, rule);
    if (tags.length > 0) store.distrust(tags, doubtTime);
    this.#tunnel.send(writeCommand(argv));
    return "";
  }

  problem(): Closing | null {
    const { problem } = this.parser;
    return problem === null ? null : closing("malformed", problem, writeReply(error(`ERR ${problem}`)));
  }

  override gone(): void {
    this.#session.gone();
    this.#isTunnelClosed = true;
    this.#tunnel?.close();
  }

  #dig(): Tunnel {
    const connection = this.#connection;
    const { socket } = connection;
    this.#session.gone();
    const tunnel = new Tunnel({
      ...{ place: this.#host.place, limits: this.#host.upstreamLimits, environment: this.#host.environment },
      state: this.#session.state,
      received: (bytes: ByteString) => {
        connection.push(bytes);
        if (socket.writableLength <= this.#host.limits.maxOutputBytes / 2) return;
        tunnel.pause();
        socket.once("drain", () => tunnel.resume());
      },
      drained: () => connection.nextTurn(),
      closed: () => {
        if (this.#isTunnelClosed) return;
        this.#isTunnelClosed = true;
        connection.nextTurn();
      },
    });
    return tunnel;
  }
}
