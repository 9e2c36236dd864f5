/**
 * A process with a store, filled as a daemon fills it: commands out of buffers, each as a unit of its own. Prints what memory
 * it has taken, in bytes, as a line of JSON. Run with --expose-gc.
 */
import { unitId } from "../protocol/envelope.js";
import { RespReader } from "../protocol/resp-reader.js";
import { writeCommand } from "../protocol/resp-writer.js";
import { Database } from "../store/database.js";
import { DATA_SETS, type DataSet } from "./data-sets.js";

/** About as many bytes as come in one piece from a socket: 64 KiB. */
const COMMANDS_A_BUFFER = 1000;
/** Enough for what a process takes once and for all. */
const WARM_UP = 200_000;
const INSTANCE = "\x5a".repeat(32);

const [name, count] = process.argv.slice(2) as [DataSet, string];

function fill(database: Database, size: number): void {
  for (let from = 0; from < size; from += COMMANDS_A_BUFFER) {
    let text = "";
    const end = Math.min(size, from + COMMANDS_A_BUFFER);
    for (let i = from; i < end; i++) text += writeCommand(DATA_SETS[name](i));
    const reader = new RespReader(Buffer.from(text, "latin1"));
    for (let i = from; i < end; i++)
      database.execute(reader.readCommand(), { at: Date.now(), db: 0, id: unitId(INSTANCE, i) });
  }
}

function used(): { used: number; resident: number } {
  const { heapUsed, arrayBuffers, rss } = process.memoryUsage();
  return { used: heapUsed + arrayBuffers, resident: rss };
}

fill(new Database(), WARM_UP);
globalThis.gc?.();
const before = used();
const database = new Database();
fill(database, Number(count));
const filled = used();
globalThis.gc?.();
const after = used();
console.log(
  JSON.stringify({
    used: after.used - before.used,
    resident: after.resident - before.resident,
    residentBeforeCollection: filled.resident - before.resident,
    keys: database.keyspaces[0]?.size,
  }),
);
