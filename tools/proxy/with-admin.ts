/** Implements `--admin` of the proxy's subcommands: a service together with the server that reports on it. */
import { type Command, Option } from "commander";
import type { Logger } from "pino";
import type { ListenAddress } from "../../daemon/net/process/host-and-port.js";
import type { Service } from "../../daemon/net/process/service.js";
import { AdminServer, type HealthReport } from "../admin/http/admin-server.js";
import { makeExposition } from "../admin/http/exposition.js";
import type { Metrics } from "../admin/http/metric.js";
import { listenAddress } from "./option-values.js";

export interface AdminOptions {
  readonly admin?: ListenAddress;
  readonly adminHost: readonly string[];
}

/** The reports on a service. */
export interface Reports<Sources> {
  readonly metrics: Metrics<Sources>;
  readonly sources: Sources;
  readonly health: (sources: Sources) => HealthReport;
}

export function addAdmin(command: Command): Command {
  return command
    .option("--admin <address>", "serve /healthz and /metrics: port, or address:port", listenAddress)
    .addOption(
      new Option("--admin-host <name>", "a host name that requests to --admin may use")
        .argParser((name: string, all: readonly string[]) => [...all, name.toLowerCase()])
        .default([], "none"),
    );
}

/** Returns the service together with its admin server, or only the service without --admin. */
export function withAdmin<Sources>(
  service: Service,
  { admin: listenAddress, adminHost: hosts }: AdminOptions,
  log: Logger,
  { metrics, sources, health }: Reports<Sources>,
): Service {
  if (listenAddress === undefined) return service;
  const exposition = makeExposition(metrics, sources);
  const admin = new AdminServer({ listenAddress, hosts, log, exposition, health: () => health(sources) });
  return {
    async start() {
      await service.start();
      await admin.start();
    },
    async stop() {
      await admin.stop();
      await service.stop();
    },
  };
}
