/** The keys that entries of the tail have changed, derived from their undo records. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { UndoRecord } from "../../store/keyspace/undo.js";
import type { OrderKey } from "../entries/entry.js";
import type { TailEntry, Undoing } from "./tail.js";

export interface ChangedKeys {
  readonly keys: readonly { readonly db: number; readonly key: ByteString }[];
  /** Whether a complete database was changed, so that any of its keys may have changed. */
  readonly changesDatabase: boolean;
  /** The first entry that was not read, or null if all entries were read. */
  readonly next: OrderKey | null;
}

/**
 * Returns the keys that some entries changed.
 * @param entries  the first `max` entries are read; the caller passes one more entry if there are more
 */
export function changedBy(entries: readonly TailEntry[], max: number): ChangedKeys {
  const keys: { db: number; key: ByteString }[] = [];
  let changesDatabase = false;
  const note = (record: UndoRecord): void => {
    if ("key" in record && "db" in record) keys.push(record);
    else if (record.mutator === "replaceDb" || record.mutator === "swapDb") changesDatabase = true;
    if (record.mutator === "writer" && record.before !== null) note(record.before);
  };
  for (const entry of entries.slice(0, max))
    for (const undoing of entry.undoing ?? (entry.units ?? []).map(({ records }) => records))
      for (const record of recordsOf(undoing)) note(record);
  const next = entries[max];
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
