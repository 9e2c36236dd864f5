/** Runs a balancer in the test's own process. */
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { Balancer } from "../../../../tools/proxy/balancer/balancer.js";
import { CLIENT_LIMITS, type ClientLimits } from "../../../../tools/proxy/clients/line-listener.js";
import {
  type BalancerSettings,
  DEFAULT_ROUTING,
} from "../../../../tools/proxy/settings/balancer-settings.js";
import {
  UPSTREAM_LIMITS,
  type UpstreamLimits,
} from "../../../../tools/proxy/upstream/upstream-connection.js";
import type { LogLine } from "../../../support/daemon-process.js";
import { keepLog } from "../../../support/log-lines.js";
import { SqlLineClient } from "../../../support/sql-line-client.js";

export interface BalancerScene extends AsyncDisposable {
  readonly balancer: Balancer;
  readonly port: number;
  readonly lines: readonly LogLine[];
  client(): Promise<SqlLineClient>;
}

export interface SceneOptions {
  readonly settings?: Partial<BalancerSettings>;
  readonly clients?: Partial<ClientLimits>;
  readonly upstream?: Partial<UpstreamLimits>;
}

export interface SceneServer {
  readonly id: string;
  readonly port: number;
  readonly role?: "MASTER" | "REPLICA";
}

export async function startBalancer(
  servers: readonly SceneServer[],
  { settings = {}, clients = {}, upstream = {} }: SceneOptions = {},
): Promise<BalancerScene> {
  const { log, lines } = keepLog("debug");
  const balancer = new Balancer({
    settings: {
      listen: { address: "127.0.0.1", port: 0 },
      servers: servers.map(({ id, port, role = "MASTER" }) => ({
        id,
        role,
        serverAddress: { host: "127.0.0.1", port, tls: null, text: `127.0.0.1:${port}` },
      })),
      routing: DEFAULT_ROUTING,
      settleTime: 0,
      replicates: false,
      ...settings,
    },
    limits: { clients: { ...CLIENT_LIMITS, ...clients }, servers: { ...UPSTREAM_LIMITS, ...upstream } },
    observer: { connected() {}, refused() {}, served() {} },
    environment: realEnvironment,
    log,
  });

  await balancer.start();
  const { port } = balancer.address;
  return {
    balancer,
    port,
    lines,
    client: () => SqlLineClient.open(port),
    [Symbol.asyncDispose]: () => balancer.stop(),
  };
}
