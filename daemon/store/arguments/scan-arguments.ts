/** The arguments and the replies of SCAN, HSCAN, SSCAN and ZSCAN. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { array, bulk, bulks, type Reply } from "../../../protocol/reply.js";
import { GlobSteps, globMatches, type StepCounter } from "../patterns/glob.js";
import { custom, syntaxError } from "./command-errors.js";
import { indexArgument } from "./number-arguments.js";

const COUNT_DEFAULT = 10;
/** Matches a cursor as C's `strtoul` parses it; an empty cursor is 0. */
const CURSOR = /^([+-]?\d+)?$/;
const CURSOR_MAX = 2 ** 64;

export interface ScanOptions {
  readonly cursor: number;
  readonly count: number;
  readonly matches: (name: ByteString) => boolean;
  /** The argument of SCAN's TYPE, in lower case. */
  readonly type: string | undefined;
}

/** Parses a cursor. All programs that check cursors use this function. @returns undefined if it is invalid */
export function cursorOf(bytes: ByteString): bigint | undefined {
  const [text = ""] = bytes.split("\0", 1);
  if (!CURSOR.test(text) || Math.abs(Number(text)) > CURSOR_MAX) return undefined;
  const cursor = BigInt(text);
  return cursor < 0n ? -cursor : cursor;
}

/** Parses the cursor of a scan. @throws CommandFailure */
export function scanCursor(bytes: ByteString): number {
  const cursor = cursorOf(bytes);
  if (cursor === undefined) throw custom("ERR invalid cursor");
  return Number(cursor);
}

/** The counter of the steps of patterns and of the elements that a page visits. */
interface Counting {
  readonly effort: StepCounter & {
    /** @throws BudgetExceeded */
    work(steps: number): void;
  };
}

/** Cost in steps of each element that a page of a scan visits. */
export const VISITED_STEPS = 6;

/**
 * Parses `[MATCH pattern] [COUNT n] [TYPE type]`.
 * @param first index of the first option in `argv`
 * @throws CommandFailure
 */
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
 * Returns a function that tests whether a name matches the command's pattern.
 * @throws CommandFailure from the returned function, if the pattern takes too many steps
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

/**
 * Counts the elements that a page visits, in a collection of `size` elements.
 * @param isSmall whether a page contains all elements, regardless of COUNT
 */
export function countPage(
  { effort }: Counting,
  size: number,
  { count }: ScanOptions,
  isSmall: boolean,
): void {
  effort.work(VISITED_STEPS * (isSmall ? size : Math.min(count, size)));
}

/** Returns the reply of a scan: the cursor and the elements found. */
export function scanReply(next: number, found: readonly ByteString[]): Reply {
  return array([bulk(String(next)), bulks(found)]);
}
