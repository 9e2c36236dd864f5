/** Prints the health report of a balancer or cache that runs with --admin, as text or JSON. */
import type { Command } from "commander";
import { StartError } from "../../daemon/net/process/service.js";
import { formatTable } from "../../daemon/net/terminal/text-table.js";
import { withEscapesOfJson } from "../../protocol/control-characters.js";
import type { BalancerHealth } from "./admin/balancer-report.js";
import type { CacheHealth } from "./admin/cache-report.js";

const ANSWER_MS = 5_000;
const FIELDS = [
  "server",
  "address",
  "role",
  "state",
  "connections",
  "answered",
  "not sent",
  "unknown",
  "reason",
];

const CACHE_FIELDS = [
  "server",
  "state",
  "hits",
  "misses",
  "waiting",
  "entries",
  "bytes",
  "invalidated",
  "reason",
];

type Report = (BalancerHealth | CacheHealth) & { readonly status: string };

export function addStatus(program: Command): void {
  program
    .command("status")
    .description("show the state of a balancer or a cache and of its servers")
    .summary("show the state of a balancer or a cache and its servers")
    .argument("<address>", "address of its --admin: port, or address:port")
    .option("--json", "print the JSON of /healthz on one line")
    .addHelpText(
      "after",
      "\nExits with 1 if there is no answer, or if no server is available for reads or for writes.",
    )
    .action(status);
}

async function status(adminAddress: string, { json = false }: { readonly json?: boolean }): Promise<void> {
  const report = await requestReport(/^\d+$/.test(adminAddress) ? `127.0.0.1:${adminAddress}` : adminAddress);
  process.stdout.write(json ? `${withEscapesOfJson(JSON.stringify(report))}\n` : reportText(report));
  if (report.status !== "ok") process.exitCode = 1;
}

/** Requests the report. @throws StartError  no dbsync-proxy answers at this address */
async function requestReport(adminAddress: string): Promise<Report> {
  try {
    const response = await fetch(`http://${adminAddress}/healthz`, {
      signal: AbortSignal.timeout(ANSWER_MS),
    });
    const report = (await response.json()) as Report;
    if ("servers" in report || "cache" in report) return report;
  } catch (problem) {
    const { cause, message } = problem as Error;
    throw new StartError(`${adminAddress}: ${cause instanceof Error ? cause.message : message}`, 1);
  }
  throw new StartError(`${adminAddress}: no dbsync-proxy answers at this address`, 1);
}

function reportText(report: Report): string {
  const { status, version, clients } = report;
  const head = `dbsync-proxy ${version}: ${status}, clients: ${clients}`;
  const rows = "servers" in report ? serverRows(report) : cacheRows(report);
  return `${head}\n\n${formatTable(rows.map((row) => row.map(String)))}`;
}

type Rows = readonly (readonly (string | number)[])[];

function cacheRows({ cache }: CacheHealth): Rows {
  const { server, up, hits, misses, waiting, entries, bytes, emptied, reason = "" } = cache;
  return [CACHE_FIELDS, [server, up ? "up" : "down", hits, misses, waiting, entries, bytes, emptied, reason]];
}

function serverRows({ servers }: BalancerHealth): Rows {
  const rows = servers.map(({ id, up, reason = "", ...server }) => [
    ...[id, server.place, server.role.toLowerCase(), up ? "up" : "down", server.connections],
    ...[server.answered, server.unreached, server.unknown, reason],
  ]);
  return [FIELDS, ...rows];
}
