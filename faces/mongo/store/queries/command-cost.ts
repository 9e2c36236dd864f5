/** Counts the cost of an MDB.* command, and ends the command with an error above the limit. */

import { EffortBudget } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { BsonDocument } from "../values/bson.js";
import { countedBson } from "../values/bson-reader.js";
import { MongoFailure } from "./mongo-failure.js";

/** The cost of a command so far. */
export interface CommandCost {
  /** One for each checked document, with other work of the same cost; at most `WORK_MAX`. */
  units: number;
  /** The effort of the unit, to which the command's cost is added. */
  readonly effort: EffortBudget;
}

/** Returns the cost of a command that begins. */
export const workOf = (effort: EffortBudget): CommandCost => ({ units: 0, effort });

/** Returns a cost that never reaches the limit, for reads whose cost was counted before, and which yield. */
export const unlimitedWork = (): CommandCost => ({
  units: Number.NEGATIVE_INFINITY,
  effort: new EffortBudget(),
});

/** Maximum units of a command. Checking as many documents takes a few seconds. */
export const WORK_MAX = 5_000_000;
/** Number of bytes in a document that cost as much as the document itself. */
const BYTES_PER_UNIT = 256;
/**
 * Number of array elements that cost as much as checking one document, for each condition; a power of two, so fractions
 * add up exactly.
 */
export const ELEMENTS_PER_UNIT = 16;
/** Number of values in a document that cost as much as checking one document; also a power of two. */
const VALUES_PER_UNIT = 4;

/** Cost in steps of each document that is checked. */
const STEPS_PER_UNIT = 10;

/** Counts elements and bytes that are about to be created in a result. @throws BudgetExceeded */
export function produce({ effort }: CommandCost, elements: number, bytes = 0): void {
  effort.countProduced(elements, bytes);
}

/** Approximate memory of a document in addition to its fields, and of each field. */
const DOCUMENT_BYTES = 100;
const FIELD_BYTES = 32;
/** Number of bytes of memory for each byte of a document that is read. */
const READ_FACTOR = 3;

/**
 * Reserves the memory of a document that was read from a stored one.
 * @param roots  the fields that are read, or null for all
 */
export function holdRead(
  { effort }: CommandCost,
  bytes: ByteString,
  roots: ReadonlySet<ByteString> | null,
): void {
  const fields = roots === null ? READ_FACTOR * bytes.length : FIELD_BYTES * roots.size;
  effort.reserveMemory(DOCUMENT_BYTES + fields);
}

/** Reserves the memory of a document whose values belong to another document, and returns it. */
export function heldCopy({ effort }: CommandCost, document: BsonDocument): BsonDocument {
  effort.reserveMemory(DOCUMENT_BYTES + FIELD_BYTES * document.size);
  return document;
}

/**
 * Counts work that is about to be done.
 * @throws CommandFailure if the command exceeds its limit
 * @throws BudgetExceeded
 */
export function spend(work: CommandCost, units: number): void {
  work.units += units;
  work.effort.countSteps(units * STEPS_PER_UNIT);
  if (work.units > WORK_MAX)
    throw new MongoFailure(
      146,
      `a command checks at most ${WORK_MAX} documents, or does other work of the same cost: request less, or create an index`,
    );
}

/**
 * Reads a stored document and counts the work.
 * @param only names of the required fields; null means all fields
 * @throws CommandFailure if the command exceeds its limit
 */
export function readCounted(
  bytes: ByteString,
  work: CommandCost,
  only: ReadonlySet<ByteString> | null = null,
): BsonDocument {
  const { document, values } = countedBson(bytes, only);
  spend(work, Math.floor(values / VALUES_PER_UNIT));
  return document;
}

/** Returns the units for a stored document. @param bytes  the document as BSON */
export const costOf = (bytes: ByteString): number => 1 + Math.floor(bytes.length / BYTES_PER_UNIT);
