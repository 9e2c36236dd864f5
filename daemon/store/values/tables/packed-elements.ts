/**
 * A few short byte strings packed into one, each preceded by a byte with its length. Small collections are stored in
 * this form because separate strings cost 24 to 32 bytes each, and an array of them as much again. Searches are linear
 * and changes copy the string, so packing is only for small collections. `join` creates a flat string; a slice of
 * another string or a concatenation would keep the originals alive.
 */
import { type ByteString, detached } from "../../../../protocol/byte-string.js";

/** Maximum number of bytes in an element. Packing longer ones saves little. */
const PACKED_ELEMENT_BYTES_MAX = 64;
/** Maximum number of elements in a packed collection; for more elements, a table is faster. */
export const PACKED_ELEMENTS_MAX = 32;

const LENGTHS: readonly ByteString[] = Array.from({ length: 256 }, (_, code) => String.fromCharCode(code));

/** Whether an element is short enough to be packed. */
export function isPackable(element: ByteString): boolean {
  return element.length <= PACKED_ELEMENT_BYTES_MAX;
}

export function packed(elements: readonly ByteString[]): ByteString {
  const pieces: ByteString[] = [];
  for (const element of elements) pieces.push(LENGTHS[element.length]!, element);
  return pieces.join("");
}

/**
 * Returns the elements first, first + stride, first + 2 · stride …, at most `count`. They keep the packed string alive:
 * use them immediately, or call `copied`.
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

/**
 * Returns the offset of an element, including its length byte.
 * @param at where to start: the beginning of an element
 */
export function offsetOf(pack: ByteString, elements: number, at = 0): number {
  for (let remaining = elements; remaining > 0; remaining--) at += 1 + pack.charCodeAt(at);
  return at;
}

/** Returns the element that begins at the given offset. */
export function elementAt(pack: ByteString, offset: number): ByteString {
  return pack.substring(offset + 1, offset + 1 + pack.charCodeAt(offset));
}

/**
 * Searches the elements 0, stride, 2 · stride … for one that is equal. Returns its number divided by the stride, or -1.
 */
export function findPacked(pack: ByteString, element: ByteString, stride: number): number {
  let index = 0;
  for (let at = 0; at < pack.length; index++) {
    if (pack.charCodeAt(at) === element.length && pack.startsWith(element, at + 1)) return index;
    at = offsetOf(pack, stride, at);
  }
  return -1;
}

/**
 * Whether a packed string may contain an element; if false, it certainly does not. Searches the bytes of the string
 * without reading the elements one by one.
 */
export function mayContain(pack: ByteString, element: ByteString): boolean {
  return element.length <= PACKED_ELEMENT_BYTES_MAX && pack.includes(element);
}

/** Replaces `count` elements, starting at the given one. */
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

  // `join` would return a single piece without copying it.
  return pieces.length === 1 ? copied(pieces[0]!) : pieces.join("");
}

/**
 * Removes the item at the given index, which has `stride` elements; the last item takes its place, as in a DenseTable.
 * @param last index of the last item
 */
export function removePackedItem(pack: ByteString, index: number, last: number, stride: number): ByteString {
  if (index === last) return splicePacked(pack, stride * last, stride, []);
  const end = offsetOf(pack, stride * last);
  const moved = unpacked(pack, stride * last);
  return splicePacked(pack.substring(0, end), stride * index, stride, moved);
}

/**
 * Restores an item at its index and moves the one that had replaced it back to the end.
 * @param size number of items without it
 */
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

/** Copies a string that may be part of a packed string and will be stored. */
export function copied(bytes: ByteString): ByteString {
  return isPackable(bytes) ? detached(bytes) : bytes;
}
