/**
 * The options that the proxy's subcommands share: parsers of values, and `--admin`, which adds the server that reports
 * on a service.
 */
import { type Command, InvalidArgumentError, Option } from "commander";
import type { Logger } from "pino";
import { type ListenAddress, parseHostAndPort } from "../../daemon/net/process/host-and-port.js";
import type { MetricTable } from "../../daemon/net/process/metric-rows.js";
import type { Service } from "../../daemon/net/process/service.js";
import { AdminServer, type HealthReport } from "../admin/http/admin-server.js";
import { makeExposition } from "../admin/http/exposition.js";

export interface AdminOptions {
  readonly admin?: ListenAddress;
  readonly adminHost: readonly string[];
}

/** The reports on a service. */
export interface Reports<Sources> {
  readonly metrics: MetricTable<Sources>;
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

/** Returns a parser of integers in a range, for commander. */
export function number(min: number, max: number): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (/^\d+$/.test(text) && value >= min && value <= max) return value;
    throw new InvalidArgumentError(`Expected a whole number from ${min} to ${max}.`);
  };
}

/** Parses an address to listen on, such as `3949`, `0.0.0.0:3949` or `[::]:3949`. */
export function listenAddress(text: string): ListenAddress {
  try {
    return parseHostAndPort(text);
  } catch (problem) {
    throw new InvalidArgumentError((problem as Error).message);
  }
}
