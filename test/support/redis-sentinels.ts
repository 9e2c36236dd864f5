/** A Redis server with a replica and three sentinels for one test, as real processes. */
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { kill, killedAtExit } from "./child-process.js";
import { freePort } from "./free-port.js";
import { askRedis, textOf } from "./redis-connection.js";
import { type RedisServer, startRedis } from "./redis-server.js";
import { until } from "./until.js";

export const MASTER_NAME = "main";
const SENTINELS = 3;
const QUORUM = 2;
const DOWN_AFTER_MS = 3_000;

export class RedisSentinels implements AsyncDisposable {
  /** The servers; the first starts as the master. */
  readonly servers: RedisServer[];
  readonly sentinels: readonly Sentinel[];

  private constructor(servers: RedisServer[], sentinels: readonly Sentinel[]) {
    this.servers = servers;
    this.sentinels = sentinels;
  }

  static async start(): Promise<RedisSentinels> {
    const master = await startRedis();
    const replica = await startReplica(master.port);
    const sentinels = await Promise.all(Array.from({ length: SENTINELS }, () => startSentinel(master.port)));
    const group = new RedisSentinels([master, replica], sentinels);

    for (const { port } of sentinels)
      await until(
        "the sentinel knows the replica and the other sentinels",
        async () => {
          const state = JSON.stringify(await askRedis(port, "SENTINEL", "MASTER", MASTER_NAME));
          return (
            /"num-slaves"[^}]*}[^}]*"1"/.test(state) && /"num-other-sentinels"[^}]*}[^}]*"2"/.test(state)
          );
        },
        { mayFail: true },
      );
    await until(
      "the replica is connected to its master",
      async () => /master_link_status:up/.test(await textOf(replica.port, "INFO", "replication")),
      { mayFail: true },
    );
    return group;
  }

  get places(): string {
    return this.sentinels.map(({ port }) => `127.0.0.1:${port}`).join(",");
  }

  /** Returns the port of the master, according to a sentinel. */
  async masterPort(sentinel = this.sentinels[0] as Sentinel): Promise<number> {
    const reply = await askRedis(sentinel.port, "SENTINEL", "GET-MASTER-ADDR-BY-NAME", MASTER_NAME);
    const [, port] = reply.kind === "array" ? reply.items : [];
    return port?.kind === "bulk" ? Number(port.bytes) : 0;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await Promise.all([...this.sentinels, ...this.servers].map((one) => one.stop()));
  }
}

/** Starts a replica of a server. @param master  the server's port @param args  more arguments */
export async function startReplica(master: number, args: readonly string[] = []): Promise<RedisServer> {
  const of = ["--replicaof", "127.0.0.1", String(master), "--repl-diskless-sync-delay", "0"];
  return await startRedis({ args: [...of, ...args] });
}

export interface Sentinel {
  readonly port: number;
  kill(signal: NodeJS.Signals): void;
  stop(): Promise<void>;
}

/** Starts a sentinel. @param master  the port of its master @param more  more lines of the configuration file */
export async function startSentinel(
  master: number,
  quorum = QUORUM,
  more: readonly string[] = [],
): Promise<Sentinel> {
  const port = await freePort();
  const folder = mkdtempSync(join(tmpdir(), "dbsync-sentinel-"));
  const file = join(folder, "sentinel.conf");
  const lines = [
    ...[`port ${port}`, "bind 127.0.0.1", `dir ${folder}`],
    `sentinel monitor ${MASTER_NAME} 127.0.0.1 ${master} ${quorum}`,
    `sentinel down-after-milliseconds ${MASTER_NAME} ${DOWN_AFTER_MS}`,
    `sentinel failover-timeout ${MASTER_NAME} 5000`,
    ...more,
  ];
  writeFileSync(file, `${lines.join("\n")}\n`);

  const child = killedAtExit(
    spawn("redis-server", [file, "--sentinel"], { stdio: ["ignore", "ignore", "inherit"] }),
  );
  child.once("exit", () => rmSync(folder, { recursive: true, force: true }));
  await until("the sentinel answers", async () => /PONG|NOAUTH/.test(await textOf(port, "PING")), {
    mayFail: true,
  });
  return { port, kill: (signal) => void child.kill(signal), stop: () => kill(child) };
}
