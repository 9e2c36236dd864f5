/** Writes commands and replies in RESP2, for envelopes, their replies and the RESP listener. */
import type { ByteString } from "../byte-string.js";
import { LazyBulkReply } from "../lazy-bulk-reply.js";
import type { Reply } from "../reply.js";
import { formatDouble } from "./double-text.js";

const END = "\r\n";
/** The headers of short bulk strings, by length. */
const BULK_HEADS: readonly ByteString[] = Array.from({ length: 1024 }, (_, length) => `$${length}${END}`);

/** Returns the header of a bulk string with the given length in bytes. */
export const bulkHead = (length: number): ByteString => BULK_HEADS[length] ?? `$${length}${END}`;

export const writeBulk = (bytes: ByteString): ByteString => bulkHead(bytes.length) + bytes + END;

/** The headers of short arrays, such as most commands. */
const ARRAY_HEADS: readonly ByteString[] = Array.from({ length: 16 }, (_, length) => `*${length}${END}`);

/** Returns the header of an array. */
export const writeArrayHead = (length: number): ByteString => ARRAY_HEADS[length] ?? `*${length}${END}`;

/** Writes a command: an array of bulk strings. */
export function writeCommand(argv: readonly ByteString[]): ByteString {
  let bytes = writeArrayHead(argv.length);
  for (const argument of argv) bytes += writeBulk(argument);
  return bytes;
}

/** Returns the length of the result of `writeCommand`. */
export function commandLength(argv: readonly ByteString[]): number {
  let length = writeArrayHead(argv.length).length;
  for (const argument of argv) length += bulkHead(argument.length).length + argument.length + END.length;
  return length;
}

/**
 * Writes the result of `writeCommand` into a buffer that has room for it, because strings for hundreds of commands
 * would be too expensive.
 * @returns the end of the written bytes
 */
export function putCommand(target: Buffer, at: number, argv: readonly ByteString[]): number {
  let end = put(target, at, writeArrayHead(argv.length));
  for (const argument of argv) {
    end = put(target, end, bulkHead(argument.length));
    end = put(target, end, argument);
    end = put(target, end, END);
  }
  return end;
}

/** The length above which a call of Node's function is faster than a loop. */
const PUT_BYTES_MAX = 48;

function put(target: Buffer, at: number, bytes: ByteString): number {
  const { length } = bytes;
  if (length > PUT_BYTES_MAX) return at + target.write(bytes, at, "latin1");
  for (let i = 0; i < length; i++) target[at + i] = bytes.charCodeAt(i);
  return at + length;
}

/** Writes a reply in RESP2, which has no doubles, sets, maps or pairs. They become bulk strings and flat arrays. */
export function writeReply(reply: Reply): ByteString {
  switch (reply.kind) {
    case "status":
      return `+${reply.text}\r\n`;
    case "error":
      return `-${reply.text}\r\n`;
    case "integer":
      return `:${reply.value}\r\n`;
    case "bulk":
    case "verbatim":
      return writeBulk(reply.bytes);
    case "double":
      return writeBulk(reply.text ?? formatDouble(reply.value));
    case "nil":
      return "$-1\r\n";
    case "nil-array":
      return "*-1\r\n";
    case "resp3":
      return writeReply(reply.plain);
    default:
      if (reply instanceof LazyBulkReply) return writeBulks(reply.values);
      return "inPairs" in reply ? writePairs(reply.items) : writeItems(reply.items);
  }
}

function writeItems(items: readonly Reply[]): ByteString {
  const head = writeArrayHead(items.length);
  if (items.length > PIECES_TOGETHER) return writeMany(head, items, writeReply);
  let bytes = head;
  for (const item of items) {
    if (item.kind === "bulk") bytes = appendBulk(bytes, item.bytes);
    else bytes += writeReply(item);
  }
  return bytes;
}

/**
 * The number of pieces to join in one step. In a longer concatenation, each piece would be an object until the last one
 * is added.
 */
export const PIECES_TOGETHER = 256;

/** Writes many replies. @param head  the prefix @param written  writes one reply */
export function writeMany(
  head: ByteString,
  items: readonly Reply[],
  written: (reply: Reply) => ByteString,
): ByteString {
  const parts = [head];
  for (let from = 0; from < items.length; from += PIECES_TOGETHER) {
    const pieces: ByteString[] = [];
    const end = Math.min(items.length, from + PIECES_TOGETHER);
    for (let i = from; i < end; i++) {
      const item = items[i] as Reply;
      if (item.kind === "bulk") pieces.push(bulkHead(item.bytes.length), item.bytes, END);
      else pieces.push(written(item));
    }
    parts.push(pieces.join(""));
  }
  return parts.join("");
}

/** Writes an array of bulk strings. @param head  the prefix */
export function writeBulks(
  values: readonly ByteString[],
  head: ByteString = writeArrayHead(values.length),
): ByteString {
  const parts = [head];
  for (let from = 0; from < values.length; from += PIECES_TOGETHER) {
    const pieces: ByteString[] = [];
    const end = Math.min(values.length, from + PIECES_TOGETHER);
    for (let i = from; i < end; i++) {
      const bytes = values[i] as ByteString;
      pieces.push(bulkHead(bytes.length), bytes, END);
    }
    parts.push(pieces.join(""));
  }
  return parts.join("");
}

/** Appends a bulk string piece by piece, because the engine joins a long concatenation once, when it is sent. */
export function appendBulk(written: ByteString, bytes: ByteString): ByteString {
  let longer = written;
  longer += bulkHead(bytes.length);
  longer += bytes;
  longer += END;
  return longer;
}

function writePairs(items: readonly Reply[]): ByteString {
  let bytes = writeArrayHead(items.length / 2);
  for (let i = 0; i < items.length; i += 2) bytes += writeItems(items.slice(i, i + 2));
  return bytes;
}
