/** `dbsync-proxy status`: what a balancer or a cache with --admin says of itself and its servers, for people or as JSON. */
import type { Command } from "commander";
import { StartError } from "../net/process/start-error.js";
import { formatTable } from "../net/terminal/table.js";
import type { BalancerHealth } from "./admin/balancer-health.js";
import type { CacheHealth } from "./admin/cache-health.js";

const ANSWER_MS = 5_000;
const FIELDS = [
  "server",
  "place",
  "role",
  "state",
  "connections",
  "answered",
  "unreached",
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
  "emptied",
  "reason",
];

type Told = (BalancerHealth | CacheHealth) & { readonly status: string };

export function addStatus(program: Command): void {
  program
    .command("status")
    .summary("what a balancer, or a cache, says of its servers")
    .argument("<place>", "where its --admin listens: port, or address:port")
    .option("--json", "as /healthz has it, on one line")
    .addHelpText("after", "\nEnds with 1 if nothing answers, or no server can be read from or written to.")
    .action(status);
}

async function status(place: string, { json = false }: { readonly json?: boolean }): Promise<void> {
  const told = await ask(/^\d+$/.test(place) ? `127.0.0.1:${place}` : place);
  process.stdout.write(json ? `${JSON.stringify(told)}\n` : shown(told));
  if (told.status !== "ok") process.exitCode = 1;
}

/** @throws StartError  there is no answer, or it is not a proxy's */
async function ask(place: string): Promise<Told> {
  try {
    const response = await fetch(`http://${place}/healthz`, { signal: AbortSignal.timeout(ANSWER_MS) });
    const told = (await response.json()) as Told;
    if ("servers" in told || "cache" in told) return told;
  } catch (problem) {
    const { cause, message } = problem as Error;
    throw new StartError(`${place}: ${cause instanceof Error ? cause.message : message}`, 1);
  }
  throw new StartError(`${place}: what answers there is no proxy`, 1);
}

function shown(told: Told): string {
  const { status, version, clients } = told;
  const head = `dbsync-proxy ${version}: ${status}, clients: ${clients}`;
  const rows = "servers" in told ? serverRows(told) : cacheRows(told);
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
