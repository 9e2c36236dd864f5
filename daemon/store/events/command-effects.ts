/** The effects of an executed command, from which the rules derive its events. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { Keyspace } from "../keyspace/keyspace.js";
import type { Inverse, UndoRecord } from "../keyspace/undo.js";
import type { Unit } from "../keyspace/unit.js";
import type { Value } from "../values/value.js";

/**
 * The classes of events: generic, strings, lists, sets, hashes, sorted sets, expired, evicted, streams, other types,
 * missed, new.
 */
export type EventClass = "g" | "$" | "l" | "s" | "h" | "z" | "x" | "e" | "t" | "d" | "m" | "n";

export type ReportEvent = (kind: EventClass, name: string, db: number, key: ByteString) => void;

/** The result of an executed command. */
export interface CommandResult {
  readonly argv: readonly ByteString[];
  /** Valid only during the call. */
  readonly unit: Unit;
  readonly reply: Reply;
  /** The undo records, which describe the changes, in order. */
  readonly records: readonly UndoRecord[];
  /** The data after the command. */
  readonly keyspaces: readonly Keyspace[];
}

export class CommandEffects {
  readonly argv: readonly ByteString[];
  readonly reply: Reply;
  /** The number of the command's database. */
  readonly db: number;
  readonly changes: KeyChanges;
  readonly #records: CommandResult["records"];
  readonly #keyspaces: CommandResult["keyspaces"];
  readonly #report: ReportEvent;

  constructor({ argv, reply, unit, records, keyspaces }: CommandResult, report: ReportEvent) {
    this.argv = argv;
    this.reply = reply;
    this.db = unit.db;
    this.changes = new KeyChanges(records, keyspaces);
    this.#records = records;
    this.#keyspaces = keyspaces;
    this.#report = report;
  }

  report(kind: EventClass, name: string, key: ByteString, db = this.db): void {
    this.#report(kind, name, db, key);
  }

  /** Whether the command changed a key. */
  changed(key: ByteString, db = this.db): boolean {
    return this.changes.has(db, key);
  }

  /** Whether the key existed before the command. */
  existed(key: ByteString, db = this.db): boolean {
    return this.changes.existed(db, key);
  }

  /** Whether the key exists now. */
  exists(key: ByteString, db = this.db): boolean {
    return this.changes.exists(db, key);
  }

  /** All changes, the oldest first. */
  get records(): readonly UndoRecord[] {
    const all: UndoRecord[] = [];
    const add = (record: UndoRecord): void => {
      if ("before" in record && record.before !== null) add(record.before);
      all.push(record);
    };
    this.#records.forEach(add);
    return all;
  }

  /** Whether the command changed the value of a face in one of these ways. */
  used(...inverses: readonly Inverse[]): boolean {
    return this.records.some((record) => record.mutator === "value" && inverses.includes(record.inverse));
  }

  /** Returns the current value of a key. */
  valueOf(key: ByteString): Value | undefined {
    return this.#keyspaces[this.db]?.find(key)?.value;
  }

  /** Whether one of these words is among the arguments, regardless of upper and lower case. */
  hasArgument(from: number, ...words: readonly string[]): boolean {
    return this.argv.some((one, index) => index >= from && words.includes(one.toUpperCase()));
  }
}

/** A changed key. If `key` is null, all keys of a database have changed. */
interface ChangedKey {
  readonly db: number;
  readonly key: ByteString | null;
  /** Whether the key existed before. */
  readonly existed: boolean;
}

/** Called for each change, the oldest first: a key that changed several times is reported several times. */
type Visit = (changed: ChangedKey) => void;

/** Finds the keys that a command changed, from the undo records. */
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
    // A change within a collection is reported by the record of its key, which is a "put" or a "writer" record. Groups
    // of streams are not part of what subscribers receive or watch.
  }
}

/** The keys that one command changed. */
class KeyChanges {
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
