/**
 * TIMELINE LOG: returns the entries of a span of time, with the outcome of each unit. Parses the arguments of
 * TIMELINE's subcommands.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, integer, map, NIL, namesAndValues, type Reply } from "../../../protocol/reply.js";
import {
  bytesOfHex,
  conditionsOf,
  type Envelope,
  HASH_BYTES,
  hexOf,
} from "../../../protocol/version-2/envelope.js";
import { unitId } from "../../../protocol/version-2/unit-names.js";
import { CommandFailure, custom, echoed, syntaxError } from "../../store/arguments/command-errors.js";
import { commandTable } from "../../store/command-table.js";
import type { KeyRing } from "../../store/key-ring.js";
import { NO_EXPIRY } from "../../store/keyspace/keyspace.js";
import { type Touch, touchesOf } from "../../store/rows/key-spec.js";
import type { Entry } from "../../timeline/entries/entry.js";
import type { Fold, UnitAnswer } from "../../timeline/fold/fold.js";
import {
  type Recalled,
  type RecalledUnit,
  type Recalls,
  recalledUnits,
} from "../../timeline/history-fold.js";
import { ELLIPSIS, outcomeOf, reporting } from "./unit-report.js";

export interface LogContext {
  readonly recalls: Recalls;
  /** The latest date at which an entry may be folded. */
  readonly last: number;
  /** The envelope's database. */
  readonly db: number;
}

/** @throws CommandFailure  @returns a promise that rejects with RecallFailure if the history cannot be read */
export function log(argv: readonly ByteString[], { recalls, last, db }: LogContext): Promise<Reply> {
  const query = readLogQuery(argv, last, recalls.earliest);
  const databaseKey = query.key === null ? null : { db, key: query.key };
  const found = new NewestItems<() => Reply>(query.limit);
  let ringNow: (() => KeyRing) | null = null;

  const recalled = recalls.run({
    from: query.from,
    until: query.to,
    begun: (fold) => {
      ringNow = () => fold.ring;
    },
    found: (entry, answers) => {
      if (ringNow === null || !isWanted(entry.envelope, query)) return;
      for (const unit of recalledUnits(entry, answers))
        if (isOf(unit, databaseKey)) found.push(reporting(unit, ringNow().find(entry.envelope.key)));
    },
  });

  return recalled.then((end) =>
    map(
      namesAndValues({
        from: integer(query.from),
        to: integer(query.to),
        ...factsOf(end),
        left: integer(found.left),
        units: array(found.items.map((report) => report())),
      }),
    ),
  );
}

/**
 * Returns the fields of an answer that describe how the history was read: the snapshot at which reading began, and the
 * number of damaged entries.
 */
export function factsOf({ snapshot, damaged }: Recalled): Record<string, Reply> {
  return { snapshot: snapshot === null ? NIL : integer(snapshot), damaged: integer(damaged) };
}

function isWanted({ at, key, as }: Envelope, { from, signer }: LogQuery): boolean {
  return at >= from && (hexOf(key).startsWith(signer) || (isKeyId(as) && as.startsWith(signer)));
}

/**
 * Whether the user name in an entry is the id of a key. Such an entry contains a command of version 1 that was signed
 * with that key, and that the daemon recorded with its own signature.
 */
function isKeyId(as: ByteString | null): as is ByteString {
  return as !== null && /^[\da-f]{64}$/.test(as);
}

function isOf(unit: RecalledUnit, databaseKey: DatabaseKey | null): boolean {
  return databaseKey === null || unitTouchesKey(unit, databaseKey);
}

/** The newest of many items. The older ones are dropped, so that memory is bounded regardless of their number. */
export class NewestItems<T> {
  readonly #maxItems: number;
  readonly #ring: T[] = [];
  /** The number of items that were added so far. */
  seen = 0;

  constructor(maxItems: number) {
    this.#maxItems = maxItems;
  }

  push(item: T): void {
    this.#ring[this.seen++ % this.#maxItems] = item;
  }

