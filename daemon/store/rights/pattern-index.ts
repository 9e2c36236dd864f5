/**
 * Finds whether a key matches one of many patterns. Each write is checked several times and few keys match, so the
 * literal texts at the ends of the patterns exclude most keys before they are compared with a pattern.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { globMatches } from "../patterns/glob.js";

/** A pattern of the keys of one database, or of all databases if `db` is null. */
interface IndexedPattern {
  readonly glob: ByteString;
  readonly db: number | null;
}

/** A pattern with the literal text at its end. */
interface PreparedPattern extends IndexedPattern {
  readonly ending: ByteString;
  /** The last byte of `ending`, or null if it is empty. */
  readonly lastByte: number | null;
}

/** Patterns whose literal beginnings have the same length. */
interface SameLength {
  readonly length: number;
  /** 1 at the index of each byte with which a beginning ends; null: the beginnings are empty. */
  readonly lastBytes: Readonly<Uint8Array> | null;
  readonly byBeginning: ReadonlyMap<ByteString, readonly PreparedPattern[]>;
}

export class PatternIndex {
  readonly #groups: readonly SameLength[];

  constructor(patterns: readonly IndexedPattern[]) {
    const lengths = new Set(patterns.map(({ glob }) => literalBeginning(glob).length));
    this.#groups = [...lengths].map((length) => sameLength(length, patterns));
  }

  /** Whether a key of a database matches a pattern. */
  matches(key: ByteString, db: number): boolean {
    for (const { length, lastBytes, byBeginning } of this.#groups) {
      // A shorter key has no byte at this index, so it is excluded too.
      if (lastBytes !== null && lastBytes[key.charCodeAt(length - 1)] !== 1) continue;
      const patterns = byBeginning.get(key.slice(0, length));
      if (patterns === undefined) continue;
      for (const pattern of patterns) if (matchesOne(pattern, key, db)) return true;
    }
    return false;
  }
}

function sameLength(length: number, patterns: readonly IndexedPattern[]): SameLength {
  const byBeginning = new Map<ByteString, PreparedPattern[]>();
  for (const { glob, db } of patterns) {
    const beginning = literalBeginning(glob);
    if (beginning.length !== length) continue;

    const same = byBeginning.get(beginning) ?? [];
    byBeginning.set(beginning, same);
    const ending = literalEnding(glob);
    same.push({ glob, db, ending, lastByte: ending === "" ? null : ending.charCodeAt(ending.length - 1) });
  }
  return { length, lastBytes: length === 0 ? null : lastBytesOf(byBeginning.keys()), byBeginning };
}

function lastBytesOf(texts: Iterable<ByteString>): Uint8Array {
  const flags = new Uint8Array(256);
  for (const text of texts) flags[text.charCodeAt(text.length - 1)] = 1;
  return flags;
}

function matchesOne(
  { glob, db: only, ending, lastByte }: PreparedPattern,
  key: ByteString,
  db: number,
): boolean {
  if (lastByte !== null && key.charCodeAt(key.length - 1) !== lastByte) return false;
  return (only === null || only === db) && key.endsWith(ending) && globMatches(glob, key);
}

/** Returns the text before the first special character of a pattern. */
export const literalBeginning = (glob: ByteString): ByteString => /^[^*?[\\]*/.exec(glob)?.[0] ?? "";

/** Returns a text with which each key of a pattern ends; empty if the pattern has a class, which may contain `*`. */
const literalEnding = (glob: ByteString): ByteString =>
  glob.includes("[") ? "" : (/[^*?\\]*$/.exec(glob)?.[0] ?? "");
