/**
 * Finds the element that a pop takes, and removes the elements that a daemon has recorded as the choice of a command,
 * where the command is applied.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Choice } from "../../../../protocol/version-2/envelope.js";
import type { Data, Typed } from "../../keyspace/mutators.js";
import type { ClaimPeek } from "../../rows/claim-peek.js";
import { type End, List } from "../../values/list.js";
import { copied } from "../../values/tables/packed-elements.js";
import { COMPARED_ELEMENT_READS, SEARCHED_BLOCK } from "./list-search.js";

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
