/** What a daemon's work is weighed against: its own CPU time, and what bare verifications take. */
import { constants, generateKeyPairSync, type KeyObject, sign, verify } from "node:crypto";
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** Kernel ticks a second, as on every Linux that Node runs on. */
const TICKS = 100;

export interface KeyPair {
  readonly publicKey: KeyObject;
  readonly privateKey: KeyObject;
  readonly privateFile: string;
}

/** New RSA-2048 keys; `publicFolder` is for a daemon's -s. */
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

/** CPU seconds of a process so far, all its threads and the kernel's work for it. */
export const cpuSeconds = (pid: number): number => secondsIn(`/proc/${pid}/stat`);

export const mainThreadSeconds = (pid: number): number => secondsIn(`/proc/${pid}/task/${pid}/stat`);

/** The same in microseconds and to the nanosecond, of the threads that run: for spans of some hundred milliseconds. */
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

/** CPU seconds of one bare verification, in a loop that does nothing else: others who need the core do not count. */
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
