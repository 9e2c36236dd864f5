/**
 * The patterns of the keys on whose writes the members of the list decide. They are part of the key ring's state, and
 * `CLUSTER DECIDE`, `CLUSTER DECIDED` and `CLUSTER UNDECIDE` change them. Source: docs/decisions/0081.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { commandsIn, type Envelope, unitsIn } from "../../../protocol/version-2/envelope.js";
import { CommandFailure, echoed } from "../arguments/command-errors.js";
import { globMatches } from "../patterns/glob.js";
import type { CommandIndex } from "../rows/command-index.js";
import { type Command, isClaim } from "../rows/command-row.js";
import { type KeyRange, lastKeyOf, permissionFor, type Touch, touchesOf } from "../rows/key-spec.js";
import { literalBeginning, PatternIndex } from "./pattern-index.js";

export interface DecidedPattern {
  /** A pattern as in a rule: `lock:*`. */
  readonly glob: ByteString;
  /** The number of the only database that it concerns; null: all. */
  readonly db: number | null;
  /** The date from which daemons request decisions on writes to its keys, milliseconds since 1970. */
  readonly announcedAt: number;
  /** Whether writes on which the members have not decided are void. */
  readonly isBegun: boolean;
}

/** The name of a pattern: its text and its database. */
export type PatternName = Pick<DecidedPattern, "glob" | "db">;

/** Returns patterns as reports name them: `'lock:*', 'jobs:*' (database 2)`; null: there are none. */
export function patternNames(patterns: readonly PatternName[]): string | null {
  const names = patterns.map(({ glob, db }) => `'${echoed(glob)}'${db === null ? "" : ` (database ${db})`}`);
  return names.length === 0 ? null : names.join(", ");
}

/** A command with its arguments, and the database in which it runs. */
export interface DatabaseCall {
  readonly command: Pick<Command, "keys" | "writes" | "isClaim">;
  readonly argv: readonly ByteString[];
  readonly db: number;
}

/** Why commands are refused that `isMixed` finds. */
export const TAKES_ELSEWHERE =
  "commands that write decided keys (CLUSTER DECIDE) can take elements only from such keys";

/** A pattern that was removed. */
export interface EndedPattern extends DecidedPattern {
  readonly endedAt: number;
}

/** Milliseconds for which a removed pattern is known: longer than any date that a daemon accepts is old. */
const ENDED_MS = 3_600_000;
/** The maximum number of removed patterns; above it, the one that was removed first is forgotten. */
const ENDED_MAX = 64;

/** An immutable set of patterns, in the order in which they were announced. */
export class DecidedPatterns {
  static readonly NONE = new DecidedPatterns([]);
  readonly #ended: readonly EndedPattern[];
  readonly #index: PatternIndex;
  readonly all: readonly DecidedPattern[];
  /** The same patterns, without those that were only announced. */
  readonly begun: DecidedPatterns;

  private constructor(all: readonly DecidedPattern[], ended: readonly EndedPattern[] = []) {
    this.all = all;
    this.#ended = ended;
    this.#index = new PatternIndex(all);
    const begun = all.filter(({ isBegun }) => isBegun);
    this.begun = begun.length === all.length ? this : new DecidedPatterns(begun);
  }

  get isEmpty(): boolean {
    return this.all.length === 0;
  }

  find({ glob, db }: PatternName): DecidedPattern | undefined {
    return this.all.find((one) => one.glob === glob && one.db === db);
  }