  /** The number of dropped items. */
  get left(): number {
    return this.seen - this.#ring.length;
  }

  /** The items in the order in which they were added. */
  get items(): T[] {
    const start = this.left === 0 ? 0 : this.seen % this.#maxItems;
    return [...this.#ring.slice(start), ...this.#ring.slice(0, start)];
  }
}

export interface DatabaseKey {
  readonly db: number;
  readonly key: ByteString;
}

/** Whether a command or condition (`if`) of a unit names the key, or concerns all keys of the key's database. */
function unitTouchesKey(unit: RecalledUnit, databaseKey: DatabaseKey): boolean {
  const conditions = conditionsOf(unit.entry.envelope, unit.index) ?? [];
  if (conditions.some(({ db, key }) => db === databaseKey.db && key === databaseKey.key)) return true;
  return unit.commands.some((argv) => touchesIn(argv, unit.entry.envelope.db, databaseKey).length > 0);
}

/** Whether the unit may have changed the key. */
export function mayWrite({ entry, commands }: RecalledUnit, databaseKey: DatabaseKey): boolean {
  return commands.some((argv) => writes(argv, entry.envelope.db, databaseKey));
}

/** Whether a command may change the key. @param db  the database that it runs in */
export function writes(argv: readonly ByteString[], db: number, databaseKey: DatabaseKey): boolean {
  return touchesIn(argv, db, databaseKey).some(({ access }) => access === "write");
}

/** Returns the command's accesses to the key, including accesses to all keys of the key's database. */
function touchesIn(argv: readonly ByteString[], db: number, databaseKey: DatabaseKey): Touch[] {
  const command = commandTable.resolve(argv);
  if (command instanceof CommandFailure) return [];
  return touchesOf(command.keys, argv).filter((touch) => {
    const touched = touch.db ?? db;
    return (
      (touched === -1 || touched === databaseKey.db) && (touch.key === null || touch.key === databaseKey.key)
    );
  });
}

/** The id of the unit that last wrote a key, or null if the key is absent. */
type Writer = ByteString | null;

type Change = "created" | "changed" | "removed";

interface BlameContext extends LogContext {
  /** Whether commands are shown with all their arguments. If not, only their names and the key are shown. */
  readonly showsAll: boolean;
}

/**
 * @param argv  `TIMELINE BLAME key [FROM ms]`.
 * @throws CommandFailure
 * @returns a promise that rejects with RecallFailure if the history cannot be read
 */
export async function blame(
  argv: readonly ByteString[],
  { recalls, last, db, showsAll }: BlameContext,
): Promise<Reply> {
  const from = readBlameFrom(argv) ?? recalls.earliest;
  const tracker = new BlameTracker({ db, key: argv[2] as ByteString }, from, showsAll);
  const recalled = await recalls.run({
    from,
    until: last,
    begun: (fold) => tracker.begin(fold),
    found: (entry, answers) => tracker.find(entry, answers),
  });
  return map(
    namesAndValues({
      from: integer(from),
      ...factsOf(recalled),
      left: integer(tracker.found.left),
      before: writerReply(tracker.before),
      writer: writerReply(tracker.writerAt(last)),
      units: array(tracker.found.items.map((report) => report())),
    }),
  );
}

/**
 * TIMELINE BLAME: finds the units that produced the current value of a key. After each entry it checks whether the
 * key's value, expiry or existence has changed. If an entry that has changed the key has several units,
 * the answer contains all of them that may write the key and did not fail.
 */
class BlameTracker {
  found = new NewestItems<() => Reply>(UNITS_MAX);
  /** The key's writer before the first checked entry. */
  before: Writer = null;
  readonly #databaseKey: DatabaseKey;
  readonly #from: number;
  readonly #showsAll: boolean;
  #fold: Fold | null = null;
  /** The writer after the previous entry. */
  #writer: Writer = null;
  #expire = NO_EXPIRY;

