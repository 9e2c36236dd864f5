/**
 * Two servers for clients of sentinels: a pair of daemons with --sentinel, and a redis-server with a replica and three
 * sentinels. Both sync each write to their disks.
 */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { ActiveCluster } from "../support/active-cluster.js";
import { freePort } from "../support/free-port.js";
import { askRedis, RedisConnection, textOf } from "../support/redis-connection.js";
import { MASTER_NAME, type Sentinel, startSentinel } from "../support/redis-sentinels.js";
import { type RedisServer, startRedis } from "../support/redis-server.js";
import { until } from "../support/until.js";

export interface SentinelPair extends AsyncDisposable {
  readonly name: string;
  readonly sentinelPorts: readonly number[];
  /** The name by which clients request the master. */
  readonly masterName: string;
  /** Returns the index of the server that the sentinels name, once all of them name the same one. */
  named(): Promise<number>;
  end(index: number, signal: "SIGKILL" | "SIGTERM"): Promise<void>;
  /** Starts a server with its data, and waits until it has caught up. */
  start(index: number): Promise<void>;
  hang(index: number): void;
  /** Resumes a server that hangs, and waits until it has caught up. */
  resume(index: number): Promise<void>;
  /** Prevents the servers from exchanging data, or permits it. */
  setApart(areApart: boolean): Promise<void>;
  /** Prepares the end of a server for an upgrade, as an administrator would. */
  release(index: number): Promise<void>;
  /** Waits until both servers have the same data. @returns the fields of a hash at each server */
  fields(key: string): Promise<readonly ReadonlyMap<string, number>[]>;
}

/** Returns the port that a sentinel names, or 0 if it names none. */
async function portNamedBy(sentinel: number): Promise<number> {
  const reply = await askRedis(sentinel, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME);
  const [, port] = reply.kind === "array" ? reply.items : [];
  return port?.kind === "bulk" ? Number(port.bytes) : 0;
}

/** Waits until running sentinels name the same server. @returns its index in `ports` */
async function untilNamed(sentinels: readonly number[], ports: readonly number[]): Promise<number> {
  let found = -1;
  await until(
    "the sentinels name one server",
    async () => {
      const named = await Promise.allSettled(sentinels.map(portNamedBy));
      const answers = new Set(named.flatMap((each) => (each.status === "fulfilled" ? [each.value] : [])));
      const [port = 0] = answers;
      found = ports.indexOf(port);
      return answers.size === 1 && found !== -1;
    },
    { mayFail: true },
  );
  return found;
}

async function fieldsAt(port: number, key: string): Promise<Map<string, number>> {
  using connection = await RedisConnection.open(port);
  const flat = (await connection.value("HGETALL", key)) as readonly string[];
  const fields = new Map<string, number>();
  for (let i = 0; i < flat.length; i += 2) fields.set(String(flat[i]), Number(flat[i + 1]));
  return fields;
}

