/**
 * Finds elements of lists: for LPOS, LINSERT and LREM, and the element that a pop takes, or that a daemon has recorded
 * as the choice of a command, where the command is applied.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { array, EMPTY_ARRAY, integer, NIL, type Reply, ZERO } from "../../../../protocol/reply.js";
import type { Choice } from "../../../../protocol/version-2/envelope.js";
import { custom, syntaxError } from "../../arguments/command-errors.js";
import {
  INT64_MAX,
  INT64_MIN,
  indexArgument,
  integerArgument,
  parseInteger,
} from "../../arguments/number-arguments.js";
import type { Data, Typed } from "../../keyspace/mutators.js";
import type { ClaimPeek } from "../../rows/command-row.js";
import { type End, List } from "../../values/list.js";
import { copied } from "../../values/tables/packed-elements.js";

/**
 * Number of elements checked in one step. Large steps are faster: at the beginning of each step, the list searches for
 * the block that contains the step's first element, which takes longer than comparing the elements of a block.
 */
const SEARCHED_BLOCK = 4096;

/** Cost of comparing an element, relative to only reading it. */
const COMPARED_ELEMENT_READS = 8;

/** The selection from the elements that equal the given one. */
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

/** Number of elements at the end of a list that are searched before it is checked whether the others can match. */
const NEAR_ELEMENTS = 256;
/** Number of searches of a complete list that together cost about as much as counting its elements. */
const VAIN_SEARCHES_MAX = 16;
/** Cost of counting an element, relative to only reading it. */
const COUNTED_ELEMENT_READS = 128;

/** Finds the element that LPOP or RPOP without a count takes. */
export const popPeek = (end: End): ClaimPeek => ({
  keyAt: 1,
  find: (list, argv, peeked) => {
    if (argv.length > 2) return null;
    if (!(list instanceof List)) return [];
    const index = peeked.take(end === "left" ? "first" : "last", list.size);
    return index === null ? [] : [copied(list.at(index))];
  },
});

/** Returns how many of the chosen elements are next to each other at an end, from the first on. */
export function chosenAtEnd({ effort }: Data, list: List, end: End, chosen: Choice): number {
  const length = Math.min(chosen.length, list.size);
  if (length === 1) return list.at(end === "left" ? 0 : list.size - 1) === chosen[0] ? 1 : 0;
  effort.read(length);
  const elements = end === "left" ? list.slice(0, length) : list.slice(list.size - length).reverse();
  const other = elements.findIndex((element, i) => element !== chosen[i]);
  return other < 0 ? length : other;
}

/** Removes the chosen elements that are still in the list, and returns them: of equal ones, those nearest to an end. */
export function takeSearched(data: Data, entry: Typed<List>, end: End, chosen: Choice): ByteString[] {
  const list = entry.value;
  const positions = positionsOf(data, list, end, chosen).sort((a, b) => a - b);
  if (positions.length === 0) return [];

  const taken = positions.map((position) => copied(list.at(position)));
  const [first = 0, last = first] = [positions[0], positions.at(-1)];
  if (positions.length === 1) data.listSplice(entry, first, 1, []);
  else {
    // One change, and one undo record, for all elements.
    const removed = new Set(positions);
    const remaining = list.slice(first, last + 1).filter((_, i) => !removed.has(first + i));
    data.listSplice(entry, first, last + 1 - first, remaining);
  }

  return end === "left" ? taken : taken.reverse();
}

/** Returns the positions of the chosen elements, of equal ones those nearest to an end. */
function positionsOf(data: Data, list: List, end: End, chosen: Choice): number[] {
  const positions: number[] = [];
  /** How many of each element are still wanted, and how many are found. */
  const wanted = new Map<ByteString, { left: number; found: number }>();
  for (const element of chosen) wanted.set(element, { left: (wanted.get(element)?.left ?? 0) + 1, found: 0 });

  let block = NEAR_ELEMENTS;
  for (let checked = 0; checked < list.size && wanted.size > 0; ) {
    if (checked === NEAR_ELEMENTS) {
      dropGone(data, list, wanted);
      if (wanted.size === 0) break;
    }

    const count = Math.min(block, list.size - checked);
    const start = end === "right" ? list.size - checked - count : checked;
    data.effort.read(COMPARED_ELEMENT_READS * count);
    for (const { element, position } of matches(list, end, { start, count, wanted })) {
      const number = wanted.get(element);
      if (number === undefined) continue;
      positions.push(position);
      number.found++;
      if (--number.left === 0) wanted.delete(element);
    }

    checked += count;
    block = SEARCHED_BLOCK;
  }

  if (wanted.size > 0 && !list.isCounted) list.vainSearches++;
  return positions;
}

interface Block {
  readonly start: number;
  readonly count: number;
  readonly wanted: ReadonlyMap<ByteString, unknown>;
}

/** Returns the elements of a block that are wanted, beginning at an end. */
function matches(
  list: List,
  end: End,
  { start, count, wanted }: Block,
): { readonly element: ByteString; readonly position: number }[] {
  const found = [];
  const [only] = wanted.keys();
  if (wanted.size === 1 && only !== undefined) {
    for (const position of list.indexesOf(only, start, start + count))
      found.push({ element: only, position });
  } else {
    for (const [i, element] of list.slice(start, start + count).entries())
      if (wanted.has(element)) found.push({ element, position: start + i });
  }

  return end === "right" ? found.reverse() : found;
}

/** Removes the elements that occur nowhere else in the list, so that the list need not be searched for them. */
function dropGone(data: Data, list: List, wanted: Map<ByteString, { readonly found: number }>): void {
  if (!list.isCounted && list.vainSearches < VAIN_SEARCHES_MAX) return;
  // Counting the elements is work of this daemon only: other daemons may have counted them before.
  if (!list.isCounted) data.effort.read(COUNTED_ELEMENT_READS * list.size);
  for (const [element, { found }] of wanted) if (list.maxCountOf(element) <= found) wanted.delete(element);
}
