/**
 * Writes commands and replies in RESP2, for envelopes, their replies and the RESP listener, and the messages that a
 * connection did not request (a push in RESP3, an array in RESP2; source: redis-server 7.0, pubsub.c).
 */
import type { ByteString } from "../byte-string.js";
import { LazyBulkReply } from "../lazy-replies.js";
import { array, bulk, integer, NIL, type Reply } from "../reply.js";
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

/**
 * Whether the strings of a long reply have more bytes than may be sent. Pieces of such a reply would be joined before
 * its length is known. A short reply is not joined before it is sent, so its length is not determined here.
 */
export function isTooLong(reply: Reply, maxBytes: number): boolean {
  if (reply instanceof LazyBulkReply || !("items" in reply)) return false;
  return reply.items.length > PIECES_TOGETHER && bytesIn(reply) > maxBytes;
}

function bytesIn(reply: Reply): number {
  if (reply.kind === "bulk") return reply.bytes.length;
  let bytes = 0;
  if ("items" in reply) for (const item of reply.items) bytes += bytesIn(item);
  return bytes;
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

/** Writes a message that the connection did not request. @param parts  its kind, and then its contents */
export function writePush(parts: readonly ByteString[], protocol: 2 | 3): ByteString {
  let bytes = `${protocol === 3 ? ">" : "*"}${parts.length}\r\n`;
  for (const part of parts) bytes += writeBulk(part);
  return bytes;
}

/** The channel on which RESP2 clients receive the names of keys whose cached copies are invalid. */
const INVALIDATE_CHANNEL = "__redis__:invalidate";

/** Returns the message that reports invalid cached copies of keys. @param keys  the keys, or null for all keys */
export function writeInvalidation(keys: readonly ByteString[] | null, protocol: 2 | 3): ByteString {
  const head =
    protocol === 3
      ? `>2\r\n${writeBulk("invalidate")}`
      : `*3\r\n${writeBulk("message")}${writeBulk(INVALIDATE_CHANNEL)}`;
  if (keys === null) return head + (protocol === 3 ? "_\r\n" : "$-1\r\n");
  let bytes = `${head}*${keys.length}\r\n`;
  for (const key of keys) bytes += writeBulk(key);
  return bytes;
}

/** Returns the message for a client whose invalidations were sent to another client, which has disconnected. */
export function writeLostRedirection(id: number): ByteString {
  return `>2\r\n${writeBulk("tracking-redir-broken")}:${id}\r\n`;
}

/**
 * Returns the message for a subscription or its end.
 * @param name   the channel or pattern, or null if there was no subscription to end
 * @param count  the number of the connection's subscriptions afterwards
 */
export function subscriptionReply(kind: ByteString, name: ByteString | null, count: number): Reply {
  const written = `>3\r\n${writeBulk(kind)}${name === null ? "_\r\n" : writeBulk(name)}:${count}\r\n`;
  const plain = array([bulk(kind), name === null ? NIL : bulk(name), integer(count)]);
  return { kind: "resp3", written, plain };
}
