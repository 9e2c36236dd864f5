/**
 * Measures acknowledged writes of dbsyncd, etcd, NATS and Redis, each with three servers on this machine and one
 * client process. Each round restarts every cluster. A system whose program is missing is skipped.
 */
import { spawnSync } from "node:child_process";
import { writeFileSync } from "node:fs";
import { loadavg } from "node:os";
import { join } from "node:path";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import type { Policy } from "../client/public-api.js";
import { type KeyPair, makeKeyPair } from "../test/support/envelope-client.js";
import { NatsServer } from "../test/support/nats-server.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { repositoryRoot } from "../test/support/repository.js";
import { isOnPath } from "../test/support/requirements.js";
import { scratchFolder } from "../test/support/scratch-folder.js";
import { startEtcd } from "./etcd.js";
import { alternate, type CpuFigures, measure, measureWithCpu, medians, openPool } from "./measure.js";
import { inEnglish, isSmoke, met, report, table } from "./report.js";
import { type Durability, START_MS, started, startThree } from "./servers.js";

const SERVERS = 3;
/** Milliseconds until a request to NATS is repeated. NATS does not answer before a leader has been elected. */
const REQUEST_MS = 1000;
const folder = scratchFolder("peers");
let folders = 0;

/** Three servers of one product, each with its own folder, and a client that writes to them. */
interface Cluster extends AsyncDisposable {
  readonly servers: readonly { readonly pid: number }[];
  /** Writes a key. Resolves when the servers have acknowledged the write. */
  put(key: string, value: string): Promise<unknown>;
}

/** Starts etcd. The client writes to the leader. @param creates  whether it creates a new key with each call */
async function startEtcdCluster(creates = false): Promise<Cluster> {
  const etcd = await startEtcd(join(folder, `${++folders}`));
  const client = etcd.open(etcd.leader);
  return {
    servers: etcd.servers.map(({ pid }) => ({ pid: pid as number })),
    put: (key, value) => (creates ? client.create(newKey(), value) : client.put(key, value)),
    async [Symbol.asyncDispose]() {
      client[Symbol.dispose]();
      await etcd[Symbol.asyncDispose]();
    },
  };
}

/** A configuration with which NATS syncs each write to disk. */
const syncingNats = join(folder, "nats-syncs-always.conf");
writeFileSync(syncingNats, "jetstream { sync_interval: always }\n");

/**
 * Starts NATS with a key-value bucket on file storage. The client publishes to the leader of its stream, as a KV
 * client's put does.
 * @param args  more arguments for each server
 */
async function startNats(args: readonly string[]): Promise<Cluster> {
  const servers = await NatsServer.startCluster(SERVERS, args);
  const [first] = servers as readonly [NatsServer];
  const manager = await connectNats({ port: first.port });
  const leader = await started(async () => {
    const { streams } = await jetstreamManager(manager, { timeout: REQUEST_MS });
    const { cluster } = await streams.add({
      name: "KV_bench",
      subjects: ["$KV.bench.>"],
      num_replicas: SERVERS,
      storage: "file",
      max_msgs_per_subject: 1,
      discard: "new",
      allow_rollup_hdrs: true,
      deny_delete: true,
    });
    return servers.find(({ name }) => name === cluster?.leader);
  });
  await manager.close();
  const connection = await connectNats({ port: leader.port });
  const stream = jetstream(connection);
  return {
    servers,
    put: (key, value) => stream.publish(`$KV.bench.${key}`, value),
    async [Symbol.asyncDispose]() {
      await connection.close();
      await Promise.all(servers.map((server) => server[Symbol.asyncDispose]()));
    },
  };
}

/**
 * Starts Redis with two replicas. All three sync each write. A call consists of SET and WAIT 1, sent together over
 * one of the connections.
 * @param connections  the maximum number of calls in flight; each needs a connection, which WAIT blocks
 */
