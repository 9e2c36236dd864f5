/** `dbsync-proxy cache --protocol resp`: Redis clients, one RESP server, and between them what was read lately. */
import type { AddressInfo } from "node:net";
import type { ByteString } from "../../../protocol/byte-string.js";
import { error } from "../../../protocol/reply.js";
import { writeReply } from "../../../protocol/resp/resp-writer.js";
import { ShortStrings } from "../../../protocol/resp/short-strings.js";
import { ClientConnection } from "../../../serving/connections/client-connection.js";
import type { ConnectionObserver } from "../../../serving/connections/connection-observer.js";
import { CONNECTION_REFUSALS } from "../../../serving/connections/connection-refusals.js";
import { SharedInput } from "../../../serving/connections/shared-input.js";
import { SocketListener } from "../../../serving/connections/socket-listener.js";
import type { Service } from "../../../serving/process/service.js";
import type { ClientLimits } from "../../clients/client-limits.js";
import { AnswerStore } from "../answer-store.js";
import { type CacheFigures, noFigures } from "../cache-figures.js";
import type { SqlCacheParts } from "../sql-cache.js";
import type { WatchedCache } from "../watched-cache.js";
import { tagsOfKeys } from "./command-rules.js";
import { type Argv, NEW_STATE } from "./connection-state.js";
import { RESP_CACHE_LISTENER, RespCacheDialect } from "./resp-cache-dialect.js";
import { SharedLinks } from "./shared-links.js";

export interface RespCacheParts extends SqlCacheParts {
  /** Milliseconds for which answers are kept of whose changes the server tells. */
  readonly toldLife: number;
}

export class RespCache implements Service, WatchedCache {
  readonly figures: CacheFigures = noFigures();
  readonly #parts: RespCacheParts;
  readonly #links: SharedLinks;
  readonly #store: AnswerStore<ByteString>;
  readonly #listener: SocketListener<ClientLimits, ConnectionObserver>;

  constructor(parts: RespCacheParts) {
    const { place, environment, log, Lru, cacheLimits: limits, upstreamLimits, toldLife } = parts;
    const { figures } = this;
    this.#parts = parts;
    const store = new AnswerStore<ByteString>({ Lru, limits, figures, uptime: () => environment.uptime() });
    this.#store = store;
    this.#links = new SharedLinks({
      ...{ place, environment, log, limits: upstreamLimits },
      changed: (keys) => (keys === null ? store.clear() : store.empty(tagsOfKeys(keys))),
    });
    const doubtTime = Math.max(limits.life, upstreamLimits.replyTimeout);
    const shared = {
      links: this.#links,
      store,
      figures,
      toldLife,
      doubtTime,
      place,
      upstreamLimits,
      strings: new ShortStrings(),
    };
    this.#listener = new SocketListener<ClientLimits, ConnectionObserver>({
      ...{ name: RESP_CACHE_LISTENER, address: parts.address, port: parts.port, environment, log },
      ...{ limits: parts.clientLimits, gate: null, refusals: CONNECTION_REFUSALS },
      options: { address: "--listen", port: "--listen" },
      observer: parts.observer,
      fullText: writeReply(error("ERR max number of clients reached")),
      connector(host) {
        const whole = Object.assign(host, shared);
        const input = new SharedInput();
        return (socket) =>
          new ClientConnection<Argv>(
            input.take(socket),
            whole,
            (connection) => new RespCacheDialect(whole, connection),
          );
      },
    });
  }

  /** Where it listens. */
  get address(): AddressInfo {
    return this.#listener.address;
  }

  get entries(): number {
    return this.#store.entries;
  }

  get bytes(): number {
    return this.#store.bytes;
  }

  get waiting(): number {
    return this.#store.waiting;
  }

  get bufferedBytes(): number {
    return this.#listener.bufferedBytes;
  }

  get place(): string {
    return this.#parts.place.text;
  }

  get isUp(): boolean {
    return this.#links.isUp;
  }

  get reason(): string | null {
    return this.#links.lastFailure;
  }

  /** Whether the server tells which keys change, or is known not to. */
  get freshness(): "told" | "untold" | "unknown" {
    return this.#links.find(NEW_STATE)?.freshness ?? "unknown";
  }

  async start(): Promise<void> {
    await this.#listener.start();
    this.#links.of(NEW_STATE);
    const { address, port } = this.address;
    this.#parts.log.info({ address, port, upstream: this.#parts.place.text }, "listening");
  }

  async stop(): Promise<void> {
    await this.#listener.stop();
    this.#links.stop();
    this.#parts.log.info(this.figures, "what the cache has done");
  }
}
