/** The keys that entries of the tail have changed, derived from their undo records. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import { SEMANTICS } from "../../store/semantics.js";
import type { Entry, OrderKey } from "../entries/entry.js";
import { type FoldUnit, findTouches, type TouchNode, unitsOf } from "./fold-unit.js";
import type { TailEntry, Undoing } from "./tail.js";

/** The number of keys after which no further entry is read. */
export const CHANGED_KEYS_MAX = 100_000;

export interface ChangedKeys {
  readonly keys: readonly { readonly db: number; readonly key: ByteString }[];
  /** Whether a complete database was changed, so that any of its keys may have changed. */
  readonly changesDatabase: boolean;
  /** The first entry that was not read, or null if all entries were read. */
  readonly next: OrderKey | null;
}

/**
 * Returns the keys that some entries changed.
 * @param entries  at most the first `max` entries are read; the caller passes one more entry if there are more
 */
export function changedBy(entries: readonly TailEntry[], max: number): ChangedKeys {
  const keys: { db: number; key: ByteString }[] = [];
  let changesDatabase = false;
  const note = (record: UndoRecord): void => {
    // A change within a value is reported by the record of its key, which is a "put" or a "writer" record.
    if (record.mutator === "value") return;
    if ("key" in record && "db" in record) keys.push(record);
    else if (record.mutator === "replaceDb" || record.mutator === "swapDb") changesDatabase = true;
    if (record.mutator === "writer" && record.before !== null) note(record.before);
  };

  let read = 0;
  for (; read < max && read < entries.length && keys.length < CHANGED_KEYS_MAX; read++) {
    const entry = entries[read] as TailEntry;
    for (const undoing of entry.undoing ?? (entry.units ?? []).map(({ records }) => records))
      for (const record of recordsOf(undoing)) note(record);
  }

  const next = entries[read];
  return {
    keys,
    changesDatabase,
    next: next === undefined ? null : { at: next.at, seq: next.seq, id: next.id },
  };
}

function recordsOf(undoing: Undoing): readonly UndoRecord[] {
  if (undoing === null || undoing === "denied") return [];
  return Array.isArray(undoing) ? undoing : [undoing];
}

/** Returns a function that reports whether the only unit of an entry may touch a key that has changed. */
export function touchTest(
  { keys, changesDatabase, next }: ChangedKeys,
  databases: number,
): (entry: Entry) => boolean {
  if (changesDatabase || next !== null) return () => true;
  if (keys.length === 0) return () => false;
  const changed = new Set(keys.map(({ db, key }) => `${db} ${key}`));
  const changedDatabases = new Set(keys.map(({ db }) => db));

  const touches = (unit: FoldUnit): boolean => {
    if (unit.kind === "nothing") return false;
    findTouches(unit, databases, SEMANTICS);
    const nodes: readonly TouchNode[] = [unit, ...(unit.more ?? [])];
    return (
      (unit.databaseTouches ?? []).some(({ db }) => changedDatabases.has(db)) ||
      nodes.some(({ db, key }) => key !== null && changed.has(`${db} ${key}`))
    );
  };
  return (entry) => unitsOf(entry, databases).some(touches);
}
