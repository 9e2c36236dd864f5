/**
 * Checks that bytes are complete DER (X.690), the encoding of keys and certificates. node:crypto checks their contents.
 */

const CONSTRUCTED = 0x20;
/** Marks a tag that continues in the next bytes. Keys and certificates contain none. */
const LONG_TAG = 0x1f;
/** Marks a length of several bytes. The lower bits hold the number of these bytes. */
const LONG_LENGTH = 0x80;
/** The maximum number of length bytes. No key file or certificate needs more. */
const LENGTH_BYTES_MAX = 4;

/** Whether `bytes` is one DER value whose nested values all have the stated lengths. */
export function isCompleteDer(bytes: Buffer): boolean {
  /** End offsets of the enclosing values, the outermost first. */
  const ends = [bytes.length];
  let offset = 0;
  while (offset < bytes.length) {
    while (offset === ends.at(-1)) ends.pop();
    const value = valueAt(bytes, offset);
    if (value === null || value.end > (ends.at(-1) ?? 0)) return false;
    if (offset === 0 && value.end < bytes.length) return false;
    if (value.isConstructed) ends.push(value.end);
    offset = value.isConstructed ? value.start : value.end;
  }
  return bytes.length > 0;
}

/** Reads a value's header. Returns null if it is not valid. */
function valueAt(
  bytes: Buffer,
  offset: number,
): { readonly isConstructed: boolean; readonly start: number; readonly end: number } | null {
  const tag = bytes[offset] ?? LONG_TAG;
  const length = bytes[offset + 1];
  if ((tag & LONG_TAG) === LONG_TAG || length === undefined) return null;
  const isConstructed = (tag & CONSTRUCTED) !== 0;
  if (length < LONG_LENGTH) return { isConstructed, start: offset + 2, end: offset + 2 + length };
  const lengthBytes = length - LONG_LENGTH;
  const start = offset + 2 + lengthBytes;
  if (lengthBytes < 1 || lengthBytes > LENGTH_BYTES_MAX || start > bytes.length) return null;
  return { isConstructed, start, end: start + bytes.readUIntBE(offset + 2, lengthBytes) };
}
