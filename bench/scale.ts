/**
 * Measures how the cost of daemons grows: one daemon with many clients, several members in memory, many keys, and many
 * entries of history. It prints CPU times and bytes. Run it on an idle machine: under load, the CPU time per write of
 * members varies. `--clients 5000`, `--members 3,7,15`, `--keys 1000000,10000000` and `--entries 100000,400000` choose
 * the sizes; an empty value skips a part.
 */
import { readdirSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { parseArgs } from "node:util";
import type { DaemonProcess } from "../test/support/daemon-process.js";
import { EnvelopeClient, type KeyPair, makeKeyPair } from "../test/support/envelope-client.js";
import { RedisConnection, textOf } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { Trio } from "../test/support/trio.js";
import { writeFolder } from "./data-folder.js";
import { figuresOf } from "./measure.js";
import { inEnglish, isSmoke, report, table } from "./report.js";
import { startFace, type Target } from "./servers.js";
import {
  bytesWritten,
  cpuMicros,
  cpuOf,
  diskUse,
  MIB,
  mainThreadMicros,
  meanOf,
  measureRedis,
  memoryUse,
  PROBED,
  probeOf,
  stringCommand,
  verifySeconds,
} from "./usage.js";

const { values: given } = parseArgs({
  options: {
    smoke: { type: "boolean" },
    clients: { type: "string", default: isSmoke ? "20" : "5000" },
    members: { type: "string", default: isSmoke ? "3" : "3,7,15" },
    keys: { type: "string", default: isSmoke ? "20000" : "1000000,10000000" },
    entries: { type: "string", default: isSmoke ? "2000" : "100000,400000" },
  },
});

const SECONDS = isSmoke ? 1 : 10;
/** The calls of each client without pauses. */
const BUSY_CALLS = isSmoke ? 5 : 300;
const WRITES = isSmoke ? 20 : 600;
const COMMANDS_PER_ENVELOPE = 500;
const SNAPSHOT_ENTRIES = 1000;
const SNAPSHOT_MS_MAX = 600_000;
const SNAPSHOT_OPTIONS = `--snapshot-entries ${SNAPSHOT_ENTRIES} --tail-seconds 5 --window 2s,2s`.split(" ");
const VALUE = "x".repeat(16);
/** The number of keys that the entries of history write in turn. */
const KEYS_OF_ENTRIES = 1000;

const rsa = makeKeyPair("rsa");

/** Makes the next call of a connected client. */
type Call = () => Promise<unknown>;
type Row = readonly (string | number)[];

/** Connects a client that has signed its envelopes in advance, so that signing does not limit the rate. */
async function signedClient(port: number, pair: KeyPair, calls: number) {
  const client = await EnvelopeClient.open(port, pair);
  const frames = Array.from({ length: calls }, () => client.sign([["SET", "key", VALUE]]).frame);
  return async () => {
    const answer = await client.exchange(frames.pop() ?? "");
    if (answer.kind !== "result") throw new Error(answer.sentence);
  };
}

/** Makes the calls of each client: one a second, or without pauses. @returns the calls per second of all clients */
async function callAll(clients: readonly Call[], calls: number, isBusy: boolean): Promise<number> {
  const start = performance.now();
  const callTimes = async (call: Call, i: number) => {
    for (let n = 0; n < calls; n++) {
      const wait = (n + i / clients.length) * 1000 - (performance.now() - start);
      if (!isBusy && wait > 0) await setTimeout(wait);
      await call();
    }
  };
  await Promise.all(clients.map(callTimes));
  return (clients.length * calls * 1000) / (performance.now() - start);
}

async function clientsRow(count: number, kind: "ed25519" | "rsa" | "Redis", isBusy = false): Promise<Row> {
  const calls = isBusy ? BUSY_CALLS : SECONDS;
  // V8 optimizes code that has run some thousand times.
  const warmUp = isBusy ? calls : 1;
  const pair = makeKeyPair(kind === "Redis" ? "ed25519" : kind);
  await using daemon = await startFace("resp", ["-s", pair.file, "--window", "10m,10m"], PROBED);
  const before = await probeOf(daemon);
  const clients: Call[] = [];
  const open = async (): Promise<Call> => {
    if (kind !== "Redis") return await signedClient(daemon.port, pair, warmUp + calls);
    const connection = await RedisConnection.open(daemon.face.port);
    return () => connection.call("SET", "key", VALUE);
  };
  for (let i = 0; i < count; i++) clients.push(await open());
  await callAll(clients, warmUp, true);
  const [connected, cpu] = [await probeOf(daemon), cpuMicros(daemon.pid)];
  const rate = await callAll(clients, calls, isBusy);
  const perCall = (cpuMicros(daemon.pid) - cpu) / (count * calls);
  const kib = (what: "used" | "resident") => (connected[what] - before[what]) / count / 1024;
  const name = `${inEnglish(count)} clients, ${kind}, ${isBusy ? "without pauses" : "one call a second each"}`;
  return [name, inEnglish(rate), perCall, kib("used"), kib("resident")];
}

async function membersRow(count: number): Promise<Row> {
  await using trio = await Trio.start([], count, { app: rsa, isInMemory: true });
  await using client = trio.client();
  const write = async () => {
    for (let n = 0; n < WRITES; n++) await client.call(["SET", "key", VALUE]);
    return WRITES;
  };
  await write();
  /** Returns a member's CPU microseconds and written bytes, per second, and the calls per second. */
  const during = async (work: () => Promise<number>) => {
    const bytesOf = () => meanOf(trio.running.map(({ pid }) => bytesWritten(pid)));
    const used = () => [cpuOf(trio.running) / count, bytesOf(), performance.now() / 1000];
    const [before, calls] = [used(), await work()];
    const [cpu = 0, bytes = 0, seconds = 0] = used().map((after, i) => after - (before[i] ?? 0));
    return { cpu: cpu / seconds, bytes: bytes / seconds, calls: calls / seconds };
  };
  const busy = await during(write);
  const idle = await during(() => setTimeout(SECONDS * 1000, 0));
  const perWrite = (what: "cpu" | "bytes") => inEnglish((busy[what] - idle[what]) / busy.calls);
  const resident = meanOf(trio.running.map(({ pid }) => memoryUse(pid).resident));
  return [`${count}`, perWrite("cpu"), perWrite("bytes"), idle.cpu / 1000, inEnglish(idle.bytes), resident];
}

/**
 * Sends PINGs to a server, each a millisecond after the answer to the previous one, until `isDone` returns true; asks
 * it after every 100.
 */
async function pinged(server: Target, isDone: () => Promise<boolean>) {
  using connection = await RedisConnection.open(server.port);
  const latencies: number[] = [];
  let [longest, resident, last] = [0, 0, mainThreadMicros(server.pid)];
  const deadline = performance.now() + SNAPSHOT_MS_MAX;
  while (latencies.length % 100 !== 0 || !(await isDone())) {
    if (performance.now() > deadline) throw new Error(`no snapshot within ${SNAPSHOT_MS_MAX / 1000} s`);
    await setTimeout(1);
    const before = performance.now();
    await connection.call("PING");
    latencies.push((performance.now() - before) * 1000);
    const now = mainThreadMicros(server.pid);
    longest = Math.max(longest, (now - last) / 1000);
    last = now;
    if (latencies.length % 100 === 0) resident = Math.max(resident, memoryUse(server.pid).resident * MIB);
  }
  const { p99, max } = figuresOf(latencies, 1);
  return { longest, resident, latency: `${(p99 / 1000).toFixed(1)}, ${(max / 1000).toFixed(1)}` };
}

/** Waits for the snapshot that a daemon has just begun to make. */
async function snapshotCost(daemon: DaemonProcess, folder: string) {
  const isSnapshot = (name: string | Buffer) => String(name).endsWith(".snapshot");
  let found = 0;
  // It counts when its file was found in ten checks: the daemon marks it as valid within a second.
  return await pinged({ port: await daemon.portOf("Redis clients"), pid: daemon.pid }, async () => {
    if (readdirSync(folder, { recursive: true }).some(isSnapshot)) found++;
    return found === 10;
  });
}

/** Fills redis-server, and waits until it has saved a snapshot. @returns its bytes in use, and the latencies */
async function redisCost(count: number) {
  await using redis = await startRedis();
  const { used } = await measureRedis(redis, stringCommand, count);
  const info = async (section: string) => await textOf(redis.port, "INFO", section);
  const started = textOf(redis.port, "BGSAVE");
  const isSaved = async () => /last_bgsave_time_sec:\d/.test(await info("persistence"));
  const { latency } = await pinged(redis, isSaved);
  await started;
  const fork = Number(/latest_fork_usec:(\d+)/.exec(await info("stats"))?.[1]) / 1000;
  return { used, latency: `${latency} (fork ${fork.toFixed(1)})` };
}

/**
 * Writes a folder, and starts daemons with it: one that makes a snapshot, and another one that reads it. The memory is
 * in addition to that of a daemon with an empty folder.
 * @param size  the number of commands per entry
 */
async function folderCost(envelopes: number, size: number, command: (number: number) => readonly string[]) {
  const options = ["--resp", "0", "--fsync", "never", ...SNAPSHOT_OPTIONS];
  await using trio = await Trio.make(options, 2, { app: rsa, arePeers: false });
  const dates = { from: Date.now() - 600_000, every: 1000 / envelopes };
  await writeFolder(trio, 0, { ...dates, envelopes, size, command });
  const folder = trio.folder(0);
  const disk = diskUse(folder).total * MIB;
  const started = async (index: number, makesSnapshot: boolean) => {
    const daemon = await trio.start(index, { execArgv: PROBED });
    const found = { cpu: cpuMicros(daemon.pid) / 1e6, ...(await probeOf(daemon)) };
    let snapshot = { longest: 0, resident: 0, latency: "" };
    if (makesSnapshot) {
      await using client = trio.client([index]);
      for (let n = 0; n <= SNAPSHOT_ENTRIES; n++) await client.call(["SET", "more", `${n}`]);
      snapshot = await snapshotCost(daemon, folder);
    }
    await trio.end(index, "SIGTERM");
    return { ...found, snapshot };
  };
  const empty = await started(1, false);
  const [first, second] = [await started(0, true), await started(0, false)];
  return {
    disk,
    live: first.used - empty.used,
    resident: first.resident - empty.resident,
    liveLater: second.used - empty.used,
    ofSnapshot: first.snapshot.resident - empty.resident,
    latency: first.snapshot.latency,
    longest: first.snapshot.longest,
    starts: [first.cpu, second.cpu],
  };
}

async function keysRow(count: number): Promise<Row> {
  const redis = await redisCost(count);
  const { live, resident, ofSnapshot, latency, longest, starts } = await folderCost(
    count / COMMANDS_PER_ENVELOPE,
    COMMANDS_PER_ENVELOPE,
    stringCommand,
  );
  const perKey = [redis.used, live, resident, ofSnapshot].map((bytes) => bytes / count);
  return [inEnglish(count), ...perKey, latency, longest, redis.latency, ...starts];
}

async function entriesRow(count: number): Promise<Row> {
  const command = (number: number) => ["SET", `key:${number % KEYS_OF_ENTRIES}`, VALUE];
  const { disk, live, liveLater, starts } = await folderCost(count, 1, command);
  return [inEnglish(count), disk / count, live / count, liveLater / count, ...starts];
}

/** Measures a part with each of the chosen sizes. */
async function reportPart(
  part: "clients" | "members" | "keys" | "entries",
  text: string,
  head: string,
  rows: (size: number) => Promise<Row[]>,
): Promise<void> {
  const all: Row[] = [];
  for (const size of given[part].split(",").filter(Boolean)) all.push(...(await rows(Number(size))));
  const figures = `CPU times include all threads and the kernel. ${text}\n\n${table(head.split("; "), all)}`;
  if (all.length > 0) report(`scale-${part}`, `Many ${part}`, figures);
}

const verifyMicros = (pair: KeyPair) => inEnglish(verifySeconds(pair.privateKey) * 1e6);
await reportPart(
  "clients",
  `One daemon in memory; each envelope has one SET. The check of a signature in a loop: RSA-2048 ${verifyMicros(rsa)} µs, Ed25519 ${verifyMicros(makeKeyPair())} µs.`,
  "; calls a second; CPU µs per call; KiB per client, live objects; resident",
  async (count) => [
    await clientsRow(count, "ed25519"),
    await clientsRow(count, "rsa"),
    await clientsRow(count, "Redis"),
    await clientsRow(64, "ed25519", true),
    await clientsRow(64, "rsa", true),
  ],
);
await reportPart(
  "members",
  `Daemons in memory that are peers of each other. One client sends signed SETs (RSA-2048) to all of them, one after the other. What idle members use is subtracted. The bytes include the answer to the client.`,
  "members; CPU µs per write and member; bytes that a member sends per write; idle: CPU ms a second and member; bytes a second and member; resident MiB",
  async (count) => [await membersRow(count)],
);
await reportPart(
  "keys",
  `A daemon with \`--data\`, started with signed envelopes of ${COMMANDS_PER_ENVELOPE} SETs (keys of 16 bytes, values of 14), and redis-server with the same keys. While each server makes a snapshot (the daemon in a thread, redis-server by BGSAVE in another process), a client sends a PING one millisecond after each answer: p99 and maximum of its latency, and the greatest CPU time of the daemon's main thread between two answers.`,
  "keys; bytes per key: redis-server, used_memory; dbsyncd, live objects; resident; resident during a snapshot; PING during it, p99 and maximum, ms; main thread, CPU ms; redis-server: PING, p99 and maximum, ms; start without a snapshot, CPU s; start with it, CPU s",
  async (count) => [await keysRow(count)],
);
await reportPart(
  "entries",
  `A daemon with \`--data\`, started with signed envelopes (RSA-2048) of one SET each, to ${inEnglish(KEYS_OF_ENTRIES)} keys. Each figure but the starts is per entry.`,
  "entries; bytes on the disk; live objects; live objects after a start with a snapshot; start without a snapshot, CPU s; start with it, CPU s",
  async (count) => [await entriesRow(count)],
);
