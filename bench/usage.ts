/**
 * Measures what servers use: CPU time, beside that of plain signature checks; disk space; memory, also of daemons with
 * a probe and of redis-server.
 */
import { createPublicKey, type KeyObject, sign, verify } from "node:crypto";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import type { ByteString } from "../protocol/byte-string.js";
import type { DaemonProcess } from "../test/support/daemon-process.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import type { RedisServer } from "../test/support/redis-server.js";
import { buildRoot } from "../test/support/repository.js";
import type { MemoryProbe } from "./memory-probe.js";

export const MIB = 2 ** 20;
const BLOCK_BYTES = 512;

/** Returns the space in MiB that a folder occupies on the disk: in total, by LMDB, and by snapshots. */
export function diskUse(folder: string): { total: number; tree: number; snapshots: number } {
  const use = { total: 0, tree: 0, snapshots: 0 };
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    // The daemon may have removed the file in the meantime.
    const found = statSync(join(folder, name), { throwIfNoEntry: false });
    const size = found?.isFile() ? (found.blocks * BLOCK_BYTES) / MIB : 0;
    use.total += size;
    if (name.endsWith("data.mdb")) use.tree += size;
    else if (name.includes(".snapshot")) use.snapshots += size;
  }
  return use;
}

/**
 * Returns the memory of a process in MiB: its own, and the resident memory. The latter includes pages of files, for
 * example of LMDB, which the operating system reclaims when necessary.
 */
export function memoryUse(pid: number): { own: number; resident: number } {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
  return { own: field("RssAnon"), resident: field("VmRSS") };
}

/** Returns the bytes that a process has written, to sockets and files. */
export const bytesWritten = (pid: number): number =>
  Number(/wchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);

export const sumOf = (values: readonly number[]): number => values.reduce((sum, value) => sum + value, 0);

export const meanOf = (values: readonly number[]): number => sumOf(values) / values.length;

/** Returns the command that writes the value with this number. */
export type CommandOf = (i: number) => readonly ByteString[];

/** The number of commands that are sent together. */
const PIPELINED = 1000;

export const digits = (i: number, length: number): string => String(i).padStart(length, "0");

/** Sets a key of 16 bytes to a value of 14. */
export const stringCommand = (i: number): string[] => [
  "SET",
  `key:${digits(i, 12)}`,
  `value:${digits(i, 8)}`,
];

export async function fill(connection: RedisConnection, command: CommandOf, count: number): Promise<void> {
  for (let from = 0; from < count; from += PIPELINED) {
    for (let i = from; i < Math.min(count, from + PIPELINED); i++) connection.queue(command(i));
    await connection.flush();
  }
}

/** Fills redis-server, and returns the bytes by which its live objects and the process grow. */
export async function measureRedis(redis: RedisServer, command: CommandOf, count: number) {
  using connection = await RedisConnection.open(redis.port);
  const memory = async () => {
    const info = JSON.stringify(await connection.call("INFO", "memory"));
    const used = Number(/used_memory:(\d+)/.exec(info)?.[1]);
    return { used, resident: memoryUse(redis.pid).resident * MIB };
  };
  const before = await memory();
  await fill(connection, command, count);
  const after = await memory();
  return { used: after.used - before.used, resident: after.resident - before.resident };
}

/** Arguments of Node with which a daemon has a probe, for `probeOf`. */
export const PROBED = ["--expose-gc", "--import", join(buildRoot, "bench/memory-probe.js")];

/** Returns the memory usage of a daemon with a probe after a garbage collection. */
export async function probeOf(daemon: DaemonProcess): Promise<MemoryProbe> {
  const seen = daemon.log.length;
  daemon.kill("SIGUSR2");
  const line = await daemon.logged((line) => "probe" in line && daemon.log.indexOf(line) >= seen);
  return line["probe"] as MemoryProbe;
}

/**
 * Returns the CPU time that the existing threads of a process have used, in microseconds. The kernel counts it in
 * nanoseconds, so it is precise enough for intervals of a few hundred milliseconds.
 */
export const cpuMicros = (pid: number): number =>
  sumOf(readdirSync(`/proc/${pid}/task`).map((thread) => threadMicros(pid, thread)));

/** Returns the CPU time of several servers in microseconds. */
export const cpuOf = (servers: readonly { readonly pid: number }[]): number =>
  sumOf(servers.map(({ pid }) => cpuMicros(pid)));

export const mainThreadMicros = (pid: number): number => threadMicros(pid, String(pid));

const threadMicros = (pid: number, thread: string): number =>
  Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1000;

/**
 * Returns the CPU seconds of one signature check, averaged over a loop. Other processes on the core do not affect the
 * result.
 */
export function verifySeconds(privateKey: KeyObject): number {
  const bytes = Buffer.alloc(300, "x");
  const hash = privateKey.asymmetricKeyType === "rsa" ? "sha256" : null;
  const signature = sign(hash, bytes, privateKey);
  const publicKey = createPublicKey(privateKey);
  const rounds = 5000;
  const start = process.cpuUsage();
  for (let i = 0; i < rounds; i++) verify(hash, bytes, publicKey, signature);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6 / rounds;
}
