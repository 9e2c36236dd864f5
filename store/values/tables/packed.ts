/**
 * A few short byte strings in one: each with its length in a byte before it. A small collection is kept so, because
 * strings of their own cost 24 to 32 bytes each, and arrays of them as much again. Searches walk, changes copy, so it is
 * for what is small only. Made by `join`, which makes a flat string: a slice of another, or two strings chained, would
 * keep those alive.
 */
import { type ByteString, detached } from "../../../protocol/byte-string.js";

/** Bytes of an element, at most. Longer ones gain little. */
const PACKED_ELEMENT_BYTES_MAX = 64;
/** Elements of a packed collection, at most; more are found faster by a table. */
export const PACKED_ELEMENTS_MAX = 32;

const LENGTHS: readonly ByteString[] = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));

/** Whether an element is short enough. */
export function isPackable(element: ByteString): boolean {
  return element.length <= PACKED_ELEMENT_BYTES_MAX;
}

export function packed(elements: readonly ByteString[]): ByteString {
  const pieces: ByteString[] = [];
  for (const element of elements) pieces.push(LENGTHS[element.length]!, element);
  return pieces.join("");
}

/**
 * The elements first, first + stride, first + 2 · stride …, `count` at most. They keep the packed string alive: for use at
 * once, else `copied`.
 */
export function unpacked(
  pack: ByteString,
  first = 0,
  stride = 1,
  count = Number.POSITIVE_INFINITY,
): ByteString[] {
  const elements: ByteString[] = [];
  for (let at = offsetOf(pack, first); at < pack.length && elements.length < count; ) {
    const end = at + 1 + pack.charCodeAt(at);
    elements.push(pack.substring(at + 1, end));
    at = stride === 1 ? end : offsetOf(pack, stride, at);
  }
  return elements;
}

/** Returns the offset of an element, with its length. @param at  where to start, an element's beginning */
export function offsetOf(pack: ByteString, elements: number, at = 0): number {
  for (let left = elements; left > 0; left--) at += 1 + pack.charCodeAt(at);
  return at;
}

/** The element that begins at an offset. */
export function elementAt(pack: ByteString, offset: number): ByteString {
  return pack.substring(offset + 1, offset + 1 + pack.charCodeAt(offset));
}

/** The first of the elements 0, stride, 2 · stride … that equals one, as its number divided by the stride; or -1. */
export function findPacked(pack: ByteString, element: ByteString, stride: number): number {
  let index = 0;
  for (let at = 0; at < pack.length; index++) {
    if (pack.charCodeAt(at) === element.length && pack.startsWith(element, at + 1)) return index;
    at = offsetOf(pack, stride, at);
  }
  return -1;
}

/** Whether some element may be this one; certain where the answer is no, and then found out without looking at each. */
export function mayContain(pack: ByteString, element: ByteString): boolean {
  return element.length <= PACKED_ELEMENT_BYTES_MAX && pack.includes(element);
}

/** Replaces `count` elements from one on. */
export function splicePacked(
  pack: ByteString,
  from: number,
  count: number,
  inserted: readonly ByteString[],
): ByteString {
  const start = offsetOf(pack, from);
  const end = offsetOf(pack, count, start);
  const pieces: ByteString[] = [];
  if (start > 0) pieces.push(pack.substring(0, start));
  for (const element of inserted) pieces.push(LENGTHS[element.length]!, element);
  if (end < pack.length) pieces.push(pack.substring(end));
  // A single piece would be returned as it is.
  return pieces.length === 1 ? copied(pieces[0]!) : pieces.join("");
}

/**
 * Removes the item at an index, `stride` elements; the last one moves there, as in a DenseTable.
 * @param last  index of the last item
 */
export function removePackedItem(pack: ByteString, index: number, last: number, stride: number): ByteString {
  if (index === last) return splicePacked(pack, stride * last, stride, []);
  const end = offsetOf(pack, stride * last);
  const moved = unpacked(pack, stride * last);
  return splicePacked(pack.substring(0, end), stride * index, stride, moved);
}

/** Puts an item back at an index, and the one that had moved there at the end: the inverse. @param size  without it */
export function restorePackedItem(
  pack: ByteString,
  index: number,
  size: number,
  item: readonly ByteString[],
): ByteString {
  const stride = item.length;
  if (index === size) return splicePacked(pack, stride * size, 0, item);
  const moved = unpacked(pack, stride * index, 1, stride);
  return splicePacked(splicePacked(pack, stride * index, stride, item), stride * size, 0, moved);
}

/** Copies a string that may be part of a packed string and will be kept. */
export function copied(bytes: ByteString): ByteString {
  return isPackable(bytes) ? detached(bytes) : bytes;
}
