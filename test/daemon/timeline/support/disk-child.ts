/**
 * A process that writes to a storage: node disk-child.js FOLDER FSYNC small|large INLINE-MICROS. Eight workers write
 * concurrently. In each round, a worker puts an entry and a mark with its number, and prints the number when the flush
 * has resolved. If entries are small, it also removes its entry of KEPT rounds ago. When a write fails, the process
 * prints "failed: " and the reason, twice, and ends; otherwise it runs until it is killed.
 */
import { writeSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { parseFsync } from "../../../../daemon/options/timeline-values.js";
import { DiskStorage } from "../../../../daemon/timeline/disk/disk-storage.js";
import { writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { failingLog } from "./failing-log.js";

export const WORKERS = 8;
/** The number of entries of each worker that remain in the storage. */
export const KEPT = 50;

export type ValueSize = "small" | "large";

export const orderKeyOf = (number: number): Buffer =>
  writeOrderKey({ at: number, seq: 0, id: "i".repeat(32) });
export const contentOf = (number: number, size: ValueSize = "small"): Buffer =>
  Buffer.alloc(size === "small" ? 500 : 50_000, number);

async function main(folder: string, fsync: string, size: ValueSize, inline: number): Promise<void> {
  const storage = new DiskStorage(folder, parseFsync(fsync), failingLog, inline);
  const say = (line: string) => writeSync(1, `${line}\n`);

  const write = async (worker: number): Promise<void> => {
    for (let number = worker; ; number += WORKERS) {
      storage.put(
        [[orderKeyOf(number), contentOf(number, size)]],
        [["watermark", Buffer.from(String(number))]],
      );
      const old = number - KEPT * WORKERS;
      if (old >= 0 && size === "small") storage.remove([orderKeyOf(old)]);
      await storage.flushed();
      say(String(number));
    }
  };

  try {
    await Promise.all(Array.from({ length: WORKERS }, (_, worker) => write(worker)));
  } catch (problem) {
    say(`failed: ${(problem as Error).message}`);
    storage.put([[orderKeyOf(1), Buffer.alloc(1)]]);
    await storage.flushed().catch((again: Error) => say(`failed: ${again.message}`));
    process.exit(1);
  }
}

const [, program, folder, fsync, size, inline] = process.argv;
if (program === fileURLToPath(import.meta.url))
  await main(folder as string, fsync as string, size as ValueSize, Number(inline));
