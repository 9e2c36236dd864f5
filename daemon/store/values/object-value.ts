/**
 * The members that the class of a value has for the core: those of the basic types in this folder, and those of a face in the
 * face's own folder.
 */

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

/** A value that is not a string. A class that lacks one of these members is not a value, and does not compile as one. */
export interface ObjectValue {
  /** The type's name in the reply of `TYPE`. */
  readonly type: TypeName;
  /** Number of elements. */
  readonly size: number;
  /** Number of elements, including those of inner structures such as consumer groups. */
  readonly allElements: number;

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
}

/** Counts the cost of a copy: see keyspace/effort-budget.ts. */
export interface CopyEffort {
  produce(elements: number): void;
  work(steps: number): void;
}
