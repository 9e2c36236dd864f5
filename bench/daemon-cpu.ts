/** Reads the CPU time of a process, and measures plain signature checks for comparison. */
import { constants, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Kernel ticks per second: 100 on every Linux that Node supports. */
const TICKS = 100;

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  readonly privateFile: string;
}

/** Creates RSA-2048 key pairs. `publicFolder` contains the public keys, for a daemon's option -s. */
export function makeKeys(count: number): {
  readonly keys: readonly KeyPair[];
  readonly publicFolder: string;
} {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-bench-"));
  const publicFolder = join(folder, "public");
  mkdirSync(publicFolder);
  const keys = Array.from({ length: count }, (_, i) => {
    const { publicKey, privateKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
    const privateFile = join(folder, `${i}-key.pem`);
    writeFileSync(join(publicFolder, `${i}.pem`), publicKey.export({ type: "spki", format: "pem" }));
    writeFileSync(privateFile, privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
    return { publicKey, privateKey, privateFile };
  });
  return { keys, publicFolder };
}

/** Returns the CPU seconds that a process has used so far, including all threads and kernel time. */
export const cpuSeconds = (pid: number): number => secondsIn(`/proc/${pid}/stat`);

export const mainThreadSeconds = (pid: number): number => secondsIn(`/proc/${pid}/task/${pid}/stat`);

/**
 * Returns the CPU time that the existing threads of a process have used, in microseconds. The kernel counts it in
 * nanoseconds, so it is precise enough for intervals of a few hundred milliseconds.
 */
export function cpuMicros(pid: number): number {
  const folder = `/proc/${pid}/task`;
  const nanoseconds = readdirSync(folder).map((task) =>
    Number(readFileSync(`${folder}/${task}/schedstat`, "utf8").split(" ")[0]),
  );
  return nanoseconds.reduce((sum, one) => sum + one, 0) / 1000;
}

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
  const padding = constants.RSA_PKCS1_PADDING;
  const signature = sign("sha256", bytes, { key: privateKey, padding });
  const rounds = 5000;
  const start = process.cpuUsage();
  for (let i = 0; i < rounds; i++) verify("sha256", bytes, { key: publicKey, padding }, signature);
  const { user, system } = process.cpuUsage(start);
  return (user + system) / 1e6 / rounds;
}
