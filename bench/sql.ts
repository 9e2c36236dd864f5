/**
 * Measures SQL with --sql, and compares the results with recorded figures of the original, which does not run here.
 * With its usual client, the original waits 44 ms until the client's system acknowledges each answer. A second column
 * therefore shows its figures with a client whose system acknowledges immediately. `--smoke` takes seconds and uses
 * small tables.
 */
import { freePort } from "../test/support/free-port.js";
import {
  type Figures,
  inEnglish,
  isSmoke,
  machine,
  measureOver,
  median,
  medians,
  met,
  report,
  table,
} from "./measure.js";
import { startDaemon } from "./processes.js";
import { makeDatabase, SqlClient } from "./sql-client.js";

const ROUNDS = isSmoke ? 1 : 3;
const SECONDS = isSmoke ? 0.2 : 2;
const SIZES = isSmoke ? [100, 1_000] : [1_000, 10_000, 1_000_000];
const JOINED = isSmoke ? 500 : 10_000;
const LOADED_TOGETHER = 1_000;
/** The number of statements that a client sends before it waits for the answers. */
const TOGETHER = 16;
const READ_GOAL = 20_000;
const INSERT_GOAL = 10_000;
const JOIN_GOAL_MS = 100;

interface Case {
  readonly name: string;
  readonly clients: number;
  readonly together: number;
  /** The original's statements per second: with its usual client, and with one that acknowledges immediately. */
  readonly recorded: readonly [string, string];
  readonly goal: number | null;
  readonly statement: (turn: number) => string;
}

const read = (size: number) => (turn: number) => `select * from t${size} where k = ${(turn * 7919) % size}`;
let added = 0;
const insert = () => `insert into added values (${added++},'a text',${added % 97})`;
const [few = 0, more = 0] = SIZES;

const one = { clients: 1, together: 1, goal: null } as const;
const ten = { clients: 10, together: 1, goal: null } as const;
const pipelined = { clients: 10, together: TOGETHER, recorded: ["–", "–"] } as const;

const CASES: readonly Case[] = [
  { ...one, name: `read by key, of ${few}`, recorded: ["22.5", "1,701"], statement: read(few) },
  { ...ten, name: `read by key, of ${few}`, recorded: ["225", "–"], statement: read(few) },
  { ...ten, goal: READ_GOAL, name: `read by key, of ${more}`, recorded: ["211", "–"], statement: read(more) },
  ...SIZES.map(
    (size): Case => ({
      ...pipelined,
      name: `read by key, of ${size}`,
      goal: READ_GOAL,
      statement: read(size),
    }),
  ),
  { ...one, name: "insert", recorded: ["19.9", "–"], statement: insert },
  { ...ten, name: "insert", recorded: ["201, half refused", "–"], statement: insert },
  { ...pipelined, name: "insert", goal: INSERT_GOAL, statement: insert },
  {
    ...one,
    name: `update by key, of ${few}`,
    recorded: ["20.9", "569"],
    statement: (turn) => `update t${few} set v = ${turn % 97} where k = ${turn % few}`,
  },
  {
    ...one,
    name: `all of ${few} rows`,
    recorded: ["22.7", "–"],
    statement: () => `select * from t${few}`,
  },
];

async function fill(client: SqlClient): Promise<void> {
  for (const size of SIZES) {
    await client.execute([`create table t${size} (k number primary key, x text, v number)`]);
    for (let from = 0; from < size; from += LOADED_TOGETHER) {
      const rows = Array.from({ length: Math.min(LOADED_TOGETHER, size - from) }, (_, i) => from + i);
      await client.execute([
        `insert into t${size} values ${rows.map((k) => `(${k},'text ${k}',${k % 97})`).join(",")}`,
      ]);
    }
  }
  await client.execute(["create table added (k number primary key, x text, v number)"]);
  for (const name of ["a", "b"]) {
    await client.execute([`create table ${name} (k number, ${name}x text)`]);
    const rows = Array.from({ length: JOINED }, (_, k) => `(${k},'${name}${k}')`);
    await client.execute([`insert into ${name} values ${rows.join(",")}`]);
  }
}

async function load(port: number, { clients, together, statement }: Case): Promise<Figures> {
  const all = await Promise.all(Array.from({ length: clients }, () => SqlClient.open(port)));
  let turn = 0;
  try {
    return await measureOver(all, SECONDS, (client) =>
      client.execute(Array.from({ length: together }, () => statement(turn++))),
    );
  } finally {
    for (const client of all) client[Symbol.dispose]();
  }
}

async function joinTimes(client: SqlClient): Promise<number> {
  const times: number[] = [];
  for (let round = 0; round < 5; round++) {
    const before = performance.now();
    await client.execute(["select count(*) from a join b on a.k = b.k"]);
    times.push(performance.now() - before);
  }
  return median(times);
}

const port = await freePort();
await using _ = await startDaemon(["--sql", String(port)]);
await makeDatabase(port);
using client = await SqlClient.open(port);
await fill(client);
const rows: (string | number)[][] = [];
for (const each of CASES) {
  const rounds: Figures[] = [];
  for (let round = 0; round < ROUNDS; round++) rounds.push(await load(port, each));
  const perSecond = medians(rounds).perSecond * each.together;
  rows.push([
    `${each.name}, ${each.clients} client${each.clients === 1 ? "" : "s"}${each.together === 1 ? "" : `, ${each.together} statements per packet`}`,
    ...each.recorded,
    Math.round(perSecond),
    each.goal === null ? "–" : `≥ ${inEnglish(each.goal)} (${met(perSecond >= each.goal)})`,
  ]);
}
const join = await joinTimes(client);
const text = `## SQL

Statements per second with \`--sql\`, in memory. The figures of the original were recorded on another machine; those in the second column, with a client that acknowledges each
answer immediately. The client and the daemon share ${machine()}

${table(["statement", "original", "acknowledged immediately", "here", "goal"], rows)}

Counting a join of two tables with ${inEnglish(JOINED)} rows each, by equal columns: ${join.toFixed(0)} ms (≤ ${JOIN_GOAL_MS}: ${met(join <= JOIN_GOAL_MS)}).`;
report("sql", text);
