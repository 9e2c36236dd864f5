/** The balancer between clients and servers. */
import type { Logger } from "pino";
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";
import type { ListenAddress } from "../../../daemon/net/process/host-and-port.js";
import type { Service } from "../../../daemon/net/process/service.js";
import type { ClientLimits, LineObserver } from "../clients/line-dialect.js";
import { LineListener } from "../clients/line-listener.js";
import { ServerOrder } from "../routing/server-order.js";
import type { BalancerSettings, ServerSettings } from "../settings/balancer-settings.js";
import type { UpstreamLimits } from "../upstream/upstream-limits.js";
import { UpstreamServer } from "../upstream/upstream-server.js";
import { BalancedServer } from "./balanced-server.js";
import { BalancerSession, StatementCounts } from "./balancer-session.js";

export interface BalancerParts {
  readonly settings: BalancerSettings;
  readonly limits: { readonly clients: ClientLimits; readonly servers: UpstreamLimits };
  readonly observer: LineObserver;
  readonly environment: Environment;
  readonly log: Logger;
}

export class Balancer implements Service {
  readonly servers: readonly BalancedServer[];
  readonly counts = new StatementCounts();
  readonly #parts: BalancerParts;
  readonly #listener: LineListener;

  constructor(parts: BalancerParts) {
    const { settings, limits, observer, environment, log } = parts;
    this.#parts = parts;
    this.servers = settings.servers.map((server) => this.#serverOf(server));
    const { routing, settleTime } = settings;
    const order = new ServerOrder(this.servers, {
      readsByRendezvous: routing.reads === "RENDEZVOUS",
      writesToFirst: routing.writes === "SINGLE_PRIMARY",
      partition: routing.partition,
      hash: routing.hash,
    });
    const { counts } = this;
    const notReady = (server: BalancedServer) => this.#markSettling(server);
    this.#listener = new LineListener({
      ...settings.listen,
      limits: limits.clients,
      observer,
      environment,
      log,
      makeSession: () => new BalancerSession({ order, counts, settleTime, notReady, environment }),
    });
  }

  /** The address for clients. */
  get address(): ListenAddress {
    return this.#listener.address;
  }

  get bufferedBytes(): number {
    return this.#listener.bufferedBytes;
  }

  async start(): Promise<void> {
    await this.#listener.start();
    for (const { upstream } of this.servers) upstream.start();
    const { address, port } = this.address;
    const servers = this.servers.map(({ id, upstream: { serverAddress } }) =>
      id === serverAddress.text ? id : `${id}=${serverAddress.text}`,
    );
    const { log, settings } = this.#parts;
    log.info({ address, port, servers }, "listening");
    if (settings.replicates && servers.length > 1)
      log.warn(
        "the file enables replication: the servers must replicate writes themselves, like dbsyncd --peer",
      );
  }

  async stop(): Promise<void> {
    await this.#listener.stop();
    for (const { upstream } of this.servers) upstream.stop();
  }

  #serverOf(settings: ServerSettings): BalancedServer {
    const { environment, log, limits } = this.#parts;
    const { readRoles } = this.#parts.settings.routing;
    const upstream = new UpstreamServer(
      settings.serverAddress,
      limits.servers,
      environment,
      log,
      ({ isUp }) => {
        if (isUp) this.#markSettling(server);
      },
    );
    const server = new BalancedServer(settings, readRoles.includes(settings.role), upstream);
    return server;
  }

  /** Avoids a server that was down, because it needs some time to receive the missed writes from the other servers. */
  #markSettling(server: BalancedServer): void {
    const { environment, settings } = this.#parts;
    server.freshFrom = environment.uptime() + settings.settleTime;
  }
}
