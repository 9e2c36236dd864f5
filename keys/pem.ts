/** Parses and writes PEM text (RFC 7468): finds blocks, interprets their labels, and reports damage. */
import type { KeyFileErrorCode, KeyHalf } from "./key-file-errors.js";

/** A PEM block. `text` is null if the END line is missing. */
export interface PemBlock {
  readonly label: string;
  readonly text: string | null;
}

/** The content of a block: a half of a pair, or the error code that says why it cannot be used. */
export type PemContent = KeyHalf | KeyFileErrorCode;

/** The contents by label, as openssl and ssh-keygen write them. */
const CONTENT_OF_LABEL: ReadonlyMap<string, PemContent> = new Map<string, PemContent>(
  Object.entries({
    "PRIVATE KEY": "private",
    "ENCRYPTED PRIVATE KEY": "private",
    "RSA PRIVATE KEY": "private",
    "EC PRIVATE KEY": "private",
    "DSA PRIVATE KEY": "private",
    "PUBLIC KEY": "public",
    "RSA PUBLIC KEY": "public",
    CERTIFICATE: "certificate",
    "X509 CERTIFICATE": "certificate",
    "TRUSTED CERTIFICATE": "certificate",
    "CERTIFICATE REQUEST": "certificate-request",
    "NEW CERTIFICATE REQUEST": "certificate-request",
    "OPENSSH PRIVATE KEY": "openssh-private",
  }),
);

/** The first bytes of files that contain a key in another format. */
const OTHER_FORMATS: readonly { readonly begins: RegExp; readonly code: KeyFileErrorCode }[] = [
  { begins: /^(ssh-|ecdsa-sha2-|sk-)/, code: "openssh-public" },
  { begins: /^PuTTY-User-Key-File-/, code: "putty" },
  { begins: /^0[\x81-\x84]/, code: "der" },
];

/** The lines between BEGIN and END: optional headers and an empty line, then base64. */
const BODY = /^-+BEGIN .*-+\r?\n(?:[\x21-\x7e][^\r\n]*:[\s\S]*?\r?\n\r?\n)?([\s\S]*)-----END /;
const BASE64 = /^[A-Za-z0-9+/=\s]+$/;
const LINE_CHARS = 64;

/** The number of bytes to read, which is at least the length of each of these prefixes. */
const LONGEST_BEGINNING = 32;

/** Returns the content of a block, according to its label. */
export function contentOf(label: string): PemContent {
  return CONTENT_OF_LABEL.get(label) ?? "other-block";
}

/** Determines the kind of a file without a PEM block from its first bytes. */
export function contentWithoutPem(bytes: Buffer): KeyFileErrorCode {
  const start = bytes.subarray(0, LONGEST_BEGINNING).toString("latin1");
  return OTHER_FORMATS.find(({ begins }) => begins.test(start))?.code ?? "no-pem";
}

/**
 * Finds the blocks in `bytes`, in order, except those with the parameters of a curve or group, which openssl
 * writes before a key.
 */
export function pemBlocks(bytes: Buffer): PemBlock[] {
  const text = bytes.toString("latin1").replace(/^\xef\xbb\xbf/, "");
  const blocks: PemBlock[] = [];
  for (const begin of text.matchAll(/^-----BEGIN ([^\r\n]{1,64}?)-----/gm)) {
    const label = begin[1] as string;
    if (label.endsWith(" PARAMETERS")) continue;
    const endLine = `-----END ${label}-----`;
    const end = text.indexOf(endLine, begin.index);
    blocks.push({ label, text: end < 0 ? null : `${text.slice(begin.index, end)}${endLine}\n` });
  }
  return blocks;
}

/** Whether a block has the characters \\n instead of line breaks, as in an .env file. */
export function hasEscapedLines(bytes: Buffer): boolean {
  return /-----BEGIN [^\r\n]{1,64}?-----\\n/.test(bytes.toString("latin1"));
}

/** Whether the complete block is on one line. */
export function isOneLine({ text }: PemBlock): boolean {
  return text !== null && !text.trimEnd().includes("\n");
}

/** Whether the block is encrypted, in either of openssl's formats. */
export function isEncrypted(block: PemBlock): boolean {
  return block.label === "ENCRYPTED PRIVATE KEY" || /^Proc-Type: *4, *ENCRYPTED/m.test(block.text ?? "");
}

/** Returns what is wrong with a block's bytes, without interpreting the key, or null if they are complete. */
export function damageOf(block: PemBlock): string | null {
  if (block.text === null) return "its last line, which begins with -----END, is missing";
  const body = BODY.exec(block.text)?.[1] ?? "";
  if (!BASE64.test(body)) return "the text between its first and last line is not base64";
  // The traditional encrypted format contains ciphertext, which has no structure to check.
  if (block.label !== "ENCRYPTED PRIVATE KEY" && isEncrypted(block)) return null;
  if (isCompleteDer(Buffer.from(body, "base64"))) return null;
  return "bytes between its first and last line are missing or changed";
}

/** Encodes `der` as PEM text; lines end with a line feed. */
export function encodePem(label: string, der: Buffer): string {
  const text = der.toString("base64");
  const lines = Array.from({ length: Math.ceil(text.length / LINE_CHARS) }, (_, line) =>
    text.slice(line * LINE_CHARS, (line + 1) * LINE_CHARS),
  );
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}

const CONSTRUCTED = 0x20;
/** The tag that continues in the next bytes. Keys and certificates contain none. */
const LONG_TAG = 0x1f;
/** The mark of a length of several bytes. The lower bits hold the number of these bytes. */
const LONG_LENGTH = 0x80;
/** The maximum number of length bytes. No key file or certificate needs more. */
const LENGTH_BYTES_MAX = 4;

/**
 * Whether `bytes` is one DER value (X.690), the encoding of keys and certificates, whose nested values all have the
 * stated lengths. node:crypto checks their contents.
 */
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
