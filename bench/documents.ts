/**
 * Measures documents with --json, and compares the results with recorded figures of the original, which does not run
 * here. redis-server, with one hash per entry, is measured in the same run.
 */
import { RedisConnection } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { askJson, fillDocument, openJson } from "./json-client.js";
import { alternate, type Figures, measureClients, medians } from "./measure.js";
import { inEnglish, isSmoke, met, ofClients, report, table } from "./report.js";
import { startEcho, startFace } from "./servers.js";
import { fill } from "./usage.js";

const ROUNDS = isSmoke ? 1 : 3;
const SECONDS = isSmoke ? 0.2 : 2;
const SMALL = isSmoke ? 1_000 : 10_000;
const MIDDLE = isSmoke ? 2_000 : 100_000;
const LARGE = isSmoke ? 5_000 : 1_000_000;
const CLIENTS = [1, 10] as const;
/** The required multiple of the original's rate, by the number of clients. */
const FACTORS: Readonly<Record<number, number>> = { 1: 10, 10: 5 };
const INDEX_GOAL = 2;
const DOCUMENT = "people";
/** The number of entries of each group. */
const GROUP_SIZE = 10;

/** Returns a function that makes the entries of a document with this number of entries. */
const entriesOf = (count: number) => (index: number) => ({
  name: `Person ${index}`,
  email: `person${index}@example.org`,
  age: index % 90,
  group: index % Math.ceil(count / GROUP_SIZE),
});
const entryOf = entriesOf(SMALL);

/** Returns a query for one group, a different group for each `turn`. */
function queryOf(document: string, turn: number, count: number, member = "query"): unknown {
  const group = (turn * 7919) % Math.ceil(count / GROUP_SIZE);
  return { action: "get", document, [member]: { group } };
}

/** Measures clients of the JSON listener. @param request  returns the request with a number */
function loadJson(port: number, callers: number, request: (turn: number) => unknown): Promise<Figures> {
  let turn = 0;
  const open = () => openJson(port);
  return measureClients(open, { callers, seconds: SECONDS }, (client) => askJson(client, request(turn++)));
}

function loadRedis(port: number, callers: number, command: (turn: number) => readonly string[]) {
  let turn = 0;
  const open = () => RedisConnection.open(port);
  return measureClients(open, { callers, seconds: SECONDS }, (client) => client.call(...command(turn++)));
}

interface Case {
  readonly name: string;
  /** The original's requests per second and p50 in ms, by the number of clients. */
  readonly recorded: Readonly<Record<number, readonly [perSecond: number, p50: number]>>;
  readonly request: (turn: number) => unknown;
  /** The equivalent Redis command. */
  readonly command?: (turn: number) => readonly string[];
}

const fieldsOf = (turn: number) => Object.entries(entryOf(turn)).flatMap(([k, v]) => [k, String(v)]);
const hash = (turn: number) => `${DOCUMENT}:${turn % SMALL}`;

const ALONE: readonly Case[] = [
  {
    name: "insert",
    recorded: { 1: [899, 1.09], 10: [8139, 1.18] },
    request: (turn) => ({ action: "insert", document: "added", data: [entryOf(turn)] }),
    command: (turn) => ["HSET", `added:${turn}`, ...fieldsOf(turn)],
  },
  {
    name: `get by id, of ${inEnglish(SMALL)}`,
    recorded: { 1: [869, 1.11], 10: [8083, 1.14] },
    request: (turn) => ({ action: "get", document: DOCUMENT, id: turn % SMALL }),
    command: (turn) => ["HGETALL", hash(turn)],
  },
  {
    name: "update",
    recorded: { 1: [903, 1.09], 10: [8568, 1.15] },
    request: (turn) => ({ action: "update", document: DOCUMENT, id: 0, data: { age: turn % 90 } }),
    command: (turn) => ["HSET", hash(0), "age", String(turn % 90)],
  },
  {
    name: `query, 10 of ${inEnglish(SMALL)}`,
    recorded: { 1: [656, 1.35], 10: [2333, 3.7] },
    request: (turn) => queryOf(DOCUMENT, turn, SMALL),
  },
  {
    name: `query, 10 of ${inEnglish(MIDDLE)}`,
    recorded: { 1: [94, 10.2] },
    request: (turn) => queryOf("many", turn, MIDDLE),
  },
];

const milliseconds = ({ p50 }: Figures) => (p50 / 1000).toFixed(2);

