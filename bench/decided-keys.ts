/**
 * Measures commands of Redis clients on decided keys, with the clients spread over three daemons with `--data --fsync
 * always`, and the same commands on other keys of these daemons, on one redis-server that syncs each write, and, where
 * etcd has such a request, on three members of etcd. It also measures a queue of BullMQ with 64 workers, if
 * test/libraries/npm is installed.
 */

import { decideOn, EARLY_PATTERNS } from "../test/support/decided-patterns.js";
import { makeKeyPair } from "../test/support/envelope-client.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { isOnPath } from "../test/support/requirements.js";
import { respPort } from "../test/support/resp-trio.js";
import { scratchFolder } from "../test/support/scratch-folder.js";
import { Trio } from "../test/support/trio.js";
import { type BullMq, connectionTo, loadBullMq, makeJobs } from "./bullmq.js";
import { startEtcd } from "./etcd.js";
import { alternate, measureWithCpu, medians, openPool } from "./measure.js";
import { isSmoke, report, table } from "./report.js";

const ROUNDS = isSmoke ? 1 : 3;
const SECONDS = isSmoke ? 0.2 : 3;
const WARM_UP_SECONDS = isSmoke ? 0.2 : 5;
const CLIENTS = 64;
const JOBS = isSmoke ? 100 : 1000;
/** Milliseconds for which a lock lasts. */
const LIFETIME_MS = "60000";

let counter = 0;

/** Sends a command. @throws Error if it fails */
async function send(client: RedisConnection, ...argv: readonly string[]): Promise<void> {
  const reply = await client.value(...argv);
  if (reply instanceof Error) throw reply;
}

type Keys = [string, string, string];

/** A script as those of libraries for queues: it adds a job, takes the oldest one, notes it, and counts. */
const SCRIPT = `redis.call('lpush', KEYS[1], ARGV[1])
local job = redis.call('rpop', KEYS[1])
redis.call('hset', KEYS[2], job, ARGV[1])
redis.call('hdel', KEYS[2], job)
return redis.call('incr', KEYS[3])`;

/** The commands, each with a prefix of its keys. */
const COMMANDS: Readonly<Record<string, (client: RedisConnection, prefix: string) => Promise<void>>> = {
  "SET NX PX": (client, prefix) =>
    send(client, "SET", `${prefix}lock:${++counter}`, "me", "NX", "PX", LIFETIME_MS),
  "INCR of one key": (client, prefix) => send(client, "INCR", `${prefix}counter`),
  async "LPUSH, then BRPOP of one list"(client, prefix) {
    await send(client, "LPUSH", `${prefix}list`, String(++counter));
    await send(client, "BRPOP", `${prefix}list`, "0");
  },
  "EVAL of five commands on one queue"(client, prefix) {
    const [wait, active, done] = ["wait", "active", "done"].map((name) => `${prefix}${name}`) as Keys;
    return send(client, "EVAL", SCRIPT, "3", wait, active, done, String(++counter));
  },
  "EVAL of five commands on own keys"(client, prefix) {
    const job = ++counter % 1000;
    const [wait, active, done] = ["wait", "active", "done"].map((name) => `${prefix}${name}:${job}`) as Keys;
    return send(client, "EVAL", SCRIPT, "3", wait, active, done, String(job));
  },
};

await using trio = await Trio.start(["--resp", "0", "--fsync", "always", ...EARLY_PATTERNS], 3, {
  app: makeKeyPair(),
  keys: "app",
});
await decideOn(trio, ["d:*"]);
await using redis = isOnPath("redis-server")
  ? await startRedis({ args: ["--appendonly", "yes", "--appendfsync", "always"] })
  : null;
await using etcd = isOnPath("etcd") ? await startEtcd(scratchFolder("etcd")) : null;

interface Kind {
  readonly names: readonly [command: string, server: string];
  readonly servers: readonly { readonly pid: number }[];
  readonly call: () => Promise<unknown>;
}

/** Returns the commands of clients that are spread over ports. */
async function kindsOf(server: string, servers: Kind["servers"], ports: readonly number[], prefix: string) {
  let opened = 0;
  const pool = await openPool(() => RedisConnection.open(ports[opened++ % ports.length] ?? 0), CLIENTS);
  return Object.entries(COMMANDS).map(
    ([name, run]): Kind => ({
      names: [name, server],
      servers,
      call: () => pool.use((client) => run(client, prefix)),
    }),
  );
}

const ports = await Promise.all([0, 1, 2].map((index) => respPort(trio, index)));
const DECIDED = "three daemons, decided keys";
const ETCD = "etcd, three members";
const kinds: Kind[] = [
  ...(await kindsOf(DECIDED, trio.running, ports, "d:")),
  ...(
    await kindsOf("three daemons, decided keys, clients of one", trio.running, ports.slice(0, 1), "d:")
  ).slice(-2),
  ...(await kindsOf("three daemons, other keys", trio.running, ports, "")),
  ...(redis === null ? [] : await kindsOf("redis-server, appendfsync always", [redis], [redis.port], "")),
];
if (etcd !== null) {
  const client = etcd.open(etcd.leader);
  const servers = etcd.servers.map(({ pid }) => ({ pid: pid as number }));
  const increment = async () => {
    for (const value = String(++counter); !(await client.update("counter", value)); );
  };
  const [create, update] = Object.keys(COMMANDS) as [string, string];
  kinds.push(
    { names: [create, ETCD], servers, call: () => client.create(`lock:${++counter}`, "me") },
    { names: [update, ETCD], servers, call: increment },
  );
}

