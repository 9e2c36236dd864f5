/** Reads the CPU time of a process, and measures plain signature checks for comparison. */
import { generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Kernel ticks per second: 100 on every Linux that Node supports. */
const TICKS = 100;

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
