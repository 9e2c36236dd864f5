/** Entries that are about to be folded: divided into units, sorted, and combined again with their answers. */
import type { Semantics } from "../../store/semantics.js";
import { compareEntries, compareOrderKeys, type Entry, type OrderKey, orderKeyOf } from "../entries/entry.js";
import { type FoldUnit, type UnitAnswer, unitsOf } from "./fold-unit.js";

/** An entry that is being merged. */
export interface MergingEntry {
  readonly entry: Entry;
  readonly units: readonly FoldUnit[];
}

export interface FoldedEntry {
  readonly entry: Entry;
  /** One answer for each unit. */
  readonly answers: readonly UnitAnswer[];
}

/** Called after a unit of an entry, with the number of its units that have been applied so far. */
export type BetweenUnits = (applied: number) => void;

/** Entries to be merged together; each list is in the order of all entries. */
export interface Batch {
  /** Entries before the last entry of the tail. */
  readonly late: readonly MergingEntry[];
  /** Entries after the last entry of the tail. */
  readonly newer: readonly MergingEntry[];
  /** Entries that are not applied: this release does not know the semantics version at their positions. */
  readonly skipped: readonly MergingEntry[];
}

export const mergingEntriesOf = (
  entries: readonly Entry[],
  databases: number,
  known: Semantics,
): MergingEntry[] => entries.map((entry) => ({ entry, units: unitsOf(entry, databases, known) }));

/** Returns the units that are for the ring, in the order of all entries. */
export const ringUnitsOf = (merging: readonly MergingEntry[]): FoldUnit[] =>
  inOrder(merging).flatMap(({ units }) => units.filter(({ kind }) => kind === "ring"));

/**
 * Divides entries by their position relative to the tail.
 * @param last  the tail's last order key, or null if the tail is empty
 * @param unknownFrom  the position from which nothing is applied, or null if everything is applied
 */
export function batchOf(
  merging: readonly MergingEntry[],
  last: OrderKey | null,
  unknownFrom: OrderKey | null,
): Batch {
  const late: MergingEntry[] = [];
  const newer: MergingEntry[] = [];
  const skipped: MergingEntry[] = [];

  for (const one of inOrder(merging)) {
    const orderKey = orderKeyOf(one.entry);
    if (unknownFrom !== null && compareOrderKeys(orderKey, unknownFrom) >= 0) skipped.push(one);
    else if (last !== null && compareOrderKeys(orderKey, last) < 0) late.push(one);
    else newer.push(one);
  }
  return { late, newer, skipped };
}

/** Returns the units that are not for the key ring. */
export const databaseUnitsOf = (merging: readonly MergingEntry[]): FoldUnit[] =>
  merging.flatMap(({ units }) => units.filter(({ kind }) => kind !== "ring"));

/** Whether entries are in order and after an order key. */
export function isAfter(entries: readonly Entry[], orderKey: OrderKey | null): boolean {
  const [first] = entries;
  if (first !== undefined && orderKey !== null && compareOrderKeys(orderKeyOf(first), orderKey) <= 0)
    return false;
  for (let i = 1; i < entries.length; i++)
    if (compareEntries(entries[i - 1] as Entry, entries[i] as Entry) >= 0) return false;
  return true;
}

/** Returns the entries sorted; the same array if they are already in order. */
function inOrder(merging: readonly MergingEntry[]): readonly MergingEntry[] {
  for (let i = 1; i < merging.length; i++) {
    if (compareEntries((merging[i - 1] as MergingEntry).entry, (merging[i] as MergingEntry).entry) > 0)
      return merging.toSorted((a, b) => compareEntries(a.entry, b.entry));
  }
  return merging;
}

export function withAnswers({ entry, units }: MergingEntry): FoldedEntry {
  const answers = units.map((unit) => {
    const { answer } = unit;
    if (answer === null) throw new Error("a unit was merged without an answer");
    unit.answer = null;
    return answer;
  });
  return { entry, answers };
}
