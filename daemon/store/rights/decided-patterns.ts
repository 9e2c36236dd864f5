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
import {
  type KeyRange,
  lastKeyOf,
  permissionFor,
  rangesOf,
  type Touch,
  touchesOf,
} from "../rows/key-spec.js";

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

/** Why commands are refused that `isMixed` finds. */
export const TAKES_ELSEWHERE =
  "commands that write decided keys (CLUSTER DECIDE) can take elements only from such keys";

/** A command with its arguments, and the database in which it runs. */
export interface DatabaseCall {
  readonly command: Pick<Command, "keys" | "writes" | "isClaim">;
  readonly argv: readonly ByteString[];
  readonly db: number;
}

/** A pattern that was removed. */
export interface EndedPattern extends DecidedPattern {
  readonly endedAt: number;
}

/** Patterns whose literal beginnings have the same length. */
interface SameLength {
  readonly length: number;
  /** The last bytes of the beginnings. Most other keys have another byte at that place, or are shorter. */
  readonly lastBytes: ByteFlags;
  readonly byBeginning: ReadonlyMap<ByteString, readonly PreparedPattern[]>;
}

/** A set of bytes: 1 at the index of each. */
type ByteFlags = Readonly<Uint8Array>;

interface PreparedPattern extends PatternName {
  /** What follows its last special character, and the last byte of that; null: nothing follows. */
  readonly ending: ByteString;
  readonly lastByte: number | null;
}

/** Milliseconds for which a removed pattern is known: longer than any date that a daemon accepts is old. */
const ENDED_MS = 3_600_000;
/** The maximum number of removed patterns; above it, the one that was removed first is forgotten. */
const ENDED_MAX = 64;

/** An immutable set of patterns, in the order in which they were announced. */
export class DecidedPatterns {
  static readonly NONE = new DecidedPatterns([]);
  readonly #ended: readonly EndedPattern[];
  /** The patterns by what precedes their first special characters: few keys have such a beginning. */
  readonly #byLength: readonly SameLength[];
  /** The first bytes of the keys of all patterns; null: any. */
  readonly #firstBytes: ByteFlags | null;
  readonly all: readonly DecidedPattern[];
  /** The same patterns, without those that were only announced. */
  readonly begun: DecidedPatterns;

  private constructor(all: readonly DecidedPattern[], ended: readonly EndedPattern[] = []) {
    this.all = all;
    this.#ended = ended;
    this.#byLength = byLengthOf(all);
    this.#firstBytes = firstBytesOf(all);
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
    for (const argv of commands) if (this.coversCommand(argv, db, table)) return argv;
    return null;
  }

  /** Whether a command, as bytes, may write a key of a pattern. */
  coversCommand(argv: readonly ByteString[], db: number, table: CommandIndex): boolean {
    const command = table.resolve(argv);
    return !(command instanceof CommandFailure) && this.coversCall(command, argv, db);
  }

  /** Whether a key is one of a pattern. Each write to any key is checked, so most patterns are only compared. */
  hasKey(db: number, key: ByteString): boolean {
    if (this.#firstBytes !== null && (key === "" || this.#firstBytes[key.charCodeAt(0)] !== 1)) return false;
    for (const { length, lastBytes, byBeginning } of this.#byLength) {
      if (length > 0 && (key.length < length || lastBytes[key.charCodeAt(length - 1)] !== 1)) continue;
      const patterns = byBeginning.get(length === 0 ? "" : key.slice(0, length));
      for (const pattern of patterns ?? []) if (matches(pattern, db, key)) return true;
    }
    return false;
  }

  /** Whether a command names a key of a pattern, or may write one. */
  touchedBy({ command, argv, db }: DatabaseCall): boolean {
    return touchesOf(command.keys, argv).some(
      (touch) => (touch.key !== null || touch.access === "write") && this.#mayConcern(touch, db),
    );
  }

  /** Whether a command may write a key of a pattern. */
  covers({ command, argv, db }: DatabaseCall): boolean {
    return this.coversCall(command, argv, db);
  }

  /** Does the same as `covers`. Each write is checked several times, so the caller creates no object. */
  coversCall(command: DatabaseCall["command"], argv: readonly ByteString[], db: number): boolean {
    if (this.all.length === 0 || !command.writes) return false;
    const ranges = rangesOf(command.keys, argv);
    if (ranges === null)
      return touchesOf(command.keys, argv).some(
        (touch) => touch.access === "write" && this.#mayConcern(touch, db),
      );
    for (const range of ranges) if (this.#hasWritten(range, argv, db)) return true;
    return false;
  }

  /** Whether a command writes a key of a pattern at some of its arguments. */
  #hasWritten(range: KeyRange, argv: readonly ByteString[], db: number): boolean {
    if (range.access !== "write") return false;
    const last = lastKeyOf(range, argv);
    for (let i = range.first; i <= last; i += range.step)
      if (this.hasKey(db, argv[i] as ByteString)) return true;
    return false;
  }

  /** Whether a key, or one of the keys of a complete database, may match a pattern. */
  #mayConcern(touch: Touch, db: number): boolean {
    const { key } = touch;
    return key === null
      ? this.all.some((pattern) => concernsDatabase(pattern, touch, db))
      : this.hasKey(touch.db ?? db, key);
  }

