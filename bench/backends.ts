/**
 * `npm run bench -- backends`: the same signed SETs to four daemons, turn about in one run: in memory, before a Redis, before a Redis
 * Cluster of six, and before a master that three sentinels watch; the last three also with a replica that confirms each write.
 * Rates, and what a SET costs each process that a busy machine spoils less: the daemon's CPU.
 */
import { createClient } from "../client/entry.js";
import { RedisCluster } from "../test/support/redis-cluster.js";
import { MASTER_NAME, RedisSentinels, startReplica } from "../test/support/redis-sentinels.js";
import { startRedis } from "../test/support/redis-server.js";
import { cpuSeconds } from "./daemon-cpu.js";
import { measure, median } from "./measure.js";
import { startDaemon } from "./processes.js";
import { machine, report, table } from "./report.js";

const smoke = process.argv.includes("--smoke");
const SECONDS = smoke ? 0.2 : 2;
const ROUNDS = smoke ? 1 : 3;
const CALLERS = 64;
const KEYS = 100_000;
const VALUE = "x".repeat(20);
const LOOPBACK = "127.0.0.1";

await using redis = await startRedis();
const replica = await startReplica(redis.port);
await using cluster = await RedisCluster.start();
await using group = await RedisSentinels.start();
const one = `redis:${LOOPBACK}:${redis.port}`;
const many = `redis-cluster:${cluster.ports.map((port) => `${LOOPBACK}:${port}`).join(",")}`;
const watched = `redis-sentinel:${MASTER_NAME}@${group.places}`;
const confirmed = ["--wait-replicas", "1"];

interface Subject {
  readonly title: string;
  readonly args: readonly string[];
}

const SUBJECTS: readonly Subject[] = [
  { title: "memory", args: [] },
  { title: "redis", args: ["-d", one] },
  { title: "redis-cluster", args: ["-d", many] },
  { title: "redis-sentinel", args: ["-d", watched] },
  { title: `redis ${confirmed.join(" ")}`, args: ["-d", one, ...confirmed] },
  { title: `redis-cluster ${confirmed.join(" ")}`, args: ["-d", many, ...confirmed] },
  { title: `redis-sentinel ${confirmed.join(" ")}`, args: ["-d", watched, ...confirmed] },
];

interface Round {
  readonly perSecond: number;
  readonly p50: number;
  /** Microseconds of the daemon for a SET. */
  readonly cpu: number;
}

const opened: AsyncDisposable[] = [];
const rounds = new Map<Subject, Round[]>();
const works = new Map<Subject, () => Promise<Round>>();
for (const subject of SUBJECTS) {
  const daemon = await startDaemon(subject.args);
  const client = createClient({ servers: `${LOOPBACK}:${daemon.port}` });
  opened.push(client, daemon);
  const pid = daemon.process.pid as number;
  rounds.set(subject, []);
  works.set(subject, async () => {
    const before = cpuSeconds(pid);
    const load = { callers: CALLERS, seconds: SECONDS };
    const { perSecond, p50 } = await measure(load, () =>
      client.send(["SET", `key:${Math.floor(Math.random() * KEYS)}`, VALUE]),
    );
    return { perSecond, p50, cpu: ((cpuSeconds(pid) - before) * 1e6) / (perSecond * SECONDS) };
  });
}
for (const work of works.values()) await work();
for (let at = 0; at < ROUNDS; at++)
  for (const [subject, work] of works) rounds.get(subject)?.push(await work());

const middle = (subject: Subject, of: (round: Round) => number) =>
  median((rounds.get(subject) ?? []).map(of));
const [memory] = SUBJECTS as readonly [Subject];
const rate = (subject: Subject) => middle(subject, ({ perSecond }) => perSecond);
const cpu = (subject: Subject) => middle(subject, (round) => round.cpu);
const lines = SUBJECTS.map((subject) => [
  subject.title,
  rate(subject).toFixed(0),
  (rate(subject) / rate(memory)).toFixed(2),
  middle(subject, ({ p50 }) => p50).toFixed(0),
  cpu(subject).toFixed(1),
  (cpu(subject) / cpu(memory)).toFixed(2),
]);
const text = table(["-d", "SETs a second", "× memory", "p50 µs", "daemon's CPU µs", "× memory"], lines);
report(
  "backends",
  `${machine()} ${CALLERS} callers of one client, unsigned, ${SECONDS} s each, median of ${ROUNDS}, turn about; client, daemons and all ` +
    `${1 + 1 + 6 + 5} Redis processes share the machine.\n\n${text}`,
  smoke,
);
for (const each of [...opened, replica]) await each[Symbol.asyncDispose]();
