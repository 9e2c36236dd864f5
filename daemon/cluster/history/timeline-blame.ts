/** TIMELINE BLAME: returns the units that changed a key in a span of time, and the unit that wrote it last. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, integer, map, NIL, namesAndValues, type Reply } from "../../../protocol/reply.js";
import { HASH_BYTES, hexOf } from "../../../protocol/version-2/envelope.js";
import { unitId } from "../../../protocol/version-2/unit-names.js";
import { NO_EXPIRY } from "../../store/keyspace/keyspace.js";
import type { Entry } from "../../timeline/entries/entry.js";
import type { Fold, UnitAnswer } from "../../timeline/fold/fold.js";
import { type RecalledUnit, recalledUnits } from "../../timeline/history-fold.js";
import { factsOf, type LogContext, NewestItems } from "./timeline-log.js";
import { dateOption, readLogOptions, UNITS_MAX } from "./timeline-options.js";
import { type DatabaseKey, mayWrite, writes } from "./touched-keys.js";
import { ELLIPSIS, outcomeOf, reporting } from "./unit-report.js";

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

/**
 * @param argv  `TIMELINE BLAME key …`.
 * @returns the date to begin at, or null for the earliest.
 * @throws CommandFailure
 */
function readBlameFrom(argv: readonly ByteString[]): number | null {
  return dateOption(readLogOptions(argv, 3, ["FROM"]), "FROM");
}