  /** Whether `isMixed` holds for a unit of an envelope. */
  hasMixed(envelope: Envelope, { table }: { readonly table: CommandIndex | null }): boolean {
    if (this.isEmpty || table === null) return false;
    return unitsIn(envelope).some((range) => {
      const calls = commandsIn(envelope, range).map((argv) => callOf(argv, envelope.db, table));
      return this.isMixed(calls.filter((call) => call !== null));
    });
  }

  /**
   * Whether commands of one unit may write keys of a pattern, and take elements of other keys. What they take from
   * these could change after the answer.
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

/** Groups patterns by their literal beginnings, and these by their lengths. */
function byLengthOf(patterns: readonly PatternName[]): readonly SameLength[] {
  const lengths = new Map<number, Map<ByteString, PreparedPattern[]>>();
  for (const { glob, db } of patterns) {
    const beginning = literalBeginning(glob);
    const byBeginning = lengths.get(beginning.length) ?? new Map<ByteString, PreparedPattern[]>();
    lengths.set(beginning.length, byBeginning);
    const same = byBeginning.get(beginning) ?? [];
    byBeginning.set(beginning, same);
    const ending = literalEnding(glob);
    same.push({ glob, db, ending, lastByte: ending === "" ? null : ending.charCodeAt(ending.length - 1) });
  }
  return [...lengths].map(([length, byBeginning]) => {
    const lastBytes = flagsOf([...byBeginning.keys()].map((beginning) => beginning.charCodeAt(length - 1)));
    return { length, lastBytes, byBeginning };
  });
}

function firstBytesOf(patterns: readonly PatternName[]): ByteFlags | null {
  const beginnings = patterns.map(({ glob }) => literalBeginning(glob));
  return beginnings.includes("") ? null : flagsOf(beginnings.map((beginning) => beginning.charCodeAt(0)));
}

function flagsOf(bytes: readonly number[]): ByteFlags {
  const flags = new Uint8Array(256);
  for (const byte of bytes) flags[byte] = 1;
  return flags;
}

/** Whether a key matches a pattern. The last byte alone excludes most keys. */
function matches(pattern: PreparedPattern, db: number, key: ByteString): boolean {
  if (pattern.lastByte !== null && (key === "" || key.charCodeAt(key.length - 1) !== pattern.lastByte))
    return false;
  return (pattern.db ?? db) === db && key.endsWith(pattern.ending) && globMatches(pattern.glob, key);
}

/** Returns a command with its row; null: there is none. */
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

/** Returns what precedes the first special character of a pattern. */
const literalBeginning = (glob: ByteString): ByteString => /^[^*?[\\]*/.exec(glob)?.[0] ?? "";

/** Returns a text with which each key of a pattern ends. A class may continue to the end of the pattern. */
const literalEnding = (glob: ByteString): ByteString =>
  glob.includes("[") ? "" : (/[^*?\\]*$/.exec(glob)?.[0] ?? "");
