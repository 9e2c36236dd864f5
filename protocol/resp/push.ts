/** What a connection is told unasked, or several of for one command: RESP3's push, in RESP2 an array. Source: redis-server 7.0, pubsub.c. */
import type { ByteString } from "../byte-string.js";
import { array, bulk, integer, NIL, type Reply } from "../reply.js";
import { writeBulk } from "./resp-writer.js";

/** A message's parts, the word for its kind first. */
export function writePush(parts: readonly ByteString[], protocol: 2 | 3): ByteString {
  let bytes = `${protocol === 3 ? ">" : "*"}${parts.length}\r\n`;
  for (const part of parts) bytes += writeBulk(part);
  return bytes;
}

/**
 * How a subscription or its end is told.
 * @param name   the channel or pattern; null: there was none to end
 * @param count  of the subscriptions that the connection has then
 */
export function subscriptionReply(word: ByteString, name: ByteString | null, count: number): Reply {
  const written = `>3\r\n${writeBulk(word)}${name === null ? "_\r\n" : writeBulk(name)}:${count}\r\n`;
  const plain = array([bulk(word), name === null ? NIL : bulk(name), integer(count)]);
  return { kind: "resp3", written, plain };
}
