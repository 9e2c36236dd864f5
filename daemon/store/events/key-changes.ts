/** Finds the keys that a command changed, from the undo records. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Keyspace } from "../keyspace/keyspace.js";
import type { UndoRecord } from "../keyspace/undo.js";

/** A changed key. If `key` is null, all keys of a database have changed. */
export interface ChangedKey {
  readonly db: number;
  readonly key: ByteString | null;
  /** Whether the key existed before. */
  readonly existed: boolean;
}

/** Called for each change, the oldest first: a key that changed several times is reported several times. */
type Visit = (changed: ChangedKey) => void;

export function visitChanges(records: readonly UndoRecord[], visit: Visit): void {
  for (const record of records) visitOne(record, visit);
}

function visitOne(record: UndoRecord, visit: Visit): void {
  switch (record.mutator) {
    case "put":
      visit({ db: record.db, key: record.key, existed: record.old !== null });
      break;
    case "writer":
      if (record.before !== null) visitOne(record.before, visit);
      visit({ db: record.db, key: record.key, existed: true });
      break;
    case "expire":
    case "patch":
      visit({ db: record.db, key: record.key, existed: true });
      break;
    case "replaceDb":
      visit({ db: record.db, key: null, existed: true });
      break;
    case "swapDb":
      visit({ db: record.first, key: null, existed: true });
      visit({ db: record.second, key: null, existed: true });
      break;
    default:
    // A change within a collection is reported by the record of its key, which is a "put" or a "writer" record.
  }
}

/** The keys that one command changed. */
export class KeyChanges {
  readonly #keyspaces: readonly Keyspace[];
  /** Whether each key existed before, by database and key, in the order of the changes. */
  readonly #existed = new Map<
    string,
    { readonly db: number; readonly key: ByteString; readonly existed: boolean }
  >();

  constructor(records: readonly UndoRecord[], keyspaces: readonly Keyspace[]) {
    this.#keyspaces = keyspaces;
    visitChanges(records, ({ db, key, existed }) => {
      if (key === null) return;
      const name = nameOf(db, key);
      if (!this.#existed.has(name)) this.#existed.set(name, { db, key, existed });
    });
  }

  get all(): Iterable<{ readonly db: number; readonly key: ByteString }> {
    return this.#existed.values();
  }

  has(db: number, key: ByteString): boolean {
    return this.#existed.has(nameOf(db, key));
  }

  /** Whether a key existed before the command. */
  existed(db: number, key: ByteString): boolean {
    return this.#existed.get(nameOf(db, key))?.existed ?? this.exists(db, key);
  }

  /** Whether a key exists now. */
  exists(db: number, key: ByteString): boolean {
    return this.#keyspaces[db]?.find(key) !== undefined;
  }
}

const nameOf = (db: number, key: ByteString) => `${db} ${key}`;
