/**
 * A version 1 request payload: the command's text and a NUL. In a signed frame, these are in an inner frame,
 * which is followed by the raw signature of text and NUL.
 * Source: docs/protocol.md "Request"; test/vectors/php-dbsync/README.md "Signed frame".
 */
import { type ByteString, bytesOf, bytesOfText } from "../byte-string.js";
import { MalformedFrame, UnsendableCommand } from "../errors.js";
import { writeFrame } from "../frame.js";

/** A parsed request payload. `text` ends with its NUL and is what `signature` covers. */
export interface CommandPayload {
  readonly text: Buffer;
  readonly signature: Buffer | null;
}

/** The length of the longest inner header: `ds:`, ten digits, a colon. */
const MAX_HEADER_BYTES = 14;

/**
 * Parses a request payload.
 * @param payload   the payload of one frame
 * @param signed    whether an inner frame and a signature are expected, as on a daemon with keys
 * @throws MalformedFrame  the offset counts from the start of the payload
 */
export function readCommandPayload(payload: Buffer, signed: boolean): CommandPayload {
  if (!signed) {
    if (payload.length === 0 || payload[payload.length - 1] !== 0) {
      throw new MalformedFrame("expected the command's text to end with a NUL", payload.length);
    }
    return { text: payload, signature: null };
  }

  const header = /^ds:[ \t\n\v\f\r]*\+?(\d{1,10}):/.exec(
    bytesOf(payload, 0, Math.min(MAX_HEADER_BYTES, payload.length)),
  );
  if (header === null) throw new MalformedFrame("expected a signed frame, which contains an inner one", 0);

  const start = header[0].length;
  const end = start + Number(header[1]);
  if (end >= payload.length)
    throw new MalformedFrame("expected a signature after the inner frame", payload.length);
  if (end === start || payload[end - 1] !== 0) {
    throw new MalformedFrame("expected the command's text to end with a NUL", end);
  }
  return { text: payload.subarray(start, end), signature: payload.subarray(end) };
}

/**
 * Splits the text of a command at spaces, like the original's Redis library, without quoting. The text ends at its
 * first NUL. Returns an empty list if it contains only spaces.
 */
export function splitCommand(text: Buffer): ByteString[] {
  const argv: ByteString[] = [];
  let start = 0;
  for (let at = 0; at < text.length; at++) {
    const byte = text[at] as number;
    if (byte !== 0x20 && byte !== 0) continue;
    if (at > start) argv.push(bytesOf(text, start, at));
    start = at + 1;
    if (byte === 0) break;
  }
  return argv;
}

/**
 * Returns the text of a command with its NUL, which version 1 signs.
 * @param command  a line, sent unchanged; or arguments, which are joined by spaces
 * @throws UnsendableCommand  version 1 cannot represent it: only spaces, a NUL, an unpaired surrogate, an
 *   argument that is empty or contains a space
 */
export function commandText(command: string | readonly string[]): ByteString {
  const line = typeof command === "string" ? command : command.map(argumentText).join(" ");
  if (line.includes("\0"))
    throw new UnsendableCommand(`the command contains a NUL, ${NEEDS_VERSION_2}, with a list of arguments`);
  if (/\p{Surrogate}/u.test(line))
    throw new UnsendableCommand("the command contains an unpaired surrogate, which cannot be encoded");
  if (/^ *$/.test(line)) throw new UnsendableCommand("the command is empty");
  return `${bytesOfText(line)}\0`;
}

const NEEDS_VERSION_2 = "which version 1 of the protocol does not support; allow version 2";

function argumentText(argument: string, index: number): string {
  if (argument === "") throw new UnsendableCommand(`argument ${index} is empty, ${NEEDS_VERSION_2}`);
  if (argument.includes(" "))
    throw new UnsendableCommand(`argument ${index} contains a space, ${NEEDS_VERSION_2}`);
  return argument;
}

/**
 * Returns a complete request frame.
 * @param text       from `commandText`
 * @param signature  the signature of `text`, or null for an unsigned frame
 */
export function writeCommandFrame(text: ByteString, signature: ByteString | null): ByteString {
  return writeFrame(signature === null ? text : writeFrame(text) + signature);
}
