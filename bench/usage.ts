/**
 * Measures what servers use: the CPU time of a process, beside that of plain signature checks; the disk usage of a
 * folder, the memory of a process, and their growth, in MiB; and the memory of daemons with a probe and of redis-server.
 */
import { generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  type Stats,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { ByteString } from "../protocol/byte-string.js";
import { RedisConnection } from "../test/support/redis-connection.js";
import { startRedis } from "../test/support/redis-server.js";
import { buildRoot } from "../test/support/repository.js";
import type { MemoryProbe } from "./memory-probe.js";
import { type FaceServer, type Server, startFace } from "./processes.js";

export const MIB = 2 ** 20;
const BLOCK_BYTES = 512;

export interface DiskUse {
  readonly tree: number;
  readonly snapshots: number;
  readonly total: number;
}

export function diskUse(folder: string): DiskUse {
  const use = { tree: 0, snapshots: 0, total: 0 };
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const size = blocksOf(join(folder, name)) / MIB;
    use.total += size;
    if (name.endsWith("data.mdb")) use.tree += size;
    else if (name.includes(".snapshot")) use.snapshots += size;
  }
  return use;
}

/** Returns the number of bytes that a file occupies on disk, or 0 if it was removed in the meantime. */
function blocksOf(path: string): number {
  const found: Stats | undefined = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() ? found.blocks * BLOCK_BYTES : 0;
}

export interface MemoryUse {
  readonly own: number;
  /**
   * The resident memory. It includes pages of files, for example of LMDB, which the operating system reclaims when
   * necessary.
   */
  readonly resident: number;
}

export function memoryUse(pid: number): MemoryUse {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
  return { own: field("RssAnon"), resident: field("VmRSS") };
}

/** Returns the bytes that a process has written, to sockets and files. */
export const bytesWritten = (pid: number): number =>
  Number(/wchar: (\d+)/.exec(readFileSync(`/proc/${pid}/io`, "utf8"))?.[1]);

/**
 * Returns the maximum of the second half divided by the maximum of the first half.
 * @param values  samples in order, after the values have become stable
 */
export function growthOf(values: readonly number[]): number {
  const half = Math.floor(values.length / 2);
  return Math.max(...values.slice(half)) / Math.max(...values.slice(0, half));
}

export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Splits samples into a number of groups of consecutive samples. */
export function inGroups<T>(samples: readonly T[], rows: number): T[][] {
  const size = Math.ceil(samples.length / rows);
  return Array.from({ length: Math.ceil(samples.length / size) }, (_, i) =>
    samples.slice(i * size, (i + 1) * size),
  );
}

/** Returns the command that writes the value with this number. */
export type CommandOf = (i: number) => readonly ByteString[];

const PIPELINED = 1000;

/** Fills servers for Redis clients with values, and measures the memory that redis-server uses for them. */
export const digits = (i: number, length: number): string => String(i).padStart(length, "0");

/** Sets a key of 16 bytes to a value of 14. */
export const stringCommand = (i: number): string[] => [
  "SET",
  `key:${digits(i, 12)}`,
  `value:${digits(i, 8)}`,
];

/** Sends commands, 1,000 at a time. */
export async function fill(connection: RedisConnection, command: CommandOf, count: number): Promise<void> {
  for (let from = 0; from < count; from += PIPELINED) {
    for (let i = from; i < Math.min(count, from + PIPELINED); i++) connection.queue(command(i));
    await connection.flush();
  }
}

/** Starts redis-server, and returns the bytes by which its live objects and the process grow when it is filled. */
export async function measureRedis(command: CommandOf, count: number) {
  await using redis = await startRedis();
  using connection = await RedisConnection.open(redis.port);
  const memory = async () => {
    const info = JSON.stringify(await connection.call("INFO", "memory"));
    return {
      used: Number(/used_memory:(\d+)/.exec(info)?.[1]),
      resident: memoryUse(redis.pid).resident * 2 ** 20,
    };
  };
  const before = await memory();
  await fill(connection, command, count);
  const after = await memory();
  return { used: after.used - before.used, resident: after.resident - before.resident };
}

const PROBE = join(buildRoot, "bench/memory-probe.js");

/** Starts a daemon with --resp and a probe, through which a benchmark can read its memory usage at any time. */
export const startProbed = (...args: readonly string[]): Promise<FaceServer> =>
  startFace("resp", args, ["--expose-gc", "--import", PROBE]);

/** Returns the memory usage of a daemon from `startProbed` after a garbage collection. */
export function probeOf({ process: child }: Server): Promise<MemoryProbe> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  return new Promise((resolve) => {
    lines.on("line", (line) => {
      const { probe } = JSON.parse(line) as { readonly probe?: MemoryProbe };
      if (probe === undefined) return;
      lines.close();
      resolve(probe);
    });
    child.kill("SIGUSR2");
  });
}

/** Kernel ticks per second: 100 on every Linux that Node supports. */
const TICKS = 100;

/** Reads the CPU time of a process, and measures plain signature checks for comparison. */
export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  readonly privateFile: string;
  /** The folder with the public key, for a daemon's option -s. */
  readonly publicFolder: string;
}

export type KeyType = "rsa" | "ed25519";

/** Creates a key pair. RSA keys have 2048 bits. */
export function makeKey(type: KeyType = "rsa"): KeyPair {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-bench-"));
  const [publicFolder, privateFile] = [join(folder, "public"), join(folder, "key.pem")];
  const { publicKey, privateKey } =
    type === "rsa" ? generateKeyPairSync("rsa", { modulusLength: 2048 }) : generateKeyPairSync("ed25519");
  mkdirSync(publicFolder);
  writeFileSync(join(publicFolder, `${type}.pem`), publicKey.export({ type: "spki", format: "pem" }));
  writeFileSync(privateFile, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  return { publicKey, privateKey, privateFile, publicFolder };
}

/** Returns the CPU seconds that a process has used so far, including all threads and kernel time. */
export const cpuSeconds = (pid: number): number => secondsIn(`/proc/${pid}/stat`);

/**
 * Returns the CPU time that the existing threads of a process have used, in microseconds. The kernel counts it in
 * nanoseconds, so it is precise enough for intervals of a few hundred milliseconds.
 */
export const cpuMicros = (pid: number): number =>
  readdirSync(`/proc/${pid}/task`).reduce((sum, thread) => sum + threadMicros(pid, thread), 0);

/** Returns the CPU time of several servers in microseconds. */
export const cpuOf = (servers: readonly { readonly pid: number }[]): number =>
  servers.reduce((sum, { pid }) => sum + cpuMicros(pid), 0);

export const mainThreadMicros = (pid: number): number => threadMicros(pid, String(pid));

const threadMicros = (pid: number, thread: string): number =>
  Number(readFileSync(`/proc/${pid}/task/${thread}/schedstat`, "utf8").split(" ")[0]) / 1000;

function secondsIn(file: string): number {
  const fields = readFileSync(file, "utf8").split(") ")[1]?.split(" ") ?? [];
  return (Number(fields[11]) + Number(fields[12])) / TICKS;
}

/**
 * Returns the CPU seconds of one signature check, averaged over a loop. Other processes on the core do not affect the
 * result.
 */
export function verifySeconds({ publicKey, privateKey }: KeyPair): number {
  const bytes = Buffer.alloc(300, "x");
  const hash = publicKey.asymmetricKeyType === "rsa" ? "sha256" : null;
  const signature = sign(hash, bytes, privateKey);
  const rounds = 5000;
  const start = process.cpuUsage();
  for (let i = 0; i < rounds; i++) verify(hash, bytes, publicKey, signature);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6 / rounds;
}