async function measureCase(
  { name, recorded, request, command }: Case,
  port: number,
  redisPort: number,
): Promise<(string | number)[][]> {
  const rows = [];
  for (const callers of CLIENTS) {
    const [rate, p50] = recorded[callers] ?? [];
    if (rate === undefined || p50 === undefined) continue;
    const loads = [() => loadJson(port, callers, request)];
    if (command !== undefined) loads.push(() => loadRedis(redisPort, callers, command));
    const figures = (await alternate(loads, { rounds: ROUNDS }, (load) => load())).map(medians);
    const [ours, redis] = figures as [Figures, Figures?];
    const times = ours.perSecond / rate;
    const factor = FACTORS[callers] as number;
    rows.push([
      ofClients(name, callers),
      ...[String(rate), p50.toFixed(2), ours.perSecond, milliseconds(ours), times.toFixed(1)],
      `≥ ${factor} (${met(times >= factor)})`,
      ...(redis === undefined
        ? ["–", "–", "–"]
        : [redis.perSecond, milliseconds(redis), (ours.perSecond / redis.perSecond).toFixed(2)]),
    ]);
  }
  return rows;
}

async function alone(): Promise<(string | number)[][]> {
  await using daemon = await startFace("json");
  await using redis = await startRedis();
  using connection = await RedisConnection.open(redis.port);
  await fillDocument(daemon.face.port, DOCUMENT, SMALL, entryOf);
  await fillDocument(daemon.face.port, "many", MIDDLE, entriesOf(MIDDLE));
  await fillDocument(daemon.face.port, "added", 0, entryOf);
  await fill(connection, (turn) => ["HSET", hash(turn), ...fieldsOf(turn)], SMALL);
  const rows = [];
  for (const one of ALONE) rows.push(...(await measureCase(one, daemon.face.port, redis.port)));
  return rows;
}

/** Two equivalent queries, by the member of the request. */
const QUERIES = { query: "`query`, as in the original", where: "`where`" } as const;

async function makeIndex(port: number, document: string, count: number): Promise<void> {
  using client = await openJson(port);
  await askJson(client, { action: "createindex", document, field: "group" });
  // The daemon builds the index when it receives the first query.
  await askJson(client, queryOf(document, 0, count));
}

async function indexed(port: number): Promise<string> {
  await fillDocument(port, "few", SMALL, entryOf);
  await makeIndex(port, "few", SMALL);
  await makeIndex(port, DOCUMENT, LARGE);
  const rows = [];
  for (const [member, name] of Object.entries(QUERIES)) {
    const runs = await alternate([SMALL, LARGE], { rounds: ROUNDS }, (count) => {
      const document = count === SMALL ? "few" : DOCUMENT;
      return loadJson(port, 1, (turn) => queryOf(document, turn, count, member));
    });
    const [few, many] = runs.map(medians) as [Figures, Figures];
    const times = few.perSecond / many.perSecond;
    rows.push([
      name,
      ...[few.perSecond, milliseconds(few), many.perSecond, milliseconds(many), times.toFixed(2)],
      `≤ ${INDEX_GOAL} (${met(times <= INDEX_GOAL)})`,
    ]);
  }
  const [few, many] = [SMALL, LARGE].map((count) => `of ${inEnglish(count)}`);
  const head = ["10 hits by an index, 1 client", `${few}, a second`, "p50 ms", `${many}, a second`];
  return table([...head, "p50 ms", "times", "goal"], rows);
}

/** Returns the rates that the clients reach with a Node server that does nothing but answer. */
async function ceiling(): Promise<string> {
  await using echo = await startEcho(`{"status":"success","data":${JSON.stringify({ 1: entryOf(1) })}}\n\r`);
  const request = ALONE[1]?.request as Case["request"];
  const runs = await alternate(CLIENTS, { rounds: ROUNDS }, (callers) =>
    loadJson(echo.port, callers, request),
  );
  const texts = runs
    .map(medians)
    .map((one, i) => `${one.perSecond.toFixed(0)} with ${CLIENTS[i]} (p50 ${milliseconds(one)} ms)`);
  return texts.join(", ");
}

const HEAD = [
  ...["", "original, recorded", "p50 ms", "ours", "p50 ms", "ours ÷ original", "goal"],
  ...["redis, one hash per entry", "p50 ms", "ours ÷ redis"],
];

const ceilingRates = await ceiling();
const rows = await alone();
await using daemon = await startFace("json");
await fillDocument(daemon.face.port, DOCUMENT, LARGE, entriesOf(LARGE));
const withIndex = await indexed(daemon.face.port);
report(
  "documents",
  "Documents",
  `Requests per second through \`--json\`, with clients that wait for each answer. Entries have 4 members.
Medians of ${ROUNDS} rounds of ${SECONDS} s, with the clients on the same cores. The figures of the original were recorded in an earlier run, on 2 shared cores with PHP 8.2,
so only large ratios are reliable. redis-server was measured in this run, in turn (HSET and HGETALL of one hash per entry;
it has no queries). A Node socket loop that only
answers these clients reaches ${ceilingRates}. If the load average
is above 1, other programs used the cores: rates and verdicts are then too low, and p50 is less affected.

${table(HEAD, rows)}

${withIndex}`,
);
