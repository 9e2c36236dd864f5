/**
 * The applied entries that can still be undone, in order. Entries are dropped at the front, and usually added at the
 * end.
 *
 * An entry is stored as its bytes and its undo records: fewer long-lived objects mean less work for the garbage
 * collector. Its units are created again when an entry arrives that belongs before it, which is rare.
 */
import { readEntryBody } from "../../../protocol/version-2/decision-body.js";
import { ARRAY_SLOT_BYTES, ELEMENT_BYTES, type UndoRecord } from "../../store/keyspace/undo.js";
import type { Semantics } from "../../store/semantics.js";
import type { Value } from "../../store/values/value.js";
import { compareOrderKeys, type Entry, type OrderKey } from "../entries/entry.js";
import { compareUnits, type FoldUnit, unitsOf } from "./fold-unit.js";

/** The minimum number of dropped slots at the front for which the remaining slots are moved. */
const DROPPED_MIN = 1024;

/** The number of entries after a late entry that retain their units: late entries often arrive together. */
const RETAINED_AFTER_LATE = 16;

/** The undo record of a unit, or several; "denied" if it was not permitted, or null if there is nothing to undo. */
export type Undoing = UndoRecord | UndoRecord[] | "denied" | null;

export class TailEntry implements OrderKey {
  readonly at: number;
  readonly seq: number;
  readonly id: OrderKey["id"];
  readonly body: Buffer;
  /** Undo records by the index of the unit; null for a unit without data. */
  undoing: Undoing[] | null = null;
  /** The units that may change data, once they have been created. */
  units: readonly FoldUnit[] | null = null;
  /** The number of these units. */
  readonly count: number;
  /** The number of its commands. */
  readonly commandCount: number;
  /** The approximate number of bytes of memory that the entry uses, without `units`. */
  bytes = 0;

  constructor({ id, body, envelope: { at, seq, commands } }: Entry, count: number) {
    this.at = at;
    this.seq = seq;
    this.id = id;
    this.body = body;
    this.count = count;
    this.commandCount = commands.length;
  }

  /** Creates the units from the bytes. */
  createUnits(databases: number, known: Semantics): readonly FoldUnit[] {
    const { id, body, undoing } = this;
    const all = unitsOf({ id, body, signature: body, envelope: readEntryBody(body) }, databases, known);
    this.units = all.filter(({ kind }) => kind === "data");

    for (const [i, unit] of all.entries()) {
      if (unit.kind !== "data") continue;
      const undo = undoing?.[i] ?? null;
      unit.isApplied = true;
      unit.isDenied = undo === "denied";
      unit.records = undo === "denied" ? null : undo;
    }
    this.undoing = null;
    return this.units;
  }
}

/** Entries whose `units` are null. */
export interface EntriesWithoutUnits {
  /** Entries that precede the entries with units, if there are any. */
  readonly between: readonly TailEntry[];
  /** Entries that follow all entries with units. */
  readonly after: readonly TailEntry[];
  /** Whether these are all entries at or after the order key. */
  readonly isAll: boolean;
}

export class Tail {
  #entries: (TailEntry | null)[] = [];
  /** Slots at the front whose entries are dropped. */
  #dropped = 0;
  #length = 0;
  /**
   * The range of entries whose units have been created: it begins at the index `#unfoldedFrom` and ends before the
   * index `#foldedFrom`. The entries from `#foldedFrom` on have no units.
   */
  #unitsFrom = 0;
  #unitsTo = 0;
  /** The number of entries added since units were last requested. */
  #sinceRequested = RETAINED_AFTER_LATE;

  /** The number of units. */
  get length(): number {
    return this.#length;
  }

  get first(): TailEntry | null {
    return this.#entries[this.#dropped] ?? null;
  }

  get last(): TailEntry | null {
    return this.#entries.at(-1) ?? null;
  }

  /** Whether the next pushed entry should retain its units. */
  get retainsUnits(): boolean {
    return this.#sinceRequested < RETAINED_AFTER_LATE && this.#unitsTo === this.#entries.length;
  }

  /** Returns the entries at or after an order key, in order. @param max  the maximum number of entries */
  from(orderKey: OrderKey, max: number): readonly TailEntry[] {
    const first = this.#firstFrom(orderKey);
    return this.#entries.slice(first, first + max) as TailEntry[];
  }

  /** Adds an entry after all existing entries. */
  push(entry: TailEntry): void {
    this.#entries.push(entry);
    this.#length += entry.count;
    this.#sinceRequested++;
    if (entry.units !== null) this.#unitsTo = this.#entries.length;
  }

  /**
   * Inserts entries at their positions. The inserted entries and all later entries must already have their units.
   * @param added  in order
   */
  insert(added: readonly TailEntry[]): void {
    const entries = this.#entries;
    let end = entries.length;

    for (let i = added.length - 1; i >= 0; i--) entries.push(null);
    for (let i = added.length - 1; i >= 0; i--) {
      const entry = added[i] as TailEntry;
      // Find the position by a binary search: comparing each moved entry would take ten times as long, because the
      // entries are far apart in memory.
      const at = this.#firstFrom(entry, end);
      for (let from = end - 1; from >= at; from--) entries[from + i + 1] = entries[from] as TailEntry;
      entries[at + i] = entry;
      this.#length += entry.count;
      end = at;
    }
    this.#unitsTo = entries.length;
  }

  /** Removes and returns the first entry; there must be one. */
  shift(): TailEntry {
    const first = this.#entries[this.#dropped] as TailEntry;
    this.#entries[this.#dropped++] = null;
    this.#length -= first.count;

    if (this.#dropped >= DROPPED_MIN && 2 * this.#dropped >= this.#entries.length) {
      this.#entries = this.#entries.slice(this.#dropped);
      this.#unitsFrom = Math.max(0, this.#unitsFrom - this.#dropped);
      this.#unitsTo = Math.max(0, this.#unitsTo - this.#dropped);
      this.#dropped = 0;
    }
    return first;
  }

