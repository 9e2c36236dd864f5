/** Whether bytes are whole DER (X.690): what a key or certificate is written in. What they mean is node:crypto's business. */

const CONSTRUCTED = 0x20;
/** The tag goes on in the next bytes, as no key's or certificate's does. */
const LONG_TAG = 0x1f;
/** The length is in as many bytes as the lower bits say. */
const LONG_LENGTH = 0x80;
/** Of these at most: none of our files is longer. */
const LENGTH_BYTES_MOST = 4;

/** Whether it is one value, in which each is as long as it says. */
export function isWholeDer(bytes: Buffer): boolean {
  /** Where the values end that are open, the outermost first. */
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

/** null: nothing begins there. */
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
  if (lengthBytes < 1 || lengthBytes > LENGTH_BYTES_MOST || start > bytes.length) return null;
  return { isConstructed, start, end: start + bytes.readUIntBE(place + 2, lengthBytes) };
}
