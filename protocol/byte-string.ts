/**
 * Bytes as a JavaScript string: one character, code 0 to 255, for each byte ("latin1", "binary"). Keys, values and
 * arguments have this form from the parser to the store and back. V8 stores these strings with one byte per character
 * and hashes and compares them natively. They are immutable, so storing an old value costs nothing. Source:
 * docs/decisions/0002-bytes-are-latin1-strings.md.
 */
export type ByteString = string;

/**
 * Node's Buffer if its types are installed; otherwise Uint8Array, so that the types for web pages do not require
 * @types/node.
 */
export type ByteBuffer = typeof globalThis extends {
  readonly Buffer: { isBuffer(value: unknown): value is infer Bytes };
}
  ? Bytes
  : Uint8Array;

/** Returns a copy of the bytes of a buffer from `start` up to `end`. */
export function bytesOf(buffer: ByteBuffer, start = 0, end = buffer.length): ByteString {
  return buffer.toString("latin1", start, end);
}

/** The length from which the engine stores a part of a string as a view. Shorter parts are always copies. */
const SLICE_BYTES_MIN = 13;

/**
 * Returns the same bytes in a separate string. The engine stores a part of a string as a view, which keeps the complete
 * string in memory.
 */
export function detached(part: ByteString): ByteString {
  return part.length < SLICE_BYTES_MIN ? part : [part.substring(0, 1), part.substring(1)].join("");
}

/** Returns the UTF-8 bytes of a text. */
export function bytesOfText(text: string): ByteString {
  return isAscii(text) ? text : bytesOf(Buffer.from(text, "utf8"));
}

const HALF_CHARACTER = /\p{Surrogate}/u;
/** The method of ES2024, which is ten times as fast as a pattern; some browsers do not have it. */
type Checked = string & { isWellFormed?(): boolean };
const isWellFormed = (text: Checked): boolean => text.isWellFormed?.() ?? !HALF_CHARACTER.test(text);

/**
 * Returns the UTF-8 bytes of a text, or null if it contains half of a character (an unpaired surrogate), which UTF-8
 * cannot represent. Encoders silently write U+FFFD for it.
 */
export function exactBytesOfText(text: string): ByteString | null {
  const bytes = bytesOfText(text);
  return bytes.length === text.length || isWellFormed(text) ? bytes : null;
}

/** Returns the text with these UTF-8 bytes; invalid ones become U+FFFD. */
export function textOfBytes(bytes: ByteString): string {
  return isAscii(bytes) ? bytes : Buffer.from(bytes, "latin1").toString("utf8");
}

/**
 * Removes ASCII spaces around a byte string. Other Unicode spaces must stay, because their bytes may be part of a
 * letter: A0 is the last byte of à.
 */
export function trimmed(bytes: ByteString): ByteString {
  let start = 0;
  let end = bytes.length;
  while (start < end && isBlank(bytes.charCodeAt(start))) start++;
  while (end > start && isBlank(bytes.charCodeAt(end - 1))) end--;
  return bytes.slice(start, end);
}

/** Whether a byte is an ASCII space: the space itself, a tab, a line ending or a form feed. */
export const isBlank = (byte: number): boolean => byte === 32 || (byte >= 9 && byte <= 13);

/** The length above which the engine's own function is faster than a loop. */
const SHORT = 64;

/** Whether a text is identical to its UTF-8 bytes. */
export function isAscii(text: string): boolean {
  if (text.length > SHORT) return Buffer.byteLength(text) === text.length;
  for (let i = 0; i < text.length; i++) if (text.charCodeAt(i) > 0x7f) return false;
  return true;
}
