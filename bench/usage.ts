/** Measures the disk usage of a folder, the memory of a process, and their growth, in MiB. */
import { readdirSync, readFileSync, type Stats, statSync } from "node:fs";
import { join } from "node:path";

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
