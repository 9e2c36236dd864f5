/**
 * Computes the bytes of replies, in RESP3 for connections that have sent HELLO 3, and the memory of requests. Source:
 * redis-server 7.0.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { LazyBulkReply } from "../../../protocol/lazy-replies.js";
import type { Reply } from "../../../protocol/reply.js";
import { formatDouble } from "../../../protocol/resp/double-text.js";
import {
  appendBulk,
  isTooLong,
  PIECES_TOGETHER,
  writeBulk,
  writeBulks,
  writeMany,
  writeReply,
} from "../../../protocol/resp/resp-writer.js";

/** Returns the bytes of a reply, or null if it exceeds the maximum length. */
export function answerBytes(reply: Reply, protocol: 2 | 3, maxBytes: number): ByteString | null {
  if (isTooLong(reply, maxBytes)) return null;
  try {
    const bytes = protocol === 3 ? writeReply3(reply) : writeReply(reply);
    return bytes.length <= maxBytes ? bytes : null;
  } catch (problem) {
    // V8 throws this error for a string above its maximum length.
    if (problem instanceof RangeError) return null;
    throw problem;
  }
}

/** Returns the total length of the arguments of a pending command. */
export function argumentBytes(argv: readonly ByteString[]): number {
  let bytes = 0;
  for (const argument of argv) bytes += argument.length;
  return bytes;
}

/** The memory of a queued command, and of each argument, in addition to the arguments' bytes. */
const QUEUED_BYTES = 200;
const ARGUMENT_BYTES = 16;

/** Returns the approximate memory of a queued command in bytes. */
export function queuedBytes(argv: readonly ByteString[]): number {
  return argv.reduce((sum, { length }) => sum + ARGUMENT_BYTES + length, QUEUED_BYTES);
}

/** Writes a reply in RESP3. */
export function writeReply3(reply: Reply): ByteString {
  switch (reply.kind) {
    case "nil":
    case "nil-array":
      return "_\r\n";
    case "double":
      return `,${reply.text ?? formatDouble(reply.value)}\r\n`;
    case "resp3":
      return reply.written;
    case "verbatim":
      return `=${reply.bytes.length + 4}\r\n${reply.format}:${reply.bytes}\r\n`;
    case "array":
      return writeAggregate("*", reply);
    case "set":
      return writeAggregate("~", reply);
    case "map":
      return writeAggregate("%", reply);
    case "pairs":
      return writePairs(reply.items);
    case "bulk":
      return writeBulk(reply.bytes);
    default:
      return writeReply(reply);
  }
}

function writeAggregate(sign: "*" | "~" | "%", reply: { readonly items: readonly Reply[] }): ByteString {
  const { length } = reply instanceof LazyBulkReply ? reply.values : reply.items;
  const head = `${sign}${sign === "%" ? length / 2 : length}\r\n`;
  return reply instanceof LazyBulkReply ? writeBulks(reply.values, head) : writeItems(head, reply.items);
}

function writeItems(head: ByteString, items: readonly Reply[]): ByteString {
  if (items.length > PIECES_TOGETHER) return writeMany(head, items, writeReply3);
  let bytes = head;
  for (const item of items) {
    if (item.kind === "bulk") bytes = appendBulk(bytes, item.bytes);
    else bytes += writeReply3(item);
  }
  return bytes;
}

function writePairs(items: readonly Reply[]): ByteString {
  let bytes = `*${items.length / 2}\r\n`;
  for (let i = 0; i < items.length; i += 2) {
    bytes += `*2\r\n${writeReply3(items[i] as Reply)}${writeReply3(items[i + 1] as Reply)}`;
  }
  return bytes;
}