for (const { call, servers } of kinds)
  await measureWithCpu(servers, { callers: CLIENTS, seconds: WARM_UP_SECONDS }, call);
const runs = await alternate(kinds, { rounds: ROUNDS }, ({ servers, call }) =>
  measureWithCpu(servers, { callers: CLIENTS, seconds: SECONDS }, call),
);
const all = runs.map(medians);
const rateOf = (command: string, server: string) =>
  all[kinds.findIndex(({ names }) => names[0] === command && names[1] === server)]?.perSecond ?? Number.NaN;
const rows = Object.keys(COMMANDS).flatMap((command) =>
  kinds.flatMap(({ names }, i) => {
    const figures = all[i];
    if (names[0] !== command || figures === undefined) return [];
    const { p50, p99, perSecond, cpu } = figures;
    return [
      [...names, p50, p99, Math.round(perSecond), cpu, (perSecond / rateOf(command, DECIDED)).toFixed(2)],
    ];
  }),
);

/** Adds jobs to a queue of BullMQ on decided keys, and lets 64 workers complete them. */
async function completeJobs({ Queue, Worker }: BullMq, ports: readonly number[]) {
  // The keys begin with the prefix, which the pattern covers. Each server has a queue of its own.
  const name = `bench-${ports.length}`;
  const portOf = (i: number) => ports[i % ports.length] ?? 0;
  const queue = new Queue(name, { prefix: "d", ...connectionTo(portOf(0)) });
  const startedAt = performance.now();
  await queue.addBulk(makeJobs(JOBS));
  const addedAt = performance.now();
  const completed = new Set<string>();
  let errors = 0;
  let end = () => {};
  const all = new Promise<void>((resolve) => {
    end = resolve;
  });
  const workers = Array.from({ length: CLIENTS }, (_, i) => {
    const worker = new Worker(name, async () => {}, {
      prefix: "d",
      autorun: false,
      ...connectionTo(portOf(i)),
    });
    worker.on("error", () => errors++);
    worker.on("completed", ({ id }) => {
      if (completed.add(id).size === JOBS) end();
    });
    return worker;
  });
  await Promise.all(workers.map((worker) => worker.waitUntilReady()));
  const begunAt = performance.now();
  for (const worker of workers) void worker.run();
  await all;
  const completedAt = performance.now();
  await Promise.all(workers.map((worker) => worker.close(true)));
  await queue.close();
  return {
    add: addedAt - startedAt,
    added: (JOBS * 1000) / (addedAt - startedAt),
    completed: (JOBS * 1000) / (completedAt - begunAt),
    errors,
  };
}

/** Measures BullMQ. @returns the text with the table, or "" if BullMQ or redis-server is not installed */
async function queues(): Promise<string> {
  const library = await loadBullMq();
  if (library === null || redis === null) return "";
  const subjects = [
    { name: DECIDED, ports },
    { name: `${DECIDED}, clients of one`, ports: ports.slice(0, 1) },
    { name: "redis-server, appendfsync always", ports: [redis.port] },
  ];
  const runs = await alternate(subjects, { rounds: ROUNDS, warmUps: isSmoke ? 0 : 2 }, (subject) =>
    completeJobs(library, subject.ports),
  );
  const figures = runs.map(medians);
  const [ofRedis] = figures.slice(-1);
  const share = (value: number, whole: number | undefined) => (value / (whole ?? Number.NaN)).toFixed(2);
  const rows = figures.map(({ add, added, completed, errors }, i) => [
    subjects[i]?.name ?? "",
    Math.round(add),
    `${Math.round(added)} (${share(added, ofRedis?.added)})`,
    `${Math.round(completed)} (${share(completed, ofRedis?.completed)})`,
    String(errors),
  ]);
  const head = ["servers", "addBulk ms", "added per second", "completed per second", "errors of workers"];
  return `

A queue of BullMQ: \`addBulk\` of ${JOBS} jobs by one client, and then ${CLIENTS} workers, each with one job at a time that does nothing. In parentheses, the rate ÷ that of redis-server. Medians of ${ROUNDS} alternating rounds.

${table(head, rows)}`;
}

report(
  "decided-keys",
  "Commands on decided keys",
  `${CLIENTS} Redis clients, each with one command in flight, spread over three daemons with \`--data --fsync always\`. Medians of ${ROUNDS} alternating rounds of ${SECONDS} s. All clients and servers share the cores and the disk. etcd has no INCR: its client reads, compares and writes until it succeeds. Each pair of LPUSH and BRPOP counts once.

${table(["commands", "servers", "p50 µs", "p99 µs", "per second", "CPU µs of the servers", "÷ decided keys"], rows)}${await queues()}`,
);
process.exit(0);
