/** The disk usage of a folder and the memory of a process, in MiB, and their growth. */
import { readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";

const MIB = 2 ** 20;
const BLOCK_BYTES = 512;

export interface DiskUse {
  readonly tree: number;
  /** Both files of the write-ahead log. */
  readonly log: number;
  readonly snapshots: number;
  readonly total: number;
}

export function diskUse(folder: string): DiskUse {
  const use = { tree: 0, log: 0, snapshots: 0, total: 0 };
  for (const name of readdirSync(folder, { recursive: true, encoding: "utf8" })) {
    const size = blocksOf(join(folder, name)) / MIB;
    use.total += size;
    if (name.endsWith("data.mdb")) use.tree += size;
    else if (/log-[12]$/.test(name)) use.log += size;
    else if (name.includes(".snapshot")) use.snapshots += size;
  }
  return use;
}

/** Returns the bytes that a file occupies on disk; 0: it was removed meanwhile. */
function blocksOf(path: string): number {
  const found: Stats | undefined = statSync(path, { throwIfNoEntry: false });
  return found?.isFile() ? found.blocks * BLOCK_BYTES : 0;
}

export interface MemoryUse {
  readonly own: number;
  /** Resident memory, including pages of files such as LMDB's, which the operating system reclaims if required. */
  readonly resident: number;
}

export function memoryUse(pid: number): MemoryUse {
  const status = readFileSync(`/proc/${pid}/status`, "utf8");
  const field = (name: string) => Number(new RegExp(`^${name}:\\s+(\\d+)`, "m").exec(status)?.[1]) / 1024;
  return { own: field("RssAnon"), resident: field("VmRSS") };
}

/**
 * Returns the maximum of the later half divided by that of the earlier one.
 * @param values  in order, after the level was reached
 */
export function growthOf(values: readonly number[]): number {
  const half = Math.floor(values.length / 2);
  return Math.max(...values.slice(half)) / Math.max(...values.slice(0, half));
}

export const meanOf = (values: readonly number[]): number =>
  values.reduce((sum, value) => sum + value, 0) / values.length;

/** Splits samples into the given number of consecutive runs. */
export function inRows<T>(samples: readonly T[], rows: number): T[][] {
  const size = Math.ceil(samples.length / rows);
  return Array.from({ length: Math.ceil(samples.length / size) }, (_, i) =>
    samples.slice(i * size, (i + 1) * size),
  );
}
