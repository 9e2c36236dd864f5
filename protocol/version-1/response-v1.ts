/**
 * A version 1 response payload: one chunk for each database, `redis:<length>:<value>` and a NUL that `length` counts.
 * Source: docs/protocol.md "Response"; test/vectors/php-dbsync/README.md "Response".
 */
import { type ByteString, bytesOf } from "../byte-string.js";
import { MalformedFrame } from "../errors.js";
import { writeFrame } from "../frame.js";
import type { PlainReply, PlainValue, Reply, ValueReply } from "../reply.js";
import { formatDouble } from "../resp/double-text.js";

/** The name of a chunk. PHP code parses it, so the memory backend uses the same name. */
const CHUNK_NAME = "redis";

/** A length that no chunk's header exceeds: a short name, two colons, ten digits. */
const MAX_HEADER_BYTES = 32;

/** The payload for "no value". The original driver returns "" for it, and dbsync's client null. */
const NO_VALUE = "\0";

/**
 * Returns a complete response frame.
 * @param values  one for each database, from `replyText`, or null for no value
 */
export function writeResponseFrame(values: readonly (ByteString | null)[]): ByteString {
  if (values.every((value) => value === null)) return writeFrame(NO_VALUE);
  let payload = "";
  for (const value of values) {
    const bytes = value ?? "";
    payload += `${CHUNK_NAME}:${bytes.length + 1}:${bytes}\0`;
  }
  return writeFrame(payload);
}

/**
 * Returns the values of a response payload, one for each of the daemon's databases; an empty list if there is no value.
 * @throws MalformedFrame  the offset counts from the start of the payload
 */
export function readResponsePayload(payload: Buffer): ByteString[] {
  const values: ByteString[] = [];
  if (payload.length === 1 && payload[0] === 0) return values;
  if (payload.length === 0) throw new MalformedFrame("expected a chunk", 0);

  for (let at = 0; at < payload.length; ) {
    const header = /^[a-z]+:(\d{1,10}):/.exec(
      bytesOf(payload, at, Math.min(at + MAX_HEADER_BYTES, payload.length)),
    );
    if (header === null)
      throw new MalformedFrame('expected a chunk, which begins with "redis:<length>:"', at);
    const start = at + header[0].length;
    const end = start + Number(header[1]);
    if (end === start || end > payload.length || payload[end - 1] !== 0) {
      throw new MalformedFrame("expected the chunk's value to end with a NUL at its stated length", start);
    }
    values.push(bytesOf(payload, start, end - 1));
    at = end;
  }
  return values;
}

/**
 * Returns a reply as text for version 1; null for no value. @param reply  not an error, which version 1 cannot
 * represent
 */
export function replyText(reply: ValueReply): ByteString | null {
  const plain = plainReply(reply);
  return plain.kind === "error" ? null : plainText(plain);
}

/** Converts a reply to the kinds of RESP2. */
function plainReply(reply: Reply): PlainReply {
  switch (reply.kind) {
    case "array":
    case "set":
    case "map":
    case "pairs":
      return { kind: "array", items: reply.items.map(plainReply) };
    case "resp3":
      return plainReply(reply.plain);
    case "verbatim":
      return { kind: "bulk", bytes: reply.bytes };
    case "double":
      return { kind: "bulk", bytes: reply.text ?? formatDouble(reply.value) };
    default:
      return reply;
  }
}

/**
 * Converts a reply to one text: the elements of a list are joined by line feeds, a nil element is an empty line, and
 * nested lists are flattened. Returns null for nil and an empty list.
 * @param reply  not an error, which a text cannot represent
 */
export function plainText(reply: PlainValue): ByteString | null {
  if (reply.kind === "nil" || reply.kind === "nil-array") return null;
  if (reply.kind !== "array") return line(reply);
  return reply.items.length === 0 ? null : lines(reply.items).join("\n");
}

const lines = (items: readonly PlainReply[]): ByteString[] =>
  items.flatMap((item) => (item.kind === "array" ? lines(item.items) : line(item)));

function line(reply: Exclude<PlainReply, { kind: "array" }>): ByteString {
  switch (reply.kind) {
    case "bulk":
      return reply.bytes;
    case "integer":
      return String(reply.value);
    case "nil":
    case "nil-array":
      return "";
    default:
      return reply.text;
  }
}
