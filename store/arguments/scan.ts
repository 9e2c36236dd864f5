/**
 * Cursors over dense arrays. A scan walks from the last place down to the first: removal moves the last element into
 * the hole, so what has not been visited can only move to places that are still to come, and whatever is present
 * throughout is returned. The cursor is the number of places still to visit; 0 begins and ends a scan.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { array, bulk, bulks, type Reply } from "../../protocol/reply.js";
import { GlobSteps, globMatches, type StepCounter } from "../patterns/glob.js";
import { custom, syntaxError } from "./errors.js";
import { indexArgument } from "./numbers.js";

const COUNT_DEFAULT = 10;
/** As C's `strtoul` reads it, to whom nothing is 0. */
const CURSOR = /^([+-]?\d+)?$/;
const CURSOR_MAX = 2 ** 64;

export interface ScanOptions {
  readonly cursor: number;
  readonly count: number;
  readonly matches: (name: ByteString) => boolean;
  /** From SCAN's TYPE, in lower case. */
  readonly type: string | undefined;
}

/** Reads `cursor [MATCH pattern] [COUNT n] [TYPE type]`. @throws CommandFailure */
export function scanCursor(bytes: ByteString): number {
  const [text = ""] = bytes.split("\0", 1);
  const cursor = Math.abs(Number(text));
  if (!CURSOR.test(text) || cursor > CURSOR_MAX) throw custom("ERR invalid cursor");
  return cursor;
}

/** Where the steps of patterns are counted. */
interface Counting {
  readonly effort: StepCounter;
}

/** @param first  place of the first option in `argv` */
export function scanOptions(
  data: Counting,
  argv: readonly ByteString[],
  { first, cursor, allowType = false }: { first: number; cursor: number; allowType?: boolean },
): ScanOptions {
  let count = COUNT_DEFAULT;
  let matches: ScanOptions["matches"] = () => true;
  let type: string | undefined;
  for (let i = first; i < argv.length; i += 2) {
    const option = (argv[i] as ByteString).toLowerCase();
    const value = argv[i + 1];
    if (value === undefined) throw syntaxError();
    if (option === "count") {
      count = indexArgument(value);
      if (count < 1) throw syntaxError();
    } else if (option === "match") {
      matches = value === "*" ? () => true : matcherOf(value, data);
    } else if (option === "type" && allowType) {
      type = value.toLowerCase();
    } else {
      throw syntaxError();
    }
  }
  return { cursor, count, matches, type };
}

/**
 * Returns what finds the names that a command's pattern matches.
 * @throws CommandFailure  by what is returned: the pattern takes too many steps
 */
export function matcherOf(pattern: ByteString, { effort }: Counting): (name: ByteString) => boolean {
  const steps = new GlobSteps(effort);
  return (name) => {
    const isMatch = globMatches(pattern, name, steps);
    if (steps.areOver)
      throw custom("TOOMUCH the pattern takes too many steps on these names: use a shorter one");
    return isMatch;
  };
}

/** The places that a page visits, `from` ≤ place < `to`, to be walked downwards, and the cursor behind it. */
export function scanPage(
  size: number,
  { cursor, count }: ScanOptions,
): { from: number; to: number; next: number } {
  const to = cursor === 0 ? size : Math.min(cursor, size);
  const from = Math.max(0, to - count);
  return { from, to, next: from };
}

/**
 * Visits the places of a page.
 * @param isSmall  all at once, in their order, whatever the cursor: as Redis does with what it keeps compactly
 * @returns the cursor behind them
 */
export function visitPage(
  size: number,
  options: ScanOptions,
  isSmall: boolean,
  visit: (place: number) => void,
): number {
  if (isSmall) {
    for (let place = 0; place < size; place++) visit(place);
    return 0;
  }
  const { from, to, next } = scanPage(size, options);
  for (let place = to - 1; place >= from; place--) visit(place);
  return next;
}

/** The answer of a scan: cursor and what was found. */
export function scanReply(next: number, found: readonly ByteString[]): Reply {
  return array([bulk(String(next)), bulks(found)]);
}
