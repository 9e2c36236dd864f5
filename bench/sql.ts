/**
 * Measures SQL with --sql, directly and through the cache of dbsync-proxy, and compares the results with recorded
 * figures of the originals, which do not run here. With its usual client, the original waits 44 ms until the client's
 * system acknowledges each answer. A second column therefore shows its figures with a client whose system acknowledges
 * immediately.
 */
import { startProgram } from "../test/support/daemon-process.js";
import { programPaths } from "../test/support/programs.js";
import { SqlLineClient } from "../test/support/sql-line-client.js";
import { openText, type TextClient } from "./clients.js";
import { alternate, measureClients, median } from "./measure.js";
import { inEnglish, isSmoke, met, ofClients, report, table } from "./report.js";
import { startFace } from "./servers.js";

const ROUNDS = isSmoke ? 1 : 3;
const SECONDS = isSmoke ? 0.2 : 2;
const SIZES = isSmoke ? [100, 1_000] : [1_000, 10_000, 1_000_000];
const CACHED_ROWS = 1_000;
const JOINED = isSmoke ? 500 : 10_000;
const LOADED_TOGETHER = 1_000;
/** The number of statements that a client sends before it waits for the answers. */
const TOGETHER = 16;
const READ_GOAL = 20_000;
const INSERT_GOAL = 10_000;
const HIT_GOAL = 80_000;
const JOIN_GOAL_MS = 100;

interface Case {
  readonly name: string;
  readonly clients: number;
  readonly together?: number;
  /**
   * The original's statements per second. Direct cases have two: that of its usual client, and of one that acknowledges
   * immediately.
   */
  readonly recorded: readonly string[];
  readonly goal?: number;
  readonly statement: (turn: number) => string;
}

let added = 0;
const insert = {
  name: "insert",
  statement: () => `insert into added values (${added++},'a text',${added % 97})`,
};
const readOf = (size: number) => ({
  name: `read by key, of ${size}`,
  statement: (turn: number) => `select * from t${size} where k = ${(turn * 7919) % size}`,
});
const [few = 0, more = 0] = SIZES;
const pipelined = { clients: 10, together: TOGETHER, recorded: ["–", "–"] } as const;

const DIRECT: readonly Case[] = [
  { ...readOf(few), clients: 1, recorded: ["22.5", "1,701"] },
  { ...readOf(few), clients: 10, recorded: ["225", "–"] },
  { ...readOf(more), clients: 10, recorded: ["211", "–"], goal: READ_GOAL },
  ...SIZES.map((size): Case => ({ ...readOf(size), ...pipelined, goal: READ_GOAL })),
  { ...insert, clients: 1, recorded: ["19.9", "–"] },
  { ...insert, clients: 10, recorded: ["201, half refused", "–"] },
  { ...insert, ...pipelined, goal: INSERT_GOAL },
  {
    name: `update by key, of ${few}`,
    clients: 1,
    recorded: ["20.9", "569"],
    statement: (turn) => `update t${few} set v = ${turn % 97} where k = ${turn % few}`,
  },
  {
    name: `all of ${few} rows`,
    clients: 1,
    recorded: ["22.7", "–"],
    statement: () => `select * from t${few}`,
  },
];

const hit = { name: "hit", statement: (turn: number) => `select * from c where k = ${turn % 100}` };
const CACHED: readonly Case[] = [
  { ...hit, clients: 1, recorded: ["19,586 to 47,874"] },
  { ...hit, clients: 10, recorded: ["57,206 to 80,364"], goal: HIT_GOAL },
  { ...hit, clients: 10, together: TOGETHER, recorded: ["–"], goal: HIT_GOAL },
  {
    name: "miss",
    clients: 10,
    recorded: ["225"],
    statement: (turn) => `select * from c where k = ${turn % CACHED_ROWS} limit 0 ${1_000_000 + turn}`,
  },
  { name: `hit of ${CACHED_ROWS} rows`, clients: 1, recorded: ["22"], statement: () => "select * from c" },
];

