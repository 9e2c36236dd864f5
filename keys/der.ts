/** Checks that bytes are complete DER (X.690), the encoding of keys and certificates. node:crypto checks their meaning. */

const CONSTRUCTED = 0x20;
/** Marks a tag that continues in the next bytes; keys and certificates have none. */
const LONG_TAG = 0x1f;
/** Marks a length that takes several bytes; the lower bits are their number. */
const LONG_LENGTH = 0x80;
/** Maximum number of length bytes; no key file or certificate needs more. */
const LENGTH_BYTES_MAX = 4;

/** Whether `bytes` are one DER value whose nested values all have their stated lengths. */
export function isWholeDer(bytes: Buffer): boolean {
  /** End offsets of the enclosing values, the outermost first. */
  const ends = [bytes.length];
  let place = 0;
  while (place < bytes.length) {
    while (place === ends.at(-1)) ends.pop();
    const value = valueAt(bytes, place);
    if (value === null || value.end > (ends.at(-1) ?? 0)) return false;
    if (place === 0 && value.end < bytes.length) return false;
    if (value.isConstructed) ends.push(value.end);
    place = value.isConstructed ? value.start : value.end;
  }
  return bytes.length > 0;
}

/** Reads a value's header; null: there is no valid header. */
function valueAt(
  bytes: Buffer,
  place: number,
): { readonly isConstructed: boolean; readonly start: number; readonly end: number } | null {
  const tag = bytes[place] ?? LONG_TAG;
  const length = bytes[place + 1];
  if ((tag & LONG_TAG) === LONG_TAG || length === undefined) return null;
  const isConstructed = (tag & CONSTRUCTED) !== 0;
  if (length < LONG_LENGTH) return { isConstructed, start: place + 2, end: place + 2 + length };
  const lengthBytes = length - LONG_LENGTH;
  const start = place + 2 + lengthBytes;
  if (lengthBytes < 1 || lengthBytes > LENGTH_BYTES_MAX || start > bytes.length) return null;
  return { isConstructed, start, end: start + bytes.readUIntBE(place + 2, lengthBytes) };
}
