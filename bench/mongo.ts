/**
 * Documents by MongoDB's driver, which is most of the cost: inserts and finds a second of a daemon alone in memory, and of one of three that record
 * and flush what they answer; beside them PING by the same driver, which is what driver and connection take alone. `--smoke`: seconds.
 */
import { loadavg } from "node:os";
import { type Collection, MongoClient } from "mongodb";
import { knowsSecret } from "../test/support/cluster-secret.js";
import { freePort } from "../test/support/free-port.js";
import { cpuSeconds } from "./daemon-cpu.js";
import { type Figures, measure, median } from "./measure.js";
import { type Server, startDaemon } from "./processes.js";
import { figureCells, machine, report, table } from "./report.js";
import { Scene, stopAll } from "./timeline-daemons.js";

const smoke = process.argv.includes("--smoke");
const ROUNDS = smoke ? 1 : 3;
const SECONDS = smoke ? 0.2 : 2;
const DOCUMENTS = smoke ? 1000 : 100_000;
const TOGETHER = 100;

interface Kept {
  readonly _id: number | string;
  readonly kind?: number;
  readonly text?: string;
}

interface Case {
  readonly name: string;
  readonly callers: number;
  /** Documents of one call. */
  readonly together: number;
  readonly call: (items: Collection<Kept>, turn: number) => Promise<unknown>;
}

const TEXT = "a text of some length, as messages have it";
const document = (turn: number, n = 0): Kept => ({
  _id: `${process.pid}-${turn}-${n}`,
  kind: turn % 1000,
  text: TEXT,
});
const insert = (items: Collection<Kept>, turn: number) => items.insertOne(document(turn));

const CASES: readonly Case[] = [
  { name: "ping", callers: 10, together: 1, call: (items) => items.db.command({ ping: 1 }) },
  { name: "insertOne", callers: 1, together: 1, call: insert },
  { name: "insertOne", callers: 10, together: 1, call: insert },
  {
    ...{ name: `insertMany of ${TOGETHER}`, callers: 10, together: TOGETHER },
    call: (items, turn) => items.insertMany(Array.from({ length: TOGETHER }, (_, n) => document(turn, n))),
  },
  {
    ...{ name: `findOne by _id, of ${DOCUMENTS}`, callers: 10, together: 1 },
    call: (items, turn) => items.findOne({ _id: (turn * 7919) % DOCUMENTS }),
  },
  {
    ...{ name: "find by an index, sorted, the last 20 of 100", callers: 10, together: 1 },
    call: (items, turn) =>
      items
        .find({ kind: -1 - (turn % 1000) })
        .sort({ _id: -1 })
        .limit(20)
        .toArray(),
  },
  {
    ...{ name: "updateOne by _id ($set)", callers: 10, together: 1 },
    call: (items, turn) =>
      items.updateOne({ _id: (turn * 7919) % DOCUMENTS }, { $set: { text: `${TEXT} ${turn}` } }),
  },
];

/** A daemon that has just started may not be complete yet. */
async function untilItWrites(write: () => Promise<unknown>): Promise<void> {
  for (let left = 100; ; left--) {
    try {
      await write();
      return;
    } catch (problem) {
      if (left === 0) throw problem;
      await new Promise((resolve) => setTimeout(resolve, 100));
    }
  }
}

async function fill(items: Collection<Kept>): Promise<void> {
  await untilItWrites(() => items.createIndex({ kind: 1 }));
  for (let from = 0; from < DOCUMENTS; from += 1000) {
    const documents = Array.from({ length: 1000 }, (_, n) => from + n);
    await items.insertMany(
      documents.map((_id) => ({ _id, kind: -1 - (_id % Math.ceil(DOCUMENTS / 100)), text: TEXT })),
    );
  }
}

let turn = 0;

/** And what a call takes of the daemon's CPU, and of the driver's, in microseconds: others who need the core do not count. */
type Measured = Figures & { readonly daemonUs: number; readonly driverUs: number };

async function measured(
  pid: number,
  load: Parameters<typeof measure>[0],
  call: () => Promise<unknown>,
): Promise<Measured> {
  const [before, own] = [cpuSeconds(pid), process.cpuUsage()];
  const startedAt = performance.now();
  const figures = await measure(load, call);
  const { user, system } = process.cpuUsage(own);
  const calls = (figures.perSecond * (performance.now() - startedAt)) / 1000;
  return {
    ...figures,
    daemonUs: ((cpuSeconds(pid) - before) * 1e6) / calls,
    driverUs: (user + system) / calls,
  };
}

async function figuresAt(port: number, { process: { pid } }: Server): Promise<Measured[]> {
  const client = new MongoClient(`mongodb://127.0.0.1:${port}`);
  const items = client.db("bench").collection<Kept>("items");
  try {
    await fill(items);
    const all: Measured[] = [];
    for (const { callers, call } of CASES) {
      const rounds: Measured[] = [];
      for (let round = 0; round < ROUNDS; round++)
        rounds.push(await measured(pid ?? 0, { callers, seconds: SECONDS }, () => call(items, turn++)));
      const perSecond = median(rounds.map((one) => one.perSecond));
      all.push(rounds.find((one) => one.perSecond === perSecond) ?? (rounds[0] as Measured));
    }
    return all;
  } finally {
    await client.close();
  }
}

/** The first of three that know each other, flush what they answer, and let in each other's keys. */
async function startOneOfThree(scene: Scene): Promise<{ servers: readonly Server[]; port: number }> {
  const [port, ...ports] = await Promise.all(Array.from({ length: 4 }, () => freePort()));
  const servers = await Promise.all(
    ports.map((own, at) =>
      startDaemon([
        ...["-s", scene.publicFolder, "-p", String(own), "--data", scene.newFolder(), ...knowsSecret],
        ...ports.filter((other) => other !== own).flatMap((peer) => ["--peer", `127.0.0.1:${peer}`]),
        ...(at === 0 ? ["--mongo", String(port)] : []),
      ]),
    ),
  );
  return { servers, port: port as number };
}

const loadBefore = loadavg()[0] ?? 0;
const alone = await freePort();
const server = await startDaemon(["--mongo", String(alone)]);
const inMemory = await figuresAt(alone, server);
await server[Symbol.asyncDispose]();
using scene = new Scene();
const { servers, port } = await startOneOfThree(scene);
const recorded = await figuresAt(port, servers[0] as Server);
await stopAll(servers);

const rows = CASES.flatMap(({ name, callers, together }, at) =>
  [
    ["alone, in memory", inMemory[at] as Measured] as const,
    ["one of three, --data", recorded[at] as Measured] as const,
  ].map(([where, figures]) => {
    const [perSecond = 0, p50 = 0, p99 = 0] = figureCells(figures);
    const cpu = [Math.round(figures.daemonUs), Math.round(figures.driverUs)];
    return [name, String(callers), where, perSecond * together, p50, p99, ...cpu];
  }),
);
report(
  "MongoDB clients",
  [
    "## MongoDB clients",
    "",
    `${machine()} \`npm run bench -- mongo\`. ${DOCUMENTS} documents, an index; driver and daemons share the machine, load before: ${loadBefore.toFixed(1)}, behind: ${(loadavg()[0] ?? 0).toFixed(1)}. ` +
      `${SECONDS} s each, median of ${ROUNDS}. Of insertMany documents are counted, latencies and CPU are a call's.`,
    "",
    table(
      ["call", "in flight", "daemon", "per second", "p50 µs", "p99 µs", "daemon's CPU µs", "driver's CPU µs"],
      rows,
    ),
  ].join("\n"),
  smoke,
);
