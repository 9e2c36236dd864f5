/** Finds the keys that a command changed, from the undo records. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Keyspace } from "../keyspace/keyspace.js";
import type { UndoRecord } from "../keyspace/undo.js";

/** A changed key; `key` null: all keys of a database. */
export interface ChangedKey {
  readonly db: number;
  readonly key: ByteString | null;
  /** Whether the key existed before. */
  readonly was: boolean;
}

/** Called for each change, the oldest first: a key that changed several times is reported several times. */
type Visit = (changed: ChangedKey) => void;

export function visitChanges(records: readonly UndoRecord[], visit: Visit): void {
  for (const record of records) visitOne(record, visit);
}

function visitOne(record: UndoRecord, visit: Visit): void {
  switch (record.mutator) {
    case "put":
      visit({ db: record.db, key: record.key, was: record.old !== null });
      break;
    case "writer":
      if (record.before !== null) visitOne(record.before, visit);
      visit({ db: record.db, key: record.key, was: true });
      break;
    case "expire":
    case "patch":
      visit({ db: record.db, key: record.key, was: true });
      break;
    case "replaceDb":
      visit({ db: record.db, key: null, was: true });
      break;
    case "swapDb":
      visit({ db: record.first, key: null, was: true });
      visit({ db: record.second, key: null, was: true });
      break;
    default:
    // For a change within a collection there is also a record of its key.
  }
}

/** The keys that one command changed. */
export class KeyChanges {
  readonly #keyspaces: readonly Keyspace[];
  /** Whether each key existed before, by database and key, in the order of the changes. */
  readonly #was = new Map<string, { readonly db: number; readonly key: ByteString; readonly was: boolean }>();

  constructor(records: readonly UndoRecord[], keyspaces: readonly Keyspace[]) {
    this.#keyspaces = keyspaces;
    visitChanges(records, ({ db, key, was }) => {
      if (key === null) return;
      const name = nameOf(db, key);
      if (!this.#was.has(name)) this.#was.set(name, { db, key, was });
    });
  }

  get all(): Iterable<{ readonly db: number; readonly key: ByteString }> {
    return this.#was.values();
  }

  has(db: number, key: ByteString): boolean {
    return this.#was.has(nameOf(db, key));
  }

  /** Whether a key existed before the command. */
  was(db: number, key: ByteString): boolean {
    return this.#was.get(nameOf(db, key))?.was ?? this.is(db, key);
  }

  /** Whether a key exists now. */
  is(db: number, key: ByteString): boolean {
    return this.#keyspaces[db]?.find(key) !== undefined;
  }
}

const nameOf = (db: number, key: ByteString) => `${db} ${key}`;
