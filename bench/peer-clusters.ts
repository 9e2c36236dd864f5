/**
 * Clusters of three servers of one product with a client that writes to them: etcd, NATS, Redis and dbsyncd. Each
 * server has its own folder.
 */
import { type ChildProcess, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import { writeFileSync } from "node:fs";
import { connect as connectHttp2 } from "node:http2";
import { join } from "node:path";
import { jetstream, jetstreamManager } from "@nats-io/jetstream";
import { connect as connectNats } from "@nats-io/transport-node";
import type { Policy } from "../client/public-api.js";
import { freePort } from "../test/support/free-port.js";
import { NatsServer } from "../test/support/nats-server.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { scratchFolder } from "../test/support/scratch-folder.js";
import { until } from "../test/support/until.js";
import type { Durability, PrivateKey, Workspace } from "./timeline-daemons.js";

export const SERVERS = 3;
const START_MS = 20_000;
/** Milliseconds until a request to NATS is repeated. NATS does not answer before a leader has been elected. */
const REQUEST_MS = 1000;
const folder = scratchFolder("peers");
let folders = 0;

export interface Cluster extends AsyncDisposable {
  /** The process ids of the servers. */
  readonly pids: readonly number[];
  /** Writes a key. Resolves when the servers have acknowledged the write. */
  put(key: string, value: string): Promise<unknown>;
}

/**
 * Repeats a check of a starting cluster until it returns a value.
 * @throws Error after START_MS; the cause is the last failure
 */
async function started<T>(check: () => Promise<T | undefined>): Promise<T> {
  let value: T | undefined;
  const holds = async () => (value = await check()) !== undefined;
  await until("the cluster has started", holds, { ms: START_MS, mayFail: true });
  return value as T;
}

async function killed(child: ChildProcess): Promise<void> {
  const ended = once(child, "exit");
  if (child.exitCode === null && child.kill("SIGKILL")) await ended;
}

/** Starts etcd. The client speaks gRPC to the leader, all calls over one HTTP/2 connection. */
export async function startEtcd(): Promise<Cluster> {
  const data = join(folder, `${++folders}`);
  const address = async () => `http://127.0.0.1:${await freePort()}`;
  const members = await Promise.all(
    Array.from({ length: SERVERS }, async (_, i) => ({
      name: `m${i}`,
      client: await address(),
      peer: await address(),
    })),
  );
  const all = members.map(({ name, peer }) => `${name}=${peer}`).join();
  const children = members.map(({ name, client, peer }) => {
    const location = ["--name", name, "--data-dir", join(data, name), "--initial-cluster", all];
    const forClients = ["--listen-client-urls", client, "--advertise-client-urls", client];
    const forPeers = ["--listen-peer-urls", peer, "--initial-advertise-peer-urls", peer];
    const child = spawn("etcd", [...location, ...forClients, ...forPeers], { stdio: "ignore" });
    const killChild = () => void child.kill("SIGKILL");
    process.once("exit", killChild);
    child.once("exit", () => process.off("exit", killChild));
    return child;
  });
  const leader = await started(async () => {
    for (const { client } of members) {
      const answer = await fetch(`${client}/v3/maintenance/status`, { method: "POST", body: "{}" });
      const { header, leader } = (await answer.json()) as { header: { member_id: string }; leader?: string };
      if (header.member_id === leader) return client;
    }
    return undefined;
  });
  const session = connectHttp2(leader);
  return {
    pids: children.map(({ pid }) => pid as number),
    put: (key, value) =>
      new Promise<void>((resolve, reject) => {
        const head = { ":method": "POST", ":path": "/etcdserverpb.KV/Put", te: "trailers" };
        const stream = session.request({ ...head, "content-type": "application/grpc" });
        let status: unknown;
        stream.once("trailers", (trailers) => (status = trailers["grpc-status"]));
        stream.once("error", reject);
        stream.once("close", () =>
          status === "0" ? resolve() : reject(new Error(`etcd: grpc-status ${status}`)),
        );
        stream.resume();
        stream.end(putRequest(key, value));
      }),
    async [Symbol.asyncDispose]() {
      session.destroy();
      await Promise.all(children.map(killed));
    },
  };
}

/**
 * Returns a gRPC message with etcd's PutRequest: field 1 is the key, field 2 the value, both shorter than 128 bytes.
 */
function putRequest(key: string, value: string): Buffer {
  const body = Buffer.from(
    `\x0a${String.fromCharCode(key.length)}${key}\x12${String.fromCharCode(value.length)}${value}`,
    "latin1",
  );
  const head = Buffer.alloc(5);
  head.writeUInt32BE(body.length, 1);
  return Buffer.concat([head, body]);
}

/** A configuration with which NATS syncs each write to disk. */
const syncingNats = join(folder, "nats-syncs-always.conf");
writeFileSync(syncingNats, "jetstream { sync_interval: always }\n");

/** Whether this version of NATS supports sync_interval. */
export function natsCanSync(): boolean {
  return spawnSync("nats-server", ["-t", "-c", syncingNats]).status === 0;
}

/**
 * Starts NATS with a key-value bucket on file storage. The client publishes to the leader of its stream, as a KV
 * client's put does.
 */
export async function startNats(sync: "default" | "always"): Promise<Cluster> {
  const servers = await NatsServer.startCluster(SERVERS, sync === "always" ? ["-c", syncingNats] : []);
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
    pids: servers.map(({ pid }) => pid),
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
export async function startRedisReplicas(connections: number): Promise<Cluster> {
  const syncs = ["--appendonly", "yes", "--appendfsync", "always", "--repl-diskless-sync-delay", "0"];
  const primary = await startRedis({ args: syncs });
  const replicaOf = ["--replicaof", "127.0.0.1", String(primary.port)];
  const replicas = await Promise.all(
    Array.from({ length: SERVERS - 1 }, () => startRedis({ args: [...syncs, ...replicaOf] })),
  );
  const servers = [primary, ...replicas];
  const free = await Promise.all(
    Array.from({ length: connections }, () => RedisConnection.open(primary.port)),
  );
  const all = [...free];
  const set = async (key: string, value: string, wait: number) => {
    const connection = free.pop() as RedisConnection;
    connection.queue(["SET", key, value]);
    connection.queue(["WAIT", String(wait), String(START_MS)]);
    const [stored, acknowledged] = await connection.flush();
    free.push(connection);
    const isDone = stored?.kind === "status" && acknowledged?.kind === "integer";
    if (!isDone || acknowledged.value < wait) throw new Error("redis-server: no replica has acknowledged");
  };
  await started(async () => {
    await set("started", "", SERVERS - 1);
    return true;
  });
  return {
    pids: servers.map(({ pid }) => pid),
    put: (key, value) => set(key, value, 1),
    async [Symbol.asyncDispose]() {
      for (const connection of all) connection[Symbol.dispose]();
      await Promise.all(servers.map((server) => server.stop()));
    },
  };
}

/** Starts daemons that are peers of each other. The client sends to all of them. */
export async function startDaemons(
  workspace: Workspace,
  { durability, key, policy }: { durability: Durability; key: PrivateKey; policy: Policy },
): Promise<Cluster> {
  const servers = await workspace.start(durability);
  const client = workspace.client(servers, key);
  return {
    pids: servers.map(({ pid }) => pid),
    put: (key, value) => client.send(["SET", key, value], { policy }),
    async [Symbol.asyncDispose]() {
      await client[Symbol.asyncDispose]();
      await servers[Symbol.asyncDispose]();
    },
  };
}
