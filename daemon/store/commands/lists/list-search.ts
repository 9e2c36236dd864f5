/** The list commands that search for an element: LPOS, LINSERT and LREM. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { array, EMPTY_ARRAY, integer, NIL, type Reply, ZERO } from "../../../../protocol/reply.js";
import { custom, syntaxError } from "../../arguments/command-errors.js";
import {
  INT64_MAX,
  INT64_MIN,
  indexArgument,
  integerArgument,
  parseInteger,
} from "../../arguments/number-arguments.js";
import type { Data } from "../../keyspace/mutators.js";
import { List } from "../../values/list.js";

/**
 * Number of elements checked in one step. Large steps are faster: at the beginning of each step, the list searches for
 * the block that contains the step's first element, which takes longer than comparing the elements of a block.
 */
export const SEARCHED_BLOCK = 4096;

/** Cost of comparing an element, relative to only reading it. */
export const COMPARED_ELEMENT_READS = 8;

/** Selects which of the elements that equal the given one are found. */
interface Search {
  readonly fromRight: boolean;
  /** Number of matches to skip. */
  readonly skip: number;
  /** Maximum number of matches. */
  readonly limit: number;
  /** Maximum number of elements to check. */
  readonly looks: number;
}

/** Returns the positions of the matching elements, in the order in which they are found. */
function find(
  { effort }: Data,
  list: List,
  element: ByteString,
  { fromRight, skip, limit, looks }: Search,
): number[] {
  const positions: number[] = [];
  const last = Math.min(list.size, looks);
  for (let checked = 0; checked < last && positions.length < limit; checked += SEARCHED_BLOCK) {
    const count = Math.min(SEARCHED_BLOCK, last - checked);
    effort.read(COMPARED_ELEMENT_READS * count);
    const start = fromRight ? list.size - checked - count : checked;
    const matches = list.indexesOf(element, start, start + count);
    for (const position of fromRight ? matches.reverse() : matches) {
      if (skip > 0) skip--;
      else if (positions.length < limit) positions.push(position);
    }
  }
  return positions;
}

const FIRST: Search = { fromRight: false, skip: 0, limit: 1, looks: Number.POSITIVE_INFINITY };

/** `LPOS key element [RANK rank] [COUNT count] [MAXLEN length]` */
export function lpos(data: Data, argv: readonly ByteString[]): Reply {
  const { search, counted } = lposOptions(argv);
  const list = data.getAs(List, argv[1]!)?.value;
  const positions = list === undefined ? [] : find(data, list, argv[2]!, search);
  if (counted) return positions.length === 0 ? EMPTY_ARRAY : array(positions.map(integer));
  return positions.length === 0 ? NIL : integer(positions[0]!);
}

function lposOptions(argv: readonly ByteString[]): { search: Search; counted: boolean } {
  let rank = 1;
  let count: number | undefined;
  let looks = 0;
  for (let i = 3; i < argv.length; i += 2) {
    const argument = argv[i + 1];
    const option = argv[i]!.toUpperCase();
    if (argument === undefined) throw syntaxError();
    if (option === "RANK") rank = rankArgument(argument);
    else if (option === "COUNT") count = naturalArgument(argument, option);
    else if (option === "MAXLEN") looks = naturalArgument(argument, option);
    else throw syntaxError();
  }
  const search = {
    fromRight: rank < 0,
    skip: Math.abs(rank) - 1,
    limit: orUnlimited(count ?? 1),
    looks: orUnlimited(looks),
  };
  return { search, counted: count !== undefined };
}

/** Converts a count, in which 0 means no limit. */
function orUnlimited(count: number): number {
  return count === 0 ? Number.POSITIVE_INFINITY : count;
}

function rankArgument(bytes: ByteString): number {
  const rank = integerArgument(bytes);
  // Redis 7.0 negates the number, which overflows, and then counts wrongly; later versions return this error.
  if (rank === INT64_MIN)
    throw custom(`ERR value is out of range, value must between -${INT64_MAX} and ${INT64_MAX}`);
  if (rank !== 0) return Number(rank);
  throw custom(
    "ERR RANK can't be zero: use 1 to start from the first match, 2 from the second ... " +
      "or use negative to start from the end of the list",
  );
}

function naturalArgument(bytes: ByteString, option: string): number {
  const count = parseInteger(bytes);
  if (count === undefined || count < 0) throw custom(`ERR ${option} can't be negative`);
  return Number(count);
}

/** `LINSERT key BEFORE|AFTER pivot element` */
export function linsert(data: Data, argv: readonly ByteString[]): Reply {
  const [, key, , pivot, element] = argv as [string, ByteString, ByteString, ByteString, ByteString];
  const side = argv[2]!.toUpperCase();
  if (side !== "BEFORE" && side !== "AFTER") throw syntaxError();
  const entry = data.getAs(List, key);
  if (entry === undefined) return ZERO;
  const [position] = find(data, entry.value, pivot, FIRST);
  if (position === undefined) return integer(-1);
  data.listSplice(entry, side === "BEFORE" ? position : position + 1, 0, [element]);
  return integer(entry.value.size);
}

/** `LREM key count element` */
export function lrem(data: Data, argv: readonly ByteString[]): Reply {
  const [, key, , element] = argv as [string, ByteString, ByteString, ByteString];
  const count = indexArgument(argv[2]!);
  const entry = data.getAs(List, key);
  if (entry === undefined) return ZERO;
  const list = entry.value;
  const positions = find(data, list, element, {
    ...FIRST,
    fromRight: count < 0,
    limit: orUnlimited(Math.abs(count)),
  });
  if (positions.length === 0) return ZERO;
  // All equal elements between the outermost two are among the matches, so one splice removes them.
  const first = Math.min(positions[0]!, positions.at(-1)!);
  const end = Math.max(positions[0]!, positions.at(-1)!) + 1;
  const remaining = list.slice(first, end).filter((other) => other !== element);
  data.listSplice(entry, first, end - first, remaining);
  return integer(positions.length);
}
