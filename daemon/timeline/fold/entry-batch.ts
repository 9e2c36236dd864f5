/** Entries that are about to be folded: divided into units, sorted, and combined again with their answers. */
import type { Semantics } from "../../store/semantics.js";
import { compareEntries, compareOrderKeys, type Entry, type OrderKey, orderKeyOf } from "../entries/entry.js";
import { type FoldUnit, type UnitAnswer, unitsOf } from "./fold-unit.js";

/** An entry that is being merged. */
export interface Arrival {
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
  readonly late: readonly Arrival[];
  /** Entries after the last entry of the tail. */
  readonly fresh: readonly Arrival[];
  /** Entries that are not applied: this release does not know the semantics version at their positions. */
  readonly passed: readonly Arrival[];
}

export const arrivalsOf = (entries: readonly Entry[], databases: number, known: Semantics): Arrival[] =>
  entries.map((entry) => ({ entry, units: unitsOf(entry, databases, known) }));

/** Returns the units that are for the ring, in the order of all entries. */
export const ringUnitsOf = (arrivals: readonly Arrival[]): FoldUnit[] =>
  inOrder(arrivals).flatMap(({ units }) => units.filter(({ kind }) => kind === "ring"));

/**
 * Divides arrivals by their position relative to the tail.
 * @param last  the tail's last order key, or null if the tail is empty
 * @param end   the position from which nothing is applied, or null if everything is applied
 */
export function batchOf(arrivals: readonly Arrival[], last: OrderKey | null, end: OrderKey | null): Batch {
  const late: Arrival[] = [];
  const fresh: Arrival[] = [];
  const passed: Arrival[] = [];
  for (const arrival of inOrder(arrivals)) {
    const orderKey = orderKeyOf(arrival.entry);
    if (end !== null && compareOrderKeys(orderKey, end) >= 0) passed.push(arrival);
    else if (last !== null && compareOrderKeys(orderKey, last) < 0) late.push(arrival);
    else fresh.push(arrival);
  }
  return { late, fresh, passed };
}

/** Returns the units that are not for the key ring. */
export const ofDatabases = (arrivals: readonly Arrival[]): FoldUnit[] =>
  arrivals.flatMap(({ units }) => units.filter(({ kind }) => kind !== "ring"));

/** Whether entries are in order and after an order key. */
export function isAfter(entries: readonly Entry[], orderKey: OrderKey | null): boolean {
  const [first] = entries;
  if (first !== undefined && orderKey !== null && compareOrderKeys(orderKeyOf(first), orderKey) <= 0)
    return false;
  for (let i = 1; i < entries.length; i++)
    if (compareEntries(entries[i - 1] as Entry, entries[i] as Entry) >= 0) return false;
  return true;
}

/** Returns the arrivals sorted; the same array if they are already in order. */
function inOrder(arrivals: readonly Arrival[]): readonly Arrival[] {
  for (let i = 1; i < arrivals.length; i++) {
    if (compareEntries((arrivals[i - 1] as Arrival).entry, (arrivals[i] as Arrival).entry) > 0)
      return arrivals.toSorted((a, b) => compareEntries(a.entry, b.entry));
  }
  return arrivals;
}

export function answered({ entry, units }: Arrival): FoldedEntry {
  const answers = units.map((unit) => {
    const { answer } = unit;
    if (answer === null) throw new Error("a unit was merged without an answer");
    unit.answer = null;
    return answer;
  });
  return { entry, answers };
}