async function openSql(port: number): Promise<TextClient> {
  const client = await openText(port, "\nEND\n", (answer) => answer.includes("Hadisoana : "));
  await client.ask(["use d;"]);
  return client;
}

/** Creates a table, and fills it. @param row  returns the values of the row with a number */
async function makeTable(
  client: TextClient,
  name: string,
  columns: string,
  count: number,
  row: (k: number) => string,
): Promise<void> {
  await client.ask([`create table ${name} (${columns});`]);
  for (let from = 0; from < count; from += LOADED_TOGETHER) {
    const rows = Array.from({ length: Math.min(LOADED_TOGETHER, count - from) }, (_, i) => row(from + i));
    await client.ask([`insert into ${name} values ${rows.join(",")};`]);
  }
}

/** Creates the database and the tables of all cases. */
async function makeTables(port: number): Promise<void> {
  using administrator = await SqlLineClient.open(port);
  await administrator.ask("create database d");
  using client = await openSql(port);
  const columns = "k number primary key, x text, v number";
  for (const size of SIZES)
    await makeTable(client, `t${size}`, columns, size, (k) => `(${k},'text ${k}',${k % 97})`);
  await makeTable(client, "added", columns, 0, String);
  for (const name of ["a", "b"])
    await makeTable(client, name, `k number, ${name}x text`, JOINED, (k) => `(${k},'${name}${k}')`);
  await makeTable(client, "c", "k number primary key, x text(1,20)", CACHED_ROWS, (k) => `(${k},'row ${k}')`);
}

/** Measures cases in turn. @returns a row for each */
async function rowsOf(port: number, cases: readonly Case[]): Promise<(string | number)[][]> {
  let turn = 0;
  const rates = await alternate(cases, { rounds: ROUNDS }, async ({ clients, together = 1, statement }) => {
    const statements = () => Array.from({ length: together }, () => `${statement(turn++)};`);
    const load = { callers: clients, seconds: SECONDS };
    const figures = await measureClients(
      () => openSql(port),
      load,
      (client) => client.ask(statements()),
    );
    return figures.perSecond * together;
  });
  return cases.map(({ name, clients, together = 1, recorded, goal }, i) => {
    const perSecond = median(rates[i] ?? []);
    const packets = together === 1 ? "" : `, ${together} statements per packet`;
    const verdict = goal === undefined ? "–" : `≥ ${inEnglish(goal)} (${met(perSecond >= goal)})`;
    return [`${ofClients(name, clients)}${packets}`, ...recorded, Math.round(perSecond), verdict];
  });
}

async function joinTime(port: number): Promise<number> {
  using client = await openSql(port);
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const before = performance.now();
    await client.ask(["select count(*) from a join b on a.k = b.k;"]);
    times.push(performance.now() - before);
  }
  return median(times);
}

await using daemon = await startFace("sql");
await makeTables(daemon.face.port);
const rows = await rowsOf(daemon.face.port, DIRECT);
const join = await joinTime(daemon.face.port);
report(
  "sql",
  "SQL",
  `Statements per second with \`--sql\`, in memory. The figures of the original were recorded on another machine; those in the second column, with a client that acknowledges each
answer immediately. The clients and the daemon share the cores.

${table(["statement", "original", "acknowledged immediately", "here", "goal"], rows)}

Counting a join of two tables with ${inEnglish(JOINED)} rows each, by equal columns: ${join.toFixed(0)} ms (≤ ${JOIN_GOAL_MS}: ${met(join <= JOIN_GOAL_MS)}).`,
);

const upstream = ["--upstream", `127.0.0.1:${daemon.face.port}`, "--life", "600000"];
const logging = ["--log-level", "info", "--log-format", "json"];
const proxy = [programPaths["dbsync-proxy"], "cache", ...upstream, "--listen", "0", ...logging];
await using cache = await startProgram(proxy);
const cachedRows = await rowsOf(cache.port, CACHED);
report(
  "proxy",
  "The SQL cache of dbsync-proxy",
  `Statements per second through \`dbsync-proxy cache\`. The figures of the original were recorded on another machine.

${table(["statement", "original", "here", "goal"], cachedRows)}`,
);
