/**
 * Requests for much at once, in units that do not depend on the machine: what `JSON.stringify(JSON.parse(text))` of the same text takes here,
 * in the same run. CPU time of the daemon, all threads, which other people's work does not lengthen; and the time that the client sees.
 */
import { mkdtempSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "../test/support/free-port.js";
import { JsonClient } from "./document-clients.js";
import { median } from "./measure.js";
import { startTimed, turnsOf } from "./probed-daemon.js";
import type { Server } from "./processes.js";
import { table } from "./report.js";

const ENTRIES = 10_000;
const INSERTED = 500;
const TIMES = 15;
const BATCH = 1000;

interface Entry {
  readonly name: string;
  readonly email: string;
  readonly age: number;
  readonly side: number;
}

const entryOf = (place: number): Entry => ({
  name: `Person ${place}`,
  email: `person${place}@example.org`,
  age: place % 90,
  side: place % 2,
});
const entries = (count: number) => Array.from({ length: count }, (_, place) => entryOf(place));
const DOCUMENT = "people";

interface Row {
  readonly name: string;
  /** Whose parsing and writing is the unit. */
  readonly text: string;
  readonly request: unknown;
  /** Of the original, on a quiet machine, in wall time at the client. */
  readonly recorded: number;
  readonly goal: number;
}

const whole = JSON.stringify(entries(ENTRIES));
const added = JSON.stringify(entries(INSERTED));
const READS: readonly Row[] = [
  { name: "whole document", text: whole, recorded: 0.63, goal: 0.4, request: { action: "get" } },
  {
    name: "get, a query that hits half",
    text: whole,
    recorded: 0.59,
    goal: 0.5,
    request: { action: "get", query: { side: 1 } },
  },
  {
    name: "count of the same",
    text: whole,
    recorded: 0.33,
    goal: 0.3,
    request: { action: "count", query: { side: 1 } },
  },
];
const INSERT: Row = {
  name: `insert of ${INSERTED}`,
  text: added,
  recorded: 7.2,
  goal: 5,
  request: { action: "insert", data: entries(INSERTED) },
};

/** CPU milliseconds of parsing and writing a text: the median. */
function unitOf(text: string, warm: number): number {
  const times: number[] = [];
  for (let turn = 0; turn < warm + TIMES; turn++) {
    const before = process.cpuUsage();
    JSON.stringify(JSON.parse(text));
    const { user, system } = process.cpuUsage(before);
    if (turn >= warm) times.push((user + system) / 1000);
  }
  return median(times);
}

interface Measured {
  readonly server: Server;
  readonly client: JsonClient;
  readonly warm: number;
}

interface Spent {
  readonly cpu: number;
  readonly wall: number;
}

/** Milliseconds of the daemon's CPU and of the client's clock: medians. */
async function spentOn({ server, client, warm }: Measured, request: unknown): Promise<Spent> {
  for (let turn = 0; turn < warm; turn++) await client.ask(request);
  const [cpu, wall]: [number[], number[]] = [[], []];
  for (let turn = 0; turn < TIMES; turn++) {
    const { cpu: before } = await turnsOf(server);
    const start = performance.now();
    await client.ask(request);
    wall.push(performance.now() - start);
    cpu.push((await turnsOf(server)).cpu - before);
  }
  return { cpu: median(cpu), wall: median(wall) };
}

async function filled(port: number, document: string, count: number): Promise<JsonClient> {
  const client = await JsonClient.open(port);
  await client.ask({ action: "create", document });
  for (let from = 0; from < count; from += BATCH) {
    const data = Array.from({ length: BATCH }, (_, at) => entryOf(from + at));
    await client.ask({ action: "insert", document, data });
  }
  return client;
}

async function rowOf(measured: Measured, row: Row): Promise<string[]> {
  const unit = unitOf(row.text, measured.warm);
  // What asking for the figures costs.
  const idle = await spentOn(measured, { action: "count", document: DOCUMENT });
  const { cpu, wall } = await spentOn(measured, { ...(row.request as object), document: DOCUMENT });
  const times = (cpu - idle.cpu) / unit;
  return [
    row.name,
    unit.toFixed(2),
    times.toFixed(2),
    (wall / unit).toFixed(2),
    row.recorded.toFixed(2),
    `≤ ${row.goal} (${times <= row.goal ? "met" : "missed"})`,
  ];
}

/** @param args  how the daemon keeps what is written */
async function insertRow(args: readonly string[], how: string, warm: number): Promise<string[]> {
  const port = await freePort();
  await using server = await startTimed(["--json", String(port), ...args]);
  using client = await filled(port, DOCUMENT, 0);
  return await rowOf({ server, client, warm }, { ...INSERT, name: `${INSERT.name}${how}` });
}

/** @param warm  requests before those that are measured: the engine compiles what is asked for often */
export async function documentUnits(warm: number): Promise<string> {
  const data = mkdtempSync(join(tmpdir(), "dbsync-bench-"));
  const port = await freePort();
  await using server = await startTimed(["--json", String(port)]);
  using client = await filled(port, DOCUMENT, ENTRIES);
  const rows: string[][] = [];
  for (const row of READS) rows.push(await rowOf({ server, client, warm }, row));
  rows.push(await insertRow([], ", in memory", warm));
  rows.push(await insertRow(["--data", data, "--fsync", "always"], ", `--data`, each synced", warm));
  return table(
    [
      `${ENTRIES.toLocaleString("en")} entries, medians of ${TIMES}`,
      ...[
        "unit, CPU ms",
        "units, CPU of the daemon",
        "units, the client's clock",
        "the original's, recorded",
        "goal",
      ],
    ],
    rows,
  );
}
