/**
 * Writes messages that a connection did not request, or several messages for one command: a push in RESP3, an array in
 * RESP2. Source: redis-server 7.0, pubsub.c.
 */
import type { ByteString } from "../byte-string.js";
import { array, bulk, integer, NIL, type Reply } from "../reply.js";
import { writeBulk } from "./resp-writer.js";

/** Writes a message. @param parts  its kind, and then its contents */
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
