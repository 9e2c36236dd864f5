/**
 * Limits reads that run without interruption, and that no recorded unit contains. The time of most reads follows from
 * the size of the values that they name: such reads are always permitted, as in Redis. A read that visits these values
 * many times is not: what a request names twice counts twice.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { LazyBulkReply } from "../../protocol/lazy-replies.js";
import type { Reply } from "../../protocol/reply.js";
import { BYTES_PER_STEP, STEPS_GRANTED, unitReadsExceeded } from "./keyspace/effort-budget.js";
import type { KeyEntry, Keyspace } from "./keyspace/keyspace.js";
import { estimatedBytes } from "./keyspace/size-estimate.js";
import type { Unit } from "./keyspace/unit.js";
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

/** What all reads of one transaction, script or envelope may take together. */
export interface ReadLimits {
  readonly steps: number;
  /** The maximum bytes of the strings in their replies, except the longest one. */
  readonly bytes: number;
}

/**
 * The defaults of `--max-read-steps` and `--max-read-bytes`. A step takes up to 0.1 µs, with the bytes of the reply.
 */
export const READ_LIMITS_DEFAULT: ReadLimits = { steps: 4_500_000, bytes: 64 * 1024 * 1024 };
/** Cost in steps of calling a read, and of each of its arguments, in addition to those for what it reads. */
const CALL_STEPS = 10;
const ARGUMENT_STEPS = 4;
/** Cost in steps of an item of a reply. Items that are created only while the reply is written take half the time. */
const ITEM_STEPS = 2;
const LAZY_ITEM_STEPS = 1;
/** Factor of the steps of a script's reads, because Lua copies each element. */
export const SCRIPT_WEIGHT = 2;

/** The sum of the sizes of replies. */
export class ReplySize {
  /** The cost of writing them. */
  steps = 0;
  /** The bytes of their strings. */
  bytes = 0;
  /** The bytes of the longest string. */
  longest = 0;

  add(reply: Reply): void {
    if (reply.kind === "bulk") this.#addString(reply.bytes.length, ITEM_STEPS);
    else if (reply instanceof LazyBulkReply)
      for (const { length } of reply.values) this.#addString(length, LAZY_ITEM_STEPS);
    else if ("items" in reply) for (const item of reply.items) this.add(item);
    else this.steps += ITEM_STEPS;
  }

  #addString(bytes: number, steps: number): void {
    this.steps += steps;
    this.bytes += bytes;
    if (bytes > this.longest) this.longest = bytes;
  }
}

/** The number of reads of one transaction, script or envelope. */
export class ReadCount {
  readonly limits: ReadLimits;
  /** The factor of the steps, except those of calls. */
  weight = 1;
  #steps = 0;
  readonly #replies = new ReplySize();

  constructor(limits: ReadLimits) {
    this.limits = limits;
  }

  /** The number of steps that further reads may take. */
  get stepsLeft(): number {
    return Math.max(0, (this.limits.steps - this.#steps) / this.weight);
  }

  get isExceeded(): boolean {
    const { bytes, longest } = this.#replies;
    // A value that is read once is permitted, however long it is, as outside of units.
    return this.#steps > this.limits.steps || bytes - longest > this.limits.bytes;
  }

  /** Adds a read. @param steps  the steps that it has taken, without those for its call and for its reply */
  add(steps: number, argv: readonly ByteString[], reply: Reply): void {
    const replies = this.#replies;
    const { steps: before } = replies;
    replies.add(reply);
    const written = replies.steps - before;
    this.#steps += CALL_STEPS + ARGUMENT_STEPS * argv.length + (steps + written) * this.weight;
  }
}

/**
 * The number of reads of a recorded envelope. Another daemon may have recorded it, and has not refused it. A read
 * changes nothing, so the limit does not change the result of the fold: a read above it is answered with an error.
 */
export class FoldedReads {
  #count = new ReadCount(READ_LIMITS_DEFAULT);
  #envelope: ByteString | undefined = "";
  #index = 0;
  #step = 0;

  /** Runs and counts a read of an envelope, unless its earlier reads have exceeded the limits. */
  count(
    argv: readonly ByteString[],
    { envelope, index = 0, step = 0 }: Unit,
    limits: ReadLimits,
    run: () => { readonly reply: Reply; readonly steps: number },
  ): Reply {
    // The reads of an envelope share one count, until the envelope is applied again.
    const isAfter = index > this.#index || (index === this.#index && step > this.#step);
    if (envelope !== this.#envelope || !isAfter) this.#count = new ReadCount(limits);
    this.#envelope = envelope;
    this.#index = index;
    this.#step = step;
    if (this.#count.isExceeded) return unitReadsExceeded().reply;

    const { reply, steps } = run();
    this.#count.add(steps, argv, reply);
    return reply;
  }
}

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
