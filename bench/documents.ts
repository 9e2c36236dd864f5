/**
 * Measures documents with --json, and compares the results with recorded figures of the original, which does not run
 * here. redis-server, with one hash per entry, is measured in the same run. `--smoke` takes seconds and uses small
 * documents.
 */
import { execFile } from "node:child_process";
import { loadavg } from "node:os";
import { promisify } from "node:util";
import { knowsSecret } from "../test/support/cluster-secret.js";
import { freePort } from "../test/support/free-port.js";
import { programPaths } from "../test/support/programs.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { until } from "../test/support/until.js";
import { makeKeys } from "./daemon-cpu.js";
import {
  DOCUMENT,
  entryOf,
  fillDocument,
  JsonClient,
  loadJson,
  loadRedis,
  queryOf,
  whereOf,
} from "./document-clients.js";
import type { Figures } from "./measure.js";
import { probeOf, startProbed } from "./probed-daemon.js";
import { startDaemon, startEcho } from "./processes.js";
import { machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const ROUNDS = smoke ? 1 : 3;
const SECONDS = smoke ? 0.2 : 2;
const SMALL = smoke ? 1_000 : 10_000;
const MIDDLE = smoke ? 2_000 : 100_000;
const LARGE = smoke ? 5_000 : 1_000_000;
const CLIENTS = [1, 10] as const;
/** The required multiple of the original's rate, by the number of clients. */
const FACTORS: Readonly<Record<number, number>> = { 1: 10, 10: 5 };
const INDEX_GOAL = 2;
const IMPORT_SECONDS = 30;
const ENTRY_BYTES = 1024;

interface Case {
  readonly name: string;
  /** The original's requests per second and p50 in ms, by the number of clients. */
  readonly recorded: Readonly<Record<number, readonly [perSecond: number, p50: number]>>;
  readonly request: (turn: number) => unknown;
  /** The equivalent Redis command. */
  readonly command?: (turn: number) => readonly string[];
}

const fieldsOf = (turn: number) => Object.entries(entryOf(turn, SMALL)).flatMap(([k, v]) => [k, String(v)]);
const hash = (turn: number) => `${DOCUMENT}:${turn % SMALL}`;
const insert = (document: string) => (turn: number) => ({
  action: "insert",
  document,
  data: [entryOf(turn, SMALL)],
});
const update = (document: string) => (turn: number) => ({
  action: "update",
  document,
  id: 0,
  data: { age: turn % 90 },
});

const ALONE: readonly Case[] = [
  {
    name: "insert",
    recorded: { 1: [899, 1.09], 10: [8139, 1.18] },
    request: insert("added"),
    command: (turn) => ["HSET", `added:${turn}`, ...fieldsOf(turn)],
  },
  {
    name: `get by id, of ${SMALL.toLocaleString("en")}`,
    recorded: { 1: [869, 1.11], 10: [8083, 1.14] },
    request: (turn) => ({ action: "get", document: DOCUMENT, id: turn % SMALL }),
    command: (turn) => ["HGETALL", hash(turn)],
  },
  {
    name: "update",
    recorded: { 1: [903, 1.09], 10: [8568, 1.15] },
    request: update(DOCUMENT),
    command: (turn) => ["HSET", hash(0), "age", String(turn % 90)],
  },
  {
    name: `query, 10 of ${SMALL.toLocaleString("en")}`,
    recorded: { 1: [656, 1.35], 10: [2333, 3.7] },
    request: (turn) => queryOf(DOCUMENT, turn, SMALL),
  },
  {
    name: `query, 10 of ${MIDDLE.toLocaleString("en")}`,
    recorded: { 1: [94, 10.2] },
    request: (turn) => queryOf("many", turn, MIDDLE),
  },
];

const REPLICATED: readonly Case[] = [
  {
    name: "insert, one replica",
    recorded: { 1: [564, 2.15], 10: [814, 12.2] },
    request: insert("added"),
  },
  {
    name: "update, one replica",
    recorded: { 1: [495, 2.18], 10: [793, 12.3] },
    request: update(DOCUMENT),
  },
];

const verdict = (isMet: boolean) => (isMet ? "met" : "missed");
/** Returns the round whose rate is the median. */
const middle = (rounds: readonly Figures[]): Figures =>
  [...rounds].sort((one, other) => one.perSecond - other.perSecond)[Math.floor(rounds.length / 2)] as Figures;
const milliseconds = ({ p50 }: Figures) => (p50 / 1000).toFixed(2);

async function measureCase(
  one: Case,
  port: number,
  redisPort: number | null,
): Promise<(string | number)[][]> {
  const rows = [];
  for (const callers of CLIENTS) {
    const recorded = one.recorded[callers];
    if (recorded === undefined) continue;
    const amount = { callers, seconds: SECONDS };
    const rounds: Figures[] = [];
    const redisRounds: Figures[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      rounds.push(await loadJson(port, amount, one.request));
      if (redisPort !== null && one.command !== undefined)
        redisRounds.push(await loadRedis(redisPort, amount, one.command));
    }
    const ours = middle(rounds);
    const redis = redisRounds.length === 0 ? null : middle(redisRounds);
    const times = ours.perSecond / recorded[0];
    const factor = FACTORS[callers] as number;
    rows.push([
      `${one.name}, ${callers} client${callers === 1 ? "" : "s"}`,
      ...[String(recorded[0]), recorded[1].toFixed(2), ours.perSecond, milliseconds(ours), times.toFixed(1)],
      `≥ ${factor} (${verdict(times >= factor)})`,
      ...(redis === null
        ? ["–", "–", "–"]
        : [redis.perSecond, milliseconds(redis), (ours.perSecond / redis.perSecond).toFixed(2)]),
    ]);
  }
  return rows;
}

async function fillRedis(port: number): Promise<void> {
  using connection = await RedisConnection.open(port);
  for (let turn = 0; turn < SMALL; turn++) connection.queue(["HSET", hash(turn), ...fieldsOf(turn)]);
  await connection.flush();
}

async function alone(): Promise<(string | number)[][]> {
  const port = await freePort();
  await using _ = await startDaemon(["--json", String(port)]);
  await using redis = await startRedis();
  await fillDocument(port, DOCUMENT, SMALL);
  await fillDocument(port, "many", MIDDLE);
  await fillDocument(port, "added", 0);
  await fillRedis(redis.port);
  const rows = [];
  for (const one of ALONE) rows.push(...(await measureCase(one, port, redis.port)));
  return rows;
}

async function replicated(): Promise<(string | number)[][]> {
  const [port, own, other] = [await freePort(), await freePort(), await freePort()];
  const start = (at: number, peer: number, json: number) => {
    const member = ["-p", String(at), "--peer", `127.0.0.1:${peer}`, ...knowsSecret];
    return startDaemon([...member, "--json", String(json)]);
  };
  await using _daemon = await start(own, other, port);
  await using _peer = await start(other, own, 0);
  // The daemons reject writes until they have found each other.
  await until("the daemon accepts writes", () => fillDocument(port, DOCUMENT, 1).then(() => true), {
    mayFail: true,
  });
  await fillDocument(port, "added", 0);
  const rows = [];
  for (const one of REPLICATED) rows.push(...(await measureCase(one, port, null)));
  return rows;
}

/** Two equivalent queries. */
const QUERIES = [
  { name: "`query`, as in the original", request: queryOf },
  { name: "`where`", request: whereOf },
] as const;

async function makeIndex(port: number, document: string, count: number): Promise<void> {
  using client = await JsonClient.open(port);
  await client.request({ action: "createindex", document, field: "group" });
  // The daemon builds the index when it receives the first query.
  await client.request(queryOf(document, 0, count));
}

async function indexed(port: number): Promise<string> {
  await fillDocument(port, "few", SMALL);
  await makeIndex(port, "few", SMALL);
  await makeIndex(port, DOCUMENT, LARGE);
  const rows = [];
  for (const { name, request } of QUERIES) {
    const load = (document: string, count: number) =>
      loadJson(port, { callers: 1, seconds: SECONDS }, (turn) => request(document, turn, count));
    const small: Figures[] = [];
    const large: Figures[] = [];
    for (let round = 0; round < ROUNDS; round++) {
      small.push(await load("few", SMALL));
      large.push(await load(DOCUMENT, LARGE));
    }
    const [few, many] = [middle(small), middle(large)];
    const times = few.perSecond / many.perSecond;
    rows.push([
      name,
      ...[few.perSecond, milliseconds(few), many.perSecond, milliseconds(many), times.toFixed(2)],
      `≤ ${INDEX_GOAL} (${verdict(times <= INDEX_GOAL)})`,
    ]);
  }
  const [few, many] = [SMALL, LARGE].map((count) => `of ${count.toLocaleString("en")}`);
  return table(
    [
      "10 hits by an index, 1 client",
      `${few}, a second`,
      "p50 ms",
      `${many}, a second`,
      "p50 ms",
      "times",
      "goal",
    ],
    rows,
  );
}

/** Returns the rates that the clients reach with a Node server that does nothing but answer. */
async function ceiling(): Promise<string> {
  await using echo = await startEcho(
    `{"status":"success","data":${JSON.stringify({ 1: entryOf(1, SMALL) })}}\n\r`,
  );
  const request = ALONE[1]?.request as Case["request"];
  const texts: string[] = [];
  for (const callers of CLIENTS) {
    const rounds: Figures[] = [];
    for (let round = 0; round < ROUNDS; round++)
      rounds.push(await loadJson(echo.port, { callers, seconds: SECONDS }, request));
    const { perSecond, p50 } = middle(rounds);
    texts.push(`${perSecond.toFixed(0)} with ${callers} (p50 ${(p50 / 1000).toFixed(2)} ms)`);
  }
  return texts.join(", ");
}

/** The number of milliseconds after which an import counts as failed. */
const LIMIT_MS = 300_000;

interface Imported {
  readonly seconds: number;
  /** Bytes per entry: of live objects, and of the process after a garbage collection. */
  readonly used: number;
  readonly resident: number;
}

/** Imports entries and measures the memory that they use. @param port  the port of the JSON listener */
async function measureImport(port: number, count: number): Promise<Imported> {
  const { keys, publicFolder } = makeKeys(1);
  await using target = await startProbed(["-s", publicFolder]);
  const before = await probeOf(target);
  const start = performance.now();
  await promisify(execFile)(
    process.execPath,
    [
      programPaths.dbsync,
      ...["import", `json://127.0.0.1:${port}`],
      ...["-s", `127.0.0.1:${target.port}`, "-k", keys[0]?.privateFile ?? ""],
    ],
    { timeout: LIMIT_MS },
  );
  const seconds = (performance.now() - start) / 1000;
  const after = await probeOf(target);
  return {
    seconds,
    used: (after.used - before.used) / count,
    resident: (after.resident - before.resident) / count,
  };
}

function importText({ seconds, used, resident }: Imported): string {
  return table(
    [`\`dbsync import\` of ${LARGE.toLocaleString("en")} entries`, "measured", "goal"],
    [
      ["seconds", seconds, `≤ ${IMPORT_SECONDS} (${verdict(seconds <= IMPORT_SECONDS)})`],
      ["bytes per entry, live objects", used, `≤ ${ENTRY_BYTES} (${verdict(used <= ENTRY_BYTES)})`],
      ["bytes per entry, resident", resident, `≤ ${ENTRY_BYTES} (${verdict(resident <= ENTRY_BYTES)})`],
    ],
  );
}

const HEAD = [
  ...["", "original, recorded", "p50 ms", "ours", "p50 ms", "ours ÷ original", "goal"],
  ...["redis, one hash per entry", "p50 ms", "ours ÷ redis"],
];

async function main(): Promise<void> {
  const waiting = (loadavg()[0] as number).toFixed(1);
  const ceilingRates = await ceiling();
  const rows = [...(await alone()), ...(await replicated())];
  const port = await freePort();
  await using _ = await startDaemon(["--json", String(port)]);
  await fillDocument(port, DOCUMENT, LARGE);
  const imported = await measureImport(port, LARGE);
  const withIndex = await indexed(port);
  report(
    "documents",
    `## Documents

${machine()} \`node dist/bench/documents.js\`. Requests per second through \`--json\`, with clients that wait for each answer. Entries have 4 members.
Medians of ${ROUNDS} rounds of ${SECONDS} s, with the clients on the same cores. The figures of the original were recorded in an earlier run, on 2 shared cores with PHP 8.2,
so only large ratios are reliable. redis-server was measured in this run, in turn (HSET and HGETALL of one hash per entry;
it has no queries). The replica is a second daemon connected with \`--peer\`; both are in memory, like the original. A Node socket loop that only
answers these clients reaches ${ceilingRates}. The load average before the run was ${waiting}. If it
is above 1, other programs used the cores: rates and verdicts are then too low, and p50 is less affected.

${table(HEAD, rows)}

${importText(imported)}

${withIndex}`,
    smoke,
  );
}

await main();
