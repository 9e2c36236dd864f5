/** A command that has been run, as the rules of its events ask about it. */
import type { ByteString } from "../../protocol/byte-string.js";
import type { Reply } from "../../protocol/reply.js";
import type { MutatorName, UndoRecord } from "../keyspace/undo.js";
import type { Value } from "../values/value.js";
import type { HeardCommand } from "./change-listener.js";
import { KeyChanges } from "./key-changes.js";

/** Generic, strings, lists, sets, hashes, sorted sets, expired, evicted, streams, other types, missed, new. */
export type EventClass = "g" | "$" | "l" | "s" | "h" | "z" | "x" | "e" | "t" | "d" | "m" | "n";

export type TellEvent = (kind: EventClass, name: string, db: number, key: ByteString) => void;

export class Doing {
  readonly argv: readonly ByteString[];
  readonly reply: Reply;
  /** The command's own. */
  readonly db: number;
  readonly changes: KeyChanges;
  readonly #records: HeardCommand["records"];
  readonly #keyspaces: HeardCommand["keyspaces"];
  readonly #tell: TellEvent;

  constructor({ argv, reply, unit, records, keyspaces }: HeardCommand, tell: TellEvent) {
    this.argv = argv;
    this.reply = reply;
    this.db = unit.db;
    this.changes = new KeyChanges(records, keyspaces);
    this.#records = records;
    this.#keyspaces = keyspaces;
    this.#tell = tell;
  }

  tell(kind: EventClass, name: string, key: ByteString, db = this.db): void {
    this.#tell(kind, name, db, key);
  }

  /** Whether anything of a key has changed. */
  has(key: ByteString, db = this.db): boolean {
    return this.changes.has(db, key);
  }

  /** Whether it was there before. */
  was(key: ByteString, db = this.db): boolean {
    return this.changes.was(db, key);
  }

  /** Whether it is there now. */
  is(key: ByteString, db = this.db): boolean {
    return this.changes.is(db, key);
  }

  /** All that was done, the oldest first. */
  get done(): readonly UndoRecord[] {
    const all: UndoRecord[] = [];
    const add = (record: UndoRecord): void => {
      if (record.mutator === "writer" && record.before !== null) add(record.before);
      all.push(record);
    };
    this.#records.forEach(add);
    return all;
  }

  /** Whether something of these kinds was. */
  did(...mutators: readonly MutatorName[]): boolean {
    return this.done.some(({ mutator }) => mutators.includes(mutator));
  }

  /** Returns the current value of a key. */
  valueOf(key: ByteString): Value | undefined {
    return this.#keyspaces[this.db]?.find(key)?.value;
  }

  /** Whether a word is among the arguments, in any case. */
  says(from: number, ...words: readonly string[]): boolean {
    return this.argv.some((one, index) => index >= from && words.includes(one.toUpperCase()));
  }
}