/** Two daemons that are peers. */
export async function startDaemonPair(): Promise<SentinelPair> {
  const sentinelPorts = [await freePort(), await freePort()];
  const cluster = await ActiveCluster.start(2, {
    args: (index) => ["--sentinel", String(sentinelPorts[index])],
  });
  const ports = cluster.indices.map((index) => cluster.respPort(index));

  return {
    name: "two daemons",
    sentinelPorts,
    // Without --sentinel-name, this name is in the lists of masters, which some clients read.
    masterName: "mymaster",
    named: () => untilNamed(sentinelPorts, ports),
    end: (index, signal) => cluster.end(index, signal),
    start: (index) => cluster.restart(index),
    hang: (index) => cluster.hang(index),
    async resume(index) {
      cluster.resume(index);
      await cluster.untilWritable(index);
    },
    async setApart(areApart) {
      cluster.areApart = areApart;
    },
    async release() {},
    async fields(key) {
      await cluster.untilEqual();
      return await Promise.all(ports.map((port) => fieldsAt(port, key)));
    },
    [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
  };
}

/** The milliseconds of silence after which a sentinel considers a server down. */
export const DOWN_AFTER_MS = 1_000;
const SENTINELS = 3;
const QUORUM = 2;
const REPLICATION_USER = "user replica on >secret +psync +replconf +ping";

class RedisPair implements SentinelPair {
  readonly name = "redis-server with a replica and three sentinels";
  readonly masterName = MASTER_NAME;
  readonly sentinelPorts: readonly number[];
  readonly #sentinels: readonly Sentinel[];
  readonly #servers: RedisServer[];
  readonly #folders: readonly string[];

  constructor(servers: RedisServer[], folders: readonly string[], sentinels: readonly Sentinel[]) {
    this.#servers = servers;
    this.#folders = folders;
    this.#sentinels = sentinels;
    this.sentinelPorts = sentinels.map(({ port }) => port);
  }

  get #ports(): readonly number[] {
    return this.#servers.map(({ port }) => port);
  }

  named(): Promise<number> {
    return untilNamed(this.sentinelPorts, this.#ports);
  }

  async end(index: number, signal: "SIGKILL" | "SIGTERM"): Promise<void> {
    const server = this.#servers[index] as RedisServer;
    if (signal === "SIGTERM") await textOf(server.port, "SHUTDOWN").catch(() => {});
    await server.stop();
  }

  async start(index: number): Promise<void> {
    const { port } = this.#servers[index] as RedisServer;
    this.#servers[index] = await startServer(this.#folders[index] as string, port);
    await this.#untilCaughtUp();
  }

  hang(index: number): void {
    this.#servers[index]?.kill("SIGSTOP");
  }

  async resume(index: number): Promise<void> {
    this.#servers[index]?.kill("SIGCONT");
    await this.#untilCaughtUp();
  }

  async setApart(areApart: boolean): Promise<void> {
    // A server that is not running has its user from the start.
    await Promise.allSettled(
      this.#ports.map(async (port) => {
        await textOf(port, "ACL", "SETUSER", "replica", areApart ? "off" : "on");
        if (areApart) await textOf(port, "CLIENT", "KILL", "TYPE", "replica");
      }),
    );
  }

  async release(index: number): Promise<void> {
    if ((await this.named()) !== index) return;
    await textOf(this.sentinelPorts[0] as number, "SENTINEL", "FAILOVER", MASTER_NAME);
    await until("the sentinels name the other server", async () => (await this.named()) !== index);
    await this.#untilCaughtUp();
  }

  async fields(key: string): Promise<readonly ReadonlyMap<string, number>[]> {
    await this.#untilCaughtUp();
    return await Promise.all(this.#ports.map((port) => fieldsAt(port, key)));
  }

  /** Waits until one server is the replica of the named one, and has its data. */
  async #untilCaughtUp(): Promise<void> {
    await until(
      "the replica has caught up",
      async () => {
        const named = await this.named();
        const [master = "", replica = ""] = await Promise.all(
          [named, 1 - named].map((index) => textOf(this.#ports[index] as number, "INFO", "replication")),
        );
        const offset = /master_repl_offset:(\d+)/;
        return (
          /role:master/.test(master) &&
          /master_link_status:up/.test(replica) &&
          offset.exec(master)?.[1] === offset.exec(replica)?.[1]
        );
      },
      { mayFail: true },
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.#sentinels, ...this.#servers].map((each) => each.stop()));
    for (const folder of this.#folders) rmSync(folder, { recursive: true });
  }
}

async function startServer(folder: string, port: number, more: readonly string[] = []): Promise<RedisServer> {
  const disk = ["--dir", folder, "--appendonly", "yes", "--appendfsync", "always"];
  const user = ["--user", ...REPLICATION_USER.split(" ").slice(1)];
  const replica = ["--masteruser", "replica", "--masterauth", "secret", "--repl-diskless-sync-delay", "0"];
  return await startRedis({ port, args: [...disk, ...user, ...replica, ...more] });
}

export async function startRedisPair(): Promise<SentinelPair> {
  const folders = [0, 1].map(() => mkdtempSync(join(tmpdir(), "dbsync-failover-redis-")));
  const [first = "", second = ""] = folders;
  const master = await startServer(first, await freePort());
  const replica = await startServer(second, await freePort(), [
    "--replicaof",
    "127.0.0.1",
    String(master.port),
  ]);

  const settings = [`sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`];
  const sentinels = await Promise.all(
    Array.from({ length: SENTINELS }, () => startSentinel(master.port, QUORUM, settings)),
  );

  const pair = new RedisPair([master, replica], folders, sentinels);
  for (const { port } of sentinels)
    await until("the sentinel knows the replica and the other sentinels", async () => {
      const state = JSON.stringify(await askRedis(port, "SENTINEL", "MASTER", MASTER_NAME));
      return /"num-slaves"[^}]*}[^}]*"1"/.test(state) && /"num-other-sentinels"[^}]*}[^}]*"2"/.test(state);
    });
  await pair.fields("none");
  return pair;
}