  /**
   * Returns the entries at or after an order key that have no units yet, in order; the caller creates the units.
   * @param max  the approximate number of commands; if the entries have more, only the newest entries are returned
   */
  takeWithoutUnits(from: OrderKey, max: number): EntriesWithoutUnits {
    const wanted = this.#firstFrom(from);
    const first = this.#firstOfNewest(wanted, max);
    const between = first < this.#unitsFrom ? this.#withoutUnits(first, this.#unitsFrom) : [];
    const after = this.#withoutUnits(Math.max(first, this.#unitsTo), this.#entries.length);
    if (first >= this.#unitsTo || first < this.#unitsFrom) this.#unitsFrom = first;
    this.#unitsTo = this.#entries.length;
    this.#sinceRequested = 0;
    return { between, after, isAll: first <= wanted };
  }

  /** Returns the index, at least `wanted`, from which units of about `max` commands still have to be created. */
  #firstOfNewest(wanted: number, max: number): number {
    let commands = 0;
    for (let at = this.#entries.length; at > wanted; ) {
      if (commands >= max) return at;
      // Skip the entries that have their units.
      if (at === this.#unitsTo && at > this.#unitsFrom) at = this.#unitsFrom;
      else commands += this.#entries[--at]?.commandCount ?? 0;
    }
    return wanted;
  }

  /** Returns the units after the given unit. These units must have been created. */
  unitsAfter(unit: FoldUnit): FoldUnit[] {
    const { orderKey } = unit;
    const units: FoldUnit[] = [];
    for (let i = this.#firstFrom(orderKey); i < this.#entries.length; i++) {
      const entry = this.#entries[i] as TailEntry;
      const existing = entry.units ?? [];
      const isOwn = entry.id === orderKey.id;
      for (const each of existing) if (!isOwn || compareUnits(each, unit) > 0) units.push(each);
    }
    return units;
  }

  /** Whether the entries at or after an order key have more than `max` commands. */
  hasMoreFrom(orderKey: OrderKey, max: number): boolean {
    let commands = 0;
    for (let i = this.#firstFrom(orderKey); i < this.#entries.length; i++) {
      commands += (this.#entries[i] as TailEntry).commandCount;
      if (commands > max) return true;
    }
    return false;
  }

  #withoutUnits(from: number, to: number): TailEntry[] {
    const found: TailEntry[] = [];
    for (let i = from; i < to; i++) {
      const entry = this.#entries[i] as TailEntry;
      if (entry.units === null) found.push(entry);
    }
    return found;
  }

  /** @param end  entries after it are not searched */
  #firstFrom(orderKey: OrderKey, end = this.#entries.length): number {
    let low = this.#dropped;
    let high = end;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (compareOrderKeys(this.#entries[middle] as TailEntry, orderKey) < 0) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

/** Bytes of an entry without its units, in addition to its body. */
const ENTRY_BYTES = 320;
/** Bytes of a unit of one command with its parsed envelope, without arguments: measured on the heap and rounded up. */
const UNIT_BYTES = 640;
const NODE_BYTES = 120;
const ARGUMENT_BYTES = 24;
const RECORD_BYTES = 112;
/** A key with a small value. */
const KEY_BYTES = 256;

/** Estimates the memory of units in the tail, including the old values in their undo records, which may be large. */
export function bytesOfUnit({ commands, more, records }: FoldUnit): number {
  let bytes = UNIT_BYTES + NODE_BYTES * (more?.length ?? 0);
  for (const argv of commands) for (const argument of argv) bytes += ARGUMENT_BYTES + argument.length;
  return bytes + bytesOfUndoing(records);
}

/** Returns the bytes that an entry without its units keeps in memory. */
export function bytesOfEntry({ body, undoing }: TailEntry): number {
  let bytes = ENTRY_BYTES + body.length;
  if (undoing === null) return bytes;
  for (const each of undoing) bytes += ARRAY_SLOT_BYTES + bytesOfUndoing(each);
  return bytes;
}

function bytesOfUndoing(undoing: Undoing): number {
  if (undoing === null || undoing === "denied") return 0;
  if (!Array.isArray(undoing)) return bytesOfRecord(undoing);
  let bytes = 0;
  for (const record of undoing) bytes += bytesOfRecord(record);
  return bytes;
}

function bytesOfRecord(record: UndoRecord): number {
  switch (record.mutator) {
    case "put":
      return RECORD_BYTES + (record.old === null ? 0 : bytesOfValue(record.old));
    case "writer":
      return RECORD_BYTES + (record.before === null ? 0 : bytesOfRecord(record.before));
    case "patch":
    case "hashPut":
      return RECORD_BYTES + record.old.length;
    case "listPop":
      return RECORD_BYTES + record.element.length;
    case "listSplice":
      return record.removed.reduce((sum, element) => sum + ELEMENT_BYTES + element.length, RECORD_BYTES);
    case "hashRemove":
      return RECORD_BYTES + record.field.length + record.old.length;
    case "setRemove":
    case "score":
      return RECORD_BYTES + record.member.length;
    case "value":
      return RECORD_BYTES + record.bytes;
    case "replaceDb":
      return RECORD_BYTES + KEY_BYTES * record.old.size;
    default:
      return RECORD_BYTES;
  }
}

function bytesOfValue(value: Value): number {
  if (typeof value === "string") return value.length;
  return ELEMENT_BYTES * (1 + value.allElements);
}
