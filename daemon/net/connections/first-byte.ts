/**
 * Checks the first byte of a connection that expects text. A client of another protocol, such as TLS, may send lines
 * that an attacker has chosen, for example in a session ticket or a server name. None of them may count as a request.
 */
import { type Closing, closing, type InterimAnswer } from "./dialect.js";
import type { ForeignClient } from "./foreign-client.js";

const BLANK = new Set([0x09, 0x0a, 0x0b, 0x0c, 0x0d]);
const SPACE = 0x20;
const DELETE = 0x7f;
/** The lowest byte above 0x7f that begins a UTF-8 character. */
const LEAD_MIN = 0xc2;
const LEAD_MAX = 0xf4;

/** Whether a UTF-8 text may begin with a byte. */
export function isTextByte(byte: number): boolean {
  if (byte < SPACE) return BLANK.has(byte);
  return byte < DELETE || (byte >= LEAD_MIN && byte <= LEAD_MAX);
}

/**
 * Checks the first chunk of a connection. Returns null if the dialect accepts the chunk. Otherwise returns the close
 * reason or, if the connection must stay open until the client has sent another message, the answer to this client.
 */
export function wrongBeginning(
  dialect: {
    foreignClient(chunk: Buffer): ForeignClient | null;
    isFirstByte(byte: number): boolean;
    answerToFirstByte(byte: number): string | null;
  },
  chunk: Buffer,
): Closing | InterimAnswer | null {
  const foreign = dialect.foreignClient(chunk);
  if (foreign !== null) {
    const { answer, detail } = foreign;
    return foreign.isInterim
      ? { kind: "interim", detail, bytes: answer ?? "" }
      : closing("malformed", detail, answer);
  }
  const [byte] = chunk;
  if (byte === undefined || dialect.isFirstByte(byte)) return null;
  const detail = `the first byte is 0x${byte.toString(16).padStart(2, "0")}, which is not text`;
  return closing("malformed", detail, dialect.answerToFirstByte(byte));
}
