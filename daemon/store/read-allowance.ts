/**
 * Limits reads that run without interruption, and that no recorded unit contains. The time of most reads follows from
 * the size of the values that they name: such reads are always permitted, as in Redis. A read that visits these values
 * many times is not: what a request names twice counts twice.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { BYTES_PER_STEP, STEPS_GRANTED } from "./keyspace/effort-budget.js";
import type { KeyEntry, Keyspace } from "./keyspace/keyspace.js";
import { estimatedBytes } from "./keyspace/size-estimate.js";
import type { Command } from "./rows/command-row.js";
import { touchesOf } from "./rows/key-spec.js";

/** Maximum number of steps of a read, in addition to those that follow from the sizes of the values that it names. */
export const READ_STEPS = 5_000_000;
/** Number of steps that a read may take for each element of a value that it names, however often it names the value. */
export const READ_STEPS_PER_ELEMENT = 256;
/** The same for each byte that the value takes in memory. */
const READ_STEPS_PER_BYTE = 2;
/** Number of elements from which the size of a value is estimated. */
const SAMPLED_ELEMENTS = 50;

/** A read, or several reads that run together without interruption, with the arguments of each. */
export interface Reads {
  readonly command: Command | readonly Command[];
  readonly argv: readonly ByteString[] | readonly (readonly ByteString[])[];
  /** The database of the unit. */
  readonly db: number;
}

/** Returns the number of steps that reads may take in addition to `READ_STEPS`. */
export function allowanceOf({ command, argv, db }: Reads, keyspaces: readonly Keyspace[]): number {
  const commands = [command].flat();
  const calls = (Array.isArray(command) ? argv : [argv]) as readonly (readonly ByteString[])[];
  const entries = new Map<KeyEntry, ByteString>();
  let steps = 0;
  for (const [i, call] of calls.entries()) {
    for (const { length } of call) steps += STEPS_GRANTED * (1 + length / BYTES_PER_STEP);
    for (const touch of touchesOf((commands[i] as Command).keys, call))
      for (const keyspace of touch.db === -1 ? keyspaces : keyspaces.slice(touch.db ?? db).slice(0, 1)) {
        const found = touch.key === null ? keyspace.entries : [keyspace.find(touch.key)];
        for (const entry of found) if (entry !== undefined) entries.set(entry, entry.key);
      }
  }
  for (const [{ value, expire }, key] of entries) {
    if (typeof value !== "string") steps += READ_STEPS_PER_ELEMENT * value.size;
    steps += READ_STEPS_PER_BYTE * estimatedBytes(key, value, expire, SAMPLED_ELEMENTS);
  }
  return steps;
}