  /** Returns the set with a pattern, which replaces the one with the same name. */
  with(pattern: DecidedPattern): DecidedPatterns {
    const isNew = this.find(pattern) === undefined;
    const replaced = this.all.map((one) => (isSame(one, pattern) ? pattern : one));
    return new DecidedPatterns(isNew ? [...this.all, pattern] : replaced, this.#ended);
  }

  /** Returns the set without a pattern. @param at  the date from which it is removed */
  without(name: PatternName, at: number): DecidedPatterns {
    const removed = this.all.filter((one) => isSame(one, name)).map((one) => ({ ...one, endedAt: at }));
    const known = this.#ended.filter((one) => !isSame(one, name) && one.endedAt > at - ENDED_MS);
    const rest = this.all.filter((one) => !isSame(one, name));
    return new DecidedPatterns(rest, [...known, ...removed].slice(-ENDED_MAX));
  }

  /** Returns the patterns that were removed at or after a date. */
  endedSince(at: number): DecidedPatterns {
    const ended = this.#ended.filter(({ endedAt }) => endedAt >= at);
    return ended.length === 0 ? DecidedPatterns.NONE : new DecidedPatterns(ended);
  }

  /** Returns the first command of an envelope that may write a key of a pattern; null: none. */
  findIn(
    { commands, db }: Pick<Envelope, "commands" | "db">,
    { table }: { readonly table: CommandIndex | null },
  ): readonly ByteString[] | null {
    if (this.isEmpty || table === null) return null;
    const found = commands.find((argv) => {
      const call = callOf(argv, db, table);
      return call !== null && this.covers(call);
    });
    return found ?? null;
  }

  /** Whether a command may write a key of a pattern. Each write is checked, so no object is created per key. */
  covers({ command: { keys, writes }, argv, db }: DatabaseCall): boolean {
    if (this.all.length === 0 || !writes) return false;
    if (typeof keys === "function")
      return keys(argv).some((touch) => touch.access === "write" && this.#mayConcern(touch, db));
    for (const range of keys)
      if (range.access === "write" && this.#includesOneOf(range, argv, db)) return true;
    return false;
  }

  /** Whether one of the keys in a range of arguments matches a pattern. */
  #includesOneOf(range: KeyRange, argv: readonly ByteString[], db: number): boolean {
    const last = lastKeyOf(range, argv);
    for (let i = range.first; i <= last; i += range.step)
      if (this.#index.matches(argv[i] as ByteString, db)) return true;
    return false;
  }

  /** Whether a key, or one of the keys of a complete database, may match a pattern. */
  #mayConcern(touch: Touch, db: number): boolean {
    const { key } = touch;
    return key === null
      ? this.all.some((pattern) => concernsDatabase(pattern, touch, db))
      : this.#index.matches(key, touch.db ?? db);
  }

  /** Whether a unit of an envelope may write keys of a pattern, and take elements of other keys. */
  hasMixed(envelope: Envelope, { table }: { readonly table: CommandIndex | null }): boolean {
    if (this.isEmpty || table === null) return false;
    return unitsIn(envelope).some((range) =>
      this.isMixed(commandsIn(envelope, range).flatMap((argv) => callOf(argv, envelope.db, table) ?? [])),
    );
  }

  /**
   * Whether commands of one unit may write keys of a pattern, and take elements of other keys. The contents of these
   * may still change, and what the unit writes would change with them after its answer.
   */
  isMixed(calls: readonly DatabaseCall[]): boolean {
    if (this.isEmpty) return false;
    // Few commands take elements, so this is checked first.
    const takes = calls.some((call) => isClaim(call.command, call.argv) && this.takesElsewhere(call));
    return takes && calls.some((call) => this.covers(call));
  }

  /** Whether a command may take elements of a key that is not a key of a pattern. */
  takesElsewhere({ command, argv, db }: DatabaseCall): boolean {
    return touchesOf(command.keys, argv).some(
      (touch) =>
        touch.access === "write" &&
        permissionFor(touch).startsWith("R") &&
        !this.all.some((pattern) => contains(pattern, touch, db)),
    );
  }
}

/** Returns a command with its row, or null if there is no such command. */
function callOf(argv: readonly ByteString[], db: number, table: CommandIndex): DatabaseCall | null {
  const command = table.resolve(argv);
  return command instanceof CommandFailure ? null : { command, argv, db };
}

const isSame = (one: PatternName, other: PatternName): boolean =>
  one.glob === other.glob && one.db === other.db;

/** Whether one of the keys of a complete database may match a pattern. */
function concernsDatabase(pattern: DecidedPattern, { beginning = "", ...touch }: Touch, db: number): boolean {
  const touched = touch.db ?? db;
  if (pattern.db !== null && touched !== ALL_DATABASES && touched !== pattern.db) return false;
  const literal = literalBeginning(pattern.glob);
  return literal.startsWith(beginning) || beginning.startsWith(literal);
}

/** Whether a key, or each key that a touch of a complete database may mean, matches a pattern. */
function contains(pattern: DecidedPattern, { key, beginning = "", ...touch }: Touch, db: number): boolean {
  if (pattern.db !== null && (touch.db ?? db) !== pattern.db) return false;
  if (key !== null) return globMatches(pattern.glob, key);
  const literal = literalBeginning(pattern.glob);
  return pattern.glob === `${literal}*` && beginning.startsWith(literal);
}

/** The number that means all databases in a `Touch`. */
const ALL_DATABASES = -1;
