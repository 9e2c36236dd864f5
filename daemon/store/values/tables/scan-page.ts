/**
 * Scans, in the order of the names' hashes. A name keeps its position in that order no matter what is added, removed,
 * undone or created again meanwhile, so a scan returns each name that exists from its first page to its last. Slots in
 * the table would not suffice as positions: when a late entry causes writes to be undone and applied again, names
 * change their slots. A cursor is the hash with which the next page begins, preceded by a number of the process that
 * issued it; 0 begins and ends a scan. A cursor of another process begins a new scan.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { cursorTag, hashOfName } from "./name-hash.js";
import { HASHES, type HashedSlot, type SlotIndex } from "./slot-index.js";

export interface ScanPage {
  readonly slots: readonly number[];
  /** The hash with which the next page begins, or 0 if this is the last page. */
  readonly next: number;
}

/** The part of a scan that one page covers. */
export interface PageRequest {
  /** The hash with which the page begins, unsigned. */
  readonly from: number;
  /** The number of slots, at least 1; a page contains more if names have the same hash. */
  readonly count: number;
}

/** A table to scan. */
interface Scanned {
  readonly size: number;
  page(request: PageRequest): ScanPage;
}

/**
 * Visits the slots of a page. A single page that covers everything follows the order of the slots, not that of the
 * hashes, so daemons with the same elements in the same order reply with the same page.
 * @param isSmall whether to visit all slots in order, regardless of the cursor, as Redis does with values that it
 * stores compactly
 * @returns the cursor of the next page
 */
export function visitPage(
  scanned: Scanned,
  { cursor, count }: { readonly cursor: number; readonly count: number },
  isSmall: boolean,
  visit: (slot: number) => void,
): number {
  const { size } = scanned;
  const from = positionOf(cursor);
  if (isSmall) for (let slot = 0; slot < size; slot++) visit(slot);
  else if (from === 0 && count >= size) for (let slot = size - 1; slot >= 0; slot--) visit(slot);
  else {
    const { slots, next } = scanned.page({ from, count });
    for (const slot of slots) visit(slot);
    return next === 0 ? 0 : cursorTag() * HASHES + next;
  }

  return 0;
}

/** Whether a cursor belongs to a scan that began in another process, which uses different hashes. */
export function isOfOtherProcess(cursor: number): boolean {
  return cursor !== 0 && Math.floor(cursor / HASHES) !== cursorTag();
}

/** Returns the hash in a cursor, or the first hash if the cursor belongs to another process. */
function positionOf(cursor: number): number {
  return isOfOtherProcess(cursor) ? 0 : cursor % HASHES;
}

/** Returns a page of an indexed table. */
export function indexedPage(index: SlotIndex, { from, count }: PageRequest): ScanPage {
  const slots: number[] = [];
  let low = from;
  // Requests twice the number of slots that are still needed, so that one pass over a segment usually suffices.
  for (let factor = 2; low < HASHES && slots.length < count; factor *= 2) {
    const found: HashedSlot[] = [];
    low = cut(found, index.collect(low, factor * (count - slots.length), found), count - slots.length);
    for (const { slot } of found) slots.push(slot);
  }
  return { slots, next: low % HASHES };
}

/** Returns a page of a few names, all of which are hashed. */
export function smallPage(names: readonly ByteString[], { from, count }: PageRequest): ScanPage {
  const found: HashedSlot[] = [];
  for (const [slot, name] of names.entries()) {
    const hash = hashOfName(name) >>> 0;
    if (hash >= from) found.push({ hash, slot });
  }
  const next = cut(found, HASHES, count);
  return { slots: found.map(({ slot }) => slot), next: next % HASHES };
}

/**
 * Sorts the slots by their hashes and removes those after the first `count`, except slots with the same hash as the
 * last remaining one.
 * @param end the hash that follows those of `found`
 * @returns the hash that follows the remaining ones
 */
function cut(found: HashedSlot[], end: number, count: number): number {
  if (found.length <= count) return end;
  found.sort((a, b) => a.hash - b.hash);
  let size = count;
  while (found[size]?.hash === found[size - 1]!.hash) size++;
  const next = found[size]?.hash ?? end;
  found.length = size;
  return next;
}
