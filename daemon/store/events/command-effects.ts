/** The effects of an executed command, from which the rules derive its events. */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Reply } from "../../../protocol/reply.js";
import type { Keyspace } from "../keyspace/keyspace.js";
import type { UndoRecord } from "../keyspace/undo.js";
import type { Unit } from "../keyspace/unit.js";
import type { Inverse } from "../keyspace/value-change.js";
import type { Value } from "../values/value.js";
import { KeyChanges } from "./key-changes.js";

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
      if (record.mutator === "writer" && record.before !== null) add(record.before);
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
