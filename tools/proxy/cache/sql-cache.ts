/** A cache of recent reads between clients of the SQL line protocol and one server. */
import type { LRUCache } from "lru-cache";
import type { Logger } from "pino";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import type { ListenAddress } from "../../../daemon/net/process/host-and-port.js";
import type { Service } from "../../../daemon/net/process/service.js";
import type { ClientLimits, LineObserver } from "../clients/line-dialect.js";
import { LineListener } from "../clients/line-listener.js";
import type { UpstreamAddress } from "../upstream/server-address.js";
import type { UpstreamOutcome } from "../upstream/statement-outcome.js";
import type { UpstreamLimits } from "../upstream/upstream-limits.js";
import { UpstreamServer } from "../upstream/upstream-server.js";
import { AnswerStore, type CacheFigures, type CacheLimits, emptyFigures } from "./answer-store.js";
import { CacheSession } from "./cache-session.js";

export interface SqlCacheParts {
  readonly serverAddress: UpstreamAddress;
  /** The address to listen on: an IP address, not a name. */
  readonly address: string;
  /** The port; 0: any free one. */
  readonly port: number;
  readonly cacheLimits: CacheLimits;
  readonly clientLimits: ClientLimits;
  readonly upstreamLimits: UpstreamLimits;
  /** The class from the package lru-cache, which is loaded only for a cache. */
  readonly Lru: typeof LRUCache;
  readonly observer: LineObserver;
  readonly environment: Environment;
  readonly log: Logger;
}

export class SqlCache implements Service {
  readonly figures: CacheFigures = emptyFigures();
  readonly #parts: SqlCacheParts;
  readonly #server: UpstreamServer;
  readonly #store: AnswerStore<UpstreamOutcome>;
  readonly #listener: LineListener;

  constructor(parts: SqlCacheParts) {
    const { serverAddress, environment, log, Lru, cacheLimits: limits, upstreamLimits } = parts;
    const { figures } = this;
    this.#parts = parts;
    this.#server = new UpstreamServer(serverAddress, upstreamLimits, environment, log);
    this.#store = new AnswerStore(Lru, limits, figures, environment.uptime);
    // A write whose answer was lost may still be executed until the reply timeout. The time is at least the lifetime of
    // stored answers, during which they may be out of date in any case.
    const distrustMs = Math.max(limits.life, upstreamLimits.replyTimeout);
    this.#listener = new LineListener({
      address: parts.address,
      port: parts.port,
      limits: parts.clientLimits,
      environment,
      log,
      observer: parts.observer,
      makeSession: () => new CacheSession(this.#server, this.#store, figures, distrustMs),
    });
  }

  /** The address on which the cache listens. */
  get address(): ListenAddress {
    return this.#listener.address;
  }

  get serverAddress(): string {
    return this.#parts.serverAddress.text;
  }

  /** Whether the server answers, as far as the cache knows. */
  get isUp(): boolean {
    return this.#server.isUp;
  }

  /** The last failure, such as the reason why the server does not answer, or null if there was none. */
  get reason(): string | null {
    const failure = this.#server.lastFailure;
    return failure === null ? null : `${failure.why} ${failure.detail}`.trim();
  }

  get waiting(): number {
    return this.#store.waiting;
  }

  get bufferedBytes(): number {
    return this.#listener.bufferedBytes;
  }

  get entries(): number {
    return this.#store.entries;
  }

  get bytes(): number {
    return this.#store.bytes;
  }

  async start(): Promise<void> {
    await this.#listener.start();
    this.#server.start();
    const { address, port } = this.address;
    this.#parts.log.info({ address, port, upstream: this.#parts.serverAddress.text }, "listening");
  }

  async stop(): Promise<void> {
    await this.#listener.stop();
    this.#server.stop();
    this.#parts.log.info(this.figures, "statistics of the cache");
  }
}
