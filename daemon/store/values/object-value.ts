/**
 * The members that the class of a value has for the core: those of the basic types in this folder, and those of a face
 * in the face's own folder.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { Steps } from "../../../protocol/steps.js";
import type { DigestMix } from "./digest-mix.js";

/** The names of all types, including those of faces that a build may have been made without. */
export type TypeName =
  | "string"
  | "list"
  | "hash"
  | "set"
  | "zset"
  | "stream"
  | "document"
  | "table"
  | "collection";

/**
 * The forms of values in snapshots. Snapshots on disk contain indexes into this list: add new forms only at the end.
 */
export const VALUE_FORMS = [
  ...(["end", "string", "list", "hash", "set", "zset", "stream"] as const),
  // A document with indexes, or with entries that expire, is written as the second kind.
  ...(["document", "document-of-more"] as const),
  "table",
  // A stream that has groups of consumers, or had groups.
  "stream-of-groups",
  "collection",
] as const;

/** The form of a value that is an object. */
export type ValueForm = Exclude<(typeof VALUE_FORMS)[number], "end" | "string">;

/** Keys, or elements of a value, that are read between two turns: about a millisecond. */
export const ITEMS_PER_STEP = 2048;

/**
 * A value that is not a string. A class that lacks one of these members is not a value, and does not compile as one.
 */
export interface ObjectValue {
  /** The type's name in the reply of `TYPE`. */
  readonly type: TypeName;
  /** Number of elements. */
  readonly size: number;
  /** Number of elements, including those of inner structures such as consumer groups. */
  readonly allElements: number;

  /**
   * The names of indexes that are not what a client was answered; undefined if none of the value's indexes has ever
   * been invalid. Operators must know of them: see daemon/cluster/history/invalid-indexes.ts.
   */
  readonly invalidIndexes?: readonly ByteString[] | undefined;

  /**
   * The unit that last changed the consumer groups of a stream, which does not count as a write of the key, in the two
   * parts in which a key's entry stores its last writer. Empty if no unit has changed them since the stream was added,
   * copied or restored. Undefined: values of the type have no groups.
   */
  groupsWriterStart?: ByteString;
  /** The second part. */
  groupsWriterIndex?: number;

  /**
   * Whether the key may contain the value. A type without this method may be in any key. The type's own commands could
   * not use a value in a key for which this returns false, and would miss it in their lists.
   */
  fits?(key: ByteString): boolean;

  /** Returns a copy that shares nothing mutable with the original. */
  clone(): ObjectValue;

  /** Counts the steps of `clone`. @throws BudgetExceeded */
  countCopy(effort: CopyEffort): void;

  /** Returns the contents in the form that must be equal on all daemons; elements keep their order. */
  canonical(): readonly unknown[];

  /** Adds the contents to a digest, which has begun a value of this size. */
  addTo(digest: DigestMix): void;

  /** Estimates the memory of the value. @param samples  number of elements to sample */
  estimatedBytes(samples: number): number;

  /** The form in which `write` writes the value. */
  readonly form: ValueForm;

  /** Writes the contents, which the size precedes; yields whenever the writer is full. */
  write(writer: ValueWriter): Generator<undefined>;
}

/** The counter of the cost of a copy: see keyspace/effort-budget.ts. */
export interface CopyEffort {
  countProduced(elements: number): void;
  countSteps(steps: number): void;
}

/** The writer of the items of a value: see daemon/timeline/snapshots/snapshot-stream.ts. */
export interface ValueWriter {
  /** Whether enough bytes were written for a frame. */
  readonly isFull: boolean;
  /** Writes an integer ≥ 0. */
  number(value: number): void;
  double(value: number): void;
  bytes(value: ByteString): void;
}

/** The reader of the same items. */
export interface ValueReader {
  number(): number;
  double(): number;
  bytes(): ByteString;
}

/** The reader of the values of one type. */
export interface ValueKind {
  readonly forms: readonly ValueForm[];
  read(reader: ValueReader, size: number, form: ValueForm): Steps<ObjectValue>;
}