async function startRedisReplicas(connections: number): Promise<Cluster> {
  const syncs = ["--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0"];
  const primary = await startRedis({ args: syncs });
  const replicaOf = ["--replicaof", "127.0.0.1", String(primary.port)];
  const replicas = await Promise.all(
    Array.from({ length: SERVERS - 1 }, () => startRedis({ args: [...syncs, ...replicaOf] })),
  );
  const servers = [primary, ...replicas];
  const pool = await openPool(() => RedisConnection.open(primary.port), connections);
  const set = async (key: string, value: string, wait: number) => {
    const [stored, acknowledged] = await pool.use((connection) => {
      connection.queue(["SET", key, value]);
      connection.queue(["WAIT", String(wait), String(START_MS)]);
      return connection.flush();
    });
    const isDone = stored?.kind === "status" && acknowledged?.kind === "integer";
    if (!isDone || acknowledged.value < wait) throw new Error("redis-server: no replica has acknowledged");
  };
  await started(async () => {
    await set("started", "", SERVERS - 1);
    return true;
  });
  return {
    servers,
    put: (key, value) => set(key, value, 1),
    async [Symbol.asyncDispose]() {
      pool[Symbol.dispose]();
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

/**
 * Starts daemons that are peers of each other. The client sends to all of them.
 * @param creates  whether it creates a new key with each call, on which the members of a list decide
 */
async function startDaemons(
  durability: Durability,
  key: KeyPair,
  policy: Policy,
  creates = false,
): Promise<Cluster> {
  const trio = await startThree(durability, key);
  const client = trio.client();
  if (creates) {
    await trio.list();
    // The members vote as soon as the list is on their disks.
    await started(async () => {
      await client.send(["SET", newKey(), "", "NX"], { policy });
      return true;
    });
  }
  return {
    servers: trio.running,
    put: (key, value) =>
      creates
        ? client.send(["SET", newKey(), value, "NX"], { policy })
        : client.send(["SET", key, value], { policy }),
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await trio[Symbol.asyncDispose]();
    },
  };
}

const TITLE = "Three servers alongside etcd, NATS and Redis";
const SECONDS = isSmoke ? 0.2 : 2;
const ROUNDS = isSmoke ? 1 : 3;
/**
 * The duration of a cluster's first warm-up with one call in flight, and with the most. V8 compiles code that has run
 * some thousand times; the other systems are compiled before they start.
 */
const WARM_UP_SECONDS = isSmoke ? 0.1 : 4;
/** The duration of the warm-up before each measurement, as a share of the measured time. */
const WARM_UP = 0.25;
const IN_FLIGHT = [1, 8, 64, 256];
const KEYS = 10_000;
const VALUE = "x".repeat(16);

let counter = 0;
const newKey = (): string => `new:${++counter}`;

interface System {
  readonly name: string;
  /** Whether a server waits for another one before it answers. Otherwise, the servers work at the same time. */
  readonly waits: boolean;
  readonly start: () => Promise<Cluster>;
  /** Why the system cannot be measured on this machine, or null. */
  readonly lacks: string | null;
}

const lacks = (program: string, debianPackage = program): string | null =>
  isOnPath(program) ? null : `${program} is not installed (Debian package ${debianPackage}): skipped.`;

/** Returns why this version of NATS cannot sync each write, or null. */
function lacksNatsSync(): string | null {
  if (spawnSync("nats-server", ["-t", "-c", syncingNats]).status === 0) return null;
  return "This nats-server does not support sync_interval: it is measured only with its default.";
}

const NATS_DEFAULT = "NATS KV, 3 replicas, file storage, synced every two minutes";
const NATS_ALWAYS = "NATS KV, 3 replicas, file storage, sync_interval always";
const ETCD = "etcd, 3 members";
const REDIS = "Redis, appendfsync always, 2 replicas, WAIT 1";

const ETCD_CREATES = "etcd, 3 members, create if absent";
const oursCreates = (key: string) => `dbsyncd, ${key}, --fsync always, create if absent (SET NX)`;
const ours = (key: string, fsync: string, policy: Policy) => `dbsyncd, ${key}, --fsync ${fsync}, ${policy}`;

function daemonSystems(name: string, key: KeyPair): System[] {
  const one = (durability: "always" | "interval", policy: Policy) => ({
    name: ours(name, durability === "always" ? "always" : "interval=100", policy),
    waits: false,
    start: () => startDaemons(durability, key, policy),
    lacks: null,
  });
  const creates = {
    name: oursCreates(name),
    waits: true,
    start: () => startDaemons("always", key, "majority", true),
    lacks: null,
  };
  return [one("always", "first"), one("always", "majority"), one("interval", "first"), creates];
}

const lacksNats = lacks("nats-server");
const lacksEtcd = lacks("etcd", "etcd-server");
const all: readonly System[] = [
  { name: ETCD, waits: true, start: () => startEtcdCluster(), lacks: lacksEtcd },
  { name: ETCD_CREATES, waits: true, start: () => startEtcdCluster(true), lacks: lacksEtcd },
  { name: NATS_DEFAULT, waits: true, start: () => startNats([]), lacks: lacksNats },
  {
    name: NATS_ALWAYS,
    waits: true,
    start: () => startNats(["-c", syncingNats]),
    lacks: lacksNats ?? lacksNatsSync(),
  },
  {
    name: REDIS,
    waits: true,
    start: () => startRedisReplicas(Math.max(...IN_FLIGHT)),
    lacks: lacks("redis-server"),
  },
  ...daemonSystems("RSA", makeKeyPair("rsa")),
  ...daemonSystems("Ed25519", makeKeyPair()),
];
const systems = all.filter((system) => system.lacks === null);
const missing = new Set(all.flatMap((system) => system.lacks ?? []));

/** Starts the cluster of a system, and measures it with each number of calls in flight. */
async function measureRound({ name, start }: System): Promise<CpuFigures[]> {
  await using cluster = await start();
  const put = () => cluster.put(`key:${++counter % KEYS}`, VALUE);
  for (const callers of [1, Math.max(...IN_FLIGHT)])
    await measure({ callers, seconds: WARM_UP_SECONDS }, put);
  const runs: CpuFigures[] = [];
  for (const callers of IN_FLIGHT) {
    await measure({ callers, seconds: SECONDS * WARM_UP }, put);
    runs.push(await measureWithCpu(cluster.servers, { callers, seconds: SECONDS }, put));
  }
  const rates = runs.map(({ perSecond }) => Math.round(perSecond));
  console.error(`${name}: ${rates.join(", ")} calls a second at ${IN_FLIGHT.join(", ")} in flight`);
  return runs;
}

/** The medians of a system, one for each number of calls in flight. */
type Results = ReadonlyMap<string, readonly CpuFigures[]>;

/** Returns the ratio of dbsyncd's calls per second to those of another system, and whether it meets the goal. */
function ratioCell(results: Results, ourName: string, peerName: string, i: number): string {
  const [ours, theirs] = [results.get(ourName)?.[i], results.get(peerName)?.[i]];
  if (ours === undefined || theirs === undefined) return "";
  const ratio = ours.perSecond / theirs.perSecond;
  return `${ratio.toFixed(2)} (${met(ratio > 1)})`;
}

function text(results: Results): string {
  const head = IN_FLIGHT.flatMap((callers) => [`${callers}: per second`, "p50 µs", "CPU µs"]);
  const rows = [...results].map(([name, runs]) => [
    name,
    ...runs.flatMap(({ perSecond, p50, cpu }) => [Math.round(perSecond), p50, cpu]),
  ]);
  const ratios = ["RSA", "Ed25519"].flatMap((key) =>
    IN_FLIGHT.map((callers, i) => [
      `${key}, ${callers} in flight`,
      ...[ETCD, REDIS, NATS_ALWAYS].map((peer) => ratioCell(results, ours(key, "always", "first"), peer, i)),
      ratioCell(results, ours(key, "interval=100", "first"), NATS_DEFAULT, i),
      ratioCell(results, oursCreates(key), ETCD_CREATES, i),
    ]),
  );
  const versions = ["etcd", "nats-server", "redis-server"]
    .map((program) => spawnSync(program, ["--version"], { encoding: "utf8" }))
    .flatMap(({ status, stdout }) => (status === 0 ? [stdout.split("\n")[0] as string] : []));
  return `${versions.join("; ")}. Writes of ${VALUE.length} bytes to ${inEnglish(KEYS)} keys by one client
process, which shares the cores with the ${SERVERS} servers. CPU is the time of all server processes per call. Medians of ${ROUNDS} alternating rounds
of ${SECONDS} s; each cluster is restarted for each round and warmed up with one and with ${Math.max(...IN_FLIGHT)} calls in flight, ${WARM_UP_SECONDS} s each. Load average after the run: ${(loadavg()[0] as number).toFixed(1)} (idle machine: below 1).

An acknowledgement means the following. etcd: a majority has synced the write. NATS: a majority has written it to the page cache, or with
sync_interval always synced it. Redis: the primary has synced it and one replica has received it. dbsyncd: every call is signed and sent to all
daemons, and one of them (\`first\`) or two (\`majority\`) have synced it, or with \`--fsync interval=100\` written it. To create a key if it
is absent, etcd compares and puts in a transaction; the members of a list of daemons decide, and two of them have synced the decision.

The clients are the following. etcd: gRPC over one HTTP/2 connection to the leader (node:http2). NATS: @nats-io/jetstream over one connection to the
stream's leader. Redis: one connection per call in flight, on which SET and WAIT are sent together. dbsyncd: \`createClient\`.
${[...missing].map((line) => `\n${line}\n`).join("")}
${table(["calls in flight", ...head], rows)}

![Calls per second of each system with 1, 8, 64 and 256 calls in flight](../docs/pictures/peers.svg)

The calls per second of dbsyncd with policy \`first\`, divided by those of the other systems (goal: above 1):

${table(["", "etcd", "Redis", "NATS, always", "NATS, default ÷ --fsync interval=100", "etcd, both create if absent"], ratios)}`;
}

/**
 * Returns the CPU times of a lone call by process: on three machines, processes do not share cores.
 */
function loneText(results: Results): string {
  const rows = systems.flatMap(({ name, waits }) => {
    const figures = results.get(name)?.[0];
    if (figures === undefined) return [];
    const { perSecond, client, busiest, second, cpu } = figures;
    const inTurn = client + busiest + (waits ? second : 0);
    const times = [client, busiest, second, cpu - busiest - second, inTurn].map(Math.round);
    return [[name, ...times, Math.round(perSecond)]];
  });
  return `One call in flight, in the rounds of "${TITLE}". The servers are sorted by their CPU time per call, in
microseconds. On machines of their own, the three servers share no core with each other or with the client. A call then takes CPU time of
the client and of the busiest server; if a server waits for another one before it answers (the leader of etcd and NATS, the primary of
Redis, the keeper of dbsyncd's decisions), also of a second server ("in turn"). Servers do some of this work after the answer or in
several threads, so the time of a call may be shorter. The last column is the measured rate on two cores that all share.

${table(["", "client", "1st server", "2nd", "3rd", "in turn", "calls per second on two cores"], rows)}`;
}

const WIDTH = 860;
const NAME_WIDTH = 430;
const VALUE_WIDTH = 70;
const ROW_HEIGHT = 22;
const GRAY = "#8a8f98";
const OURS = "#2f81f7";
const PICTURE_TITLE = "Calls per second of dbsyncd beside etcd, NATS and Redis";

/**
 * Returns a picture in SVG of the calls per second, with a bar for each system and a group of bars for each number of
 * calls in flight. The colors are readable on light and dark pages; screen readers read the title aloud.
 */
function picture(results: Results): string {
  const parts: string[] = [];
  let y = 0;
  for (const [i, callers] of IN_FLIGHT.entries()) {
    const bars = [...results].map(([name, runs]) => ({ name, value: runs[i]?.perSecond ?? Number.NaN }));
    const perPixel = Math.max(...bars.map(({ value }) => value)) / (WIDTH - NAME_WIDTH - VALUE_WIDTH);
    parts.push(`<text x="0" y="${y + 20}" font-weight="bold">Calls per second, ${callers} in flight</text>`);
    y += 12;
    for (const { name, value } of bars) {
      y += ROW_HEIGHT;
      const color = name.startsWith("dbsyncd") ? OURS : GRAY;
      const width = Math.max(1, value / perPixel);
      parts.push(
        `<text x="${NAME_WIDTH - 8}" y="${y + 12}" text-anchor="end">${name}</text>`,
        `<rect x="${NAME_WIDTH}" y="${y}" width="${width.toFixed(1)}" height="16" fill="${color}"/>`,
        `<text x="${(NAME_WIDTH + width + 6).toFixed(1)}" y="${y + 12}">${inEnglish(value)}</text>`,
      );
    }
    y += ROW_HEIGHT;
  }
  const size = `width="${WIDTH}" height="${y}" viewBox="0 0 ${WIDTH} ${y}"`;
  const font = `font-family="system-ui, sans-serif" font-size="12" fill="${GRAY}"`;
  const head = `<svg xmlns="http://www.w3.org/2000/svg" role="img" ${size} ${font}>\n<title>${PICTURE_TITLE}</title>`;
  return [head, ...parts, "</svg>\n"].join("\n");
}

const rounds = await alternate(systems, { rounds: ROUNDS }, measureRound);
const results: Results = new Map(
  systems.map(({ name }, i) => [
    name,
    IN_FLIGHT.map((_, callers) => medians((rounds[i] ?? []).map((runs) => runs[callers] as CpuFigures))),
  ]),
);
report("peers", TITLE, text(results));
report("peers-lone", "A lone call on three machines", loneText(results));
if (!isSmoke) writeFileSync(join(repositoryRoot, "docs/pictures/peers.svg"), picture(results));