  constructor(databaseKey: DatabaseKey, from: number, showsAll: boolean) {
    this.#databaseKey = databaseKey;
    this.#from = from;
    this.#showsAll = showsAll;
  }

  begin(fold: Fold): void {
    this.#fold = fold;
    this.found = new NewestItems(UNITS_MAX);
    this.#note();
    this.before = this.writerAt(this.#from);
  }

  find(entry: Entry, answers: readonly UnitAnswer[]): void {
    const fold = this.#fold;
    if (fold === null) return;
    const { at } = entry.envelope;
    const before = this.writerAt(at);
    this.#note();
    const after = this.writerAt(at);
    if (at < this.#from) {
      this.before = this.writerAt(this.#from);
      return;
    }
    const change = changeOf(before, after);
    if (change === null) return;
    for (const unit of recalledUnits(entry, answers)) {
      if (!this.#isCause(unit, after)) continue;
      const shown = this.#showsAll ? unit : this.#ofKeyAlone(unit);
      this.found.push(reporting(shown, fold.ring.find(entry.envelope.key), [bulk("change"), bulk(change)]));
    }
  }

  /** Returns the key's last writer, or null if the key does not exist or has expired at the given date. */
  writerAt(at: number): Writer {
    return this.#expire !== NO_EXPIRY && at > this.#expire ? null : this.#writer;
  }

  /** Copies the current state of the key, because the fold changes the key's entry in place. */
  #note(): void {
    const { db, key } = this.#databaseKey;
    const entry = this.#fold?.database.keyspaces[db]?.find(key);
    this.#writer = entry?.writer ?? null;
    this.#expire = entry?.expire ?? NO_EXPIRY;
  }

  /**
   * Returns the unit with only the commands that may have written the key. Their other keys and all data are omitted.
   */
  #ofKeyAlone(unit: RecalledUnit): RecalledUnit {
    const { entry, commands, answer } = unit;
    const { key } = this.#databaseKey;
    const own = commands.filter((argv) => writes(argv, entry.envelope.db, this.#databaseKey));
    const shown = own.map(([name = "", ...args]) => [name, ...(args.includes(key) ? [key] : []), ELLIPSIS]);
    return { ...unit, commands: shown, answer: { ...answer, reply: bulk(ELLIPSIS) } };
  }

  /** Whether a unit may have caused the change: a unit that failed, or that only reads, has changed nothing. */
  #isCause(unit: RecalledUnit, after: Writer): boolean {
    if (after === unitId(unit.entry.id, unit.index)) return true;
    return outcomeOf(unit) === "applied" && mayWrite(unit, this.#databaseKey);
  }
}

function changeOf(before: Writer, after: Writer): Change | null {
  if (before === after) return null;
  if (after === null) return "removed";
  return before === null ? "created" : "changed";
}

/** Returns the name of a unit, which has the form `id:index`, or nil for null. */
function writerReply(writer: Writer): Reply {
  if (writer === null) return NIL;
  const index = Buffer.from(writer.slice(HASH_BYTES), "latin1").readUInt32BE();
  return bulk(`${hexOf(writer.slice(0, HASH_BYTES))}:${index}`);
}

/** The maximum number of units in one answer. */
const UNITS_MAX = 10_000;
const UNITS_DEFAULT = 100;
/** The maximum number of dead letters in one answer. It is low, because each letter is read from the disk. */
const DEAD_LETTERS_MAX = 200;
/** Milliseconds before TO that are covered if there is no FROM. */
const SPAN_DEFAULT_MS = 60 * 60 * 1000;
const SIGNER_DIGITS_MIN = 4;

interface LogQuery {
  /** The first date, in milliseconds since 1970. */
  readonly from: number;
  /** The last date. */
  readonly to: number;
  /** The key, or null for any key. */
  readonly key: ByteString | null;
  /** The hexadecimal digits that the signer's id begins with. */
  readonly signer: string;
  readonly limit: number;
}

/**
 * @param argv  `TIMELINE LOG …`
 * @param last      the latest date at which an entry may be folded
 * @param earliest  the first stored date
 * @throws CommandFailure
 */
export function readLogQuery(argv: readonly ByteString[], last: number, earliest: number): LogQuery {
  const options = readOptions(argv, 2, ["FROM", "TO", "KEY", "SIGNER", "LIMIT"]);
  const to = Math.min(dateOption(options, "TO") ?? last, last);
  const from = dateOption(options, "FROM") ?? Math.min(to, Math.max(earliest, to - SPAN_DEFAULT_MS));
  return {
    from,
    to,
    key: options.get("KEY") ?? null,
    signer: signerOption(options),
    limit: countOption(options, "LIMIT", UNITS_MAX) ?? UNITS_DEFAULT,
  };
}

/**
 * @param argv  `TIMELINE BLAME key …`.
 * @returns the date to begin at, or null for the earliest.
 * @throws CommandFailure
 */
function readBlameFrom(argv: readonly ByteString[]): number | null {
  return dateOption(readOptions(argv, 3, ["FROM"]), "FROM");
}

/**
 * @param argv  `TIMELINE STATUS …`.
 * @returns the date in milliseconds since 1970, or null if there is no UPTO.
 * @throws CommandFailure
 */
export function readStatusUpTo(argv: readonly ByteString[]): number | null {
  return dateOption(readOptions(argv, 2, ["UPTO"]), "UPTO");
}

/** @param argv  `TIMELINE DEADLETTERS …`. @throws CommandFailure */
export function readDeadLettersQuery(argv: readonly ByteString[]): {
  readonly from: number;
  readonly limit: number;
} {
  const options = readOptions(argv, 2, ["FROM", "LIMIT"]);
  const limit = countOption(options, "LIMIT", DEAD_LETTERS_MAX) ?? UNITS_DEFAULT;
  return { from: dateOption(options, "FROM") ?? 0, limit };
}

/** @throws CommandFailure */
export function readDate(text: ByteString, what: string): number {
  if (/^(0|[1-9]\d{0,15})$/.test(text) && Number(text) <= Number.MAX_SAFE_INTEGER) return Number(text);
  throw custom(`ERR ${what} is '${echoed(text)}' instead of milliseconds since 1970`);
}

function readOptions(
  argv: readonly ByteString[],
  first: number,
  names: readonly string[],
): ReadonlyMap<string, ByteString> {
  const options = new Map<string, ByteString>();
  for (let i = first; i < argv.length; i += 2) {
    const name = (argv[i] as ByteString).toUpperCase();
    const value = argv[i + 1];
    if (!names.includes(name) || options.has(name)) throw syntaxError();
    if (value === undefined) throw custom(`ERR ${name} is not followed by its value`);
    options.set(name, value);
  }
  return options;
}

function dateOption(options: ReadonlyMap<string, ByteString>, name: string): number | null {
  const text = options.get(name);
  return text === undefined ? null : readDate(text, name);
}

function countOption(options: ReadonlyMap<string, ByteString>, name: string, max: number): number | null {
  const text = options.get(name);
  if (text === undefined) return null;
  if (/^[1-9]\d{0,8}$/.test(text) && Number(text) <= max) return Number(text);
  throw custom(`ERR ${name} is '${echoed(text)}' instead of a number from 1 to ${max}`);
}

function signerOption(options: ReadonlyMap<string, ByteString>): string {
  const text = options.get("SIGNER");
  if (text === undefined) return "";
  const id = bytesOfHex(text, HASH_BYTES);
  if (id !== undefined) return hexOf(id);
  if (/^[\da-f]+$/i.test(text) && text.length >= SIGNER_DIGITS_MIN && text.length < 2 * HASH_BYTES)
    return text.toLowerCase();
  throw custom(
    `ERR SIGNER is '${echoed(text)}' instead of a key's id, or the first ${SIGNER_DIGITS_MIN} or more of its ` +
      "hexadecimal digits",
  );
}
