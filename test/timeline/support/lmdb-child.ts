/**
 * A process that writes to a storage: node lmdb-child.js FOLDER. It prints the number of each entry whose flush has
 * resolved, or "failed: " and the reason, and ends only when it is killed or has failed twice.
 */
import { writeSync } from "node:fs";
import { writePlace } from "../../../timeline/entry.js";
import { LmdbStorage } from "../../../timeline/lmdb-storage.js";

const [folder] = process.argv.slice(2);
const storage = new LmdbStorage(folder as string, "always");
const say = (line: string) => writeSync(1, `${line}\n`);

async function write(worker: number): Promise<void> {
  for (let number = worker; ; number += 8) {
    storage.put([[writePlace({ at: number, seq: 0, id: "i".repeat(32) }), Buffer.alloc(500, number)]]);
    await storage.flushed();
    say(String(number));
  }
}

try {
  await Promise.all(Array.from({ length: 8 }, (_, worker) => write(worker)));
} catch (problem) {
  say(`failed: ${(problem as Error).message}`);
  storage.put([[writePlace({ at: 1, seq: 1, id: "i".repeat(32) }), Buffer.alloc(1)]]);
  await storage.flushed().catch((again: Error) => say(`failed: ${again.message}`));
  process.exit(1);
}
