/**
 * Prepares replies for version 2 results. They are RESP2, in which a number in a relation is a simple string, to
 * distinguish it from a text, which is a bulk string.
 * Source: docs/protocol-v2.md "Units".
 */
import { LazyBulkReply } from "../lazy-bulk-reply.js";
import { array, type Reply, status } from "../reply.js";
import { formatDouble } from "../resp/double-text.js";

/** Returns the reply to write in RESP2. */
export function resultReply(reply: Reply): Reply {
  if (reply.kind === "map") return reply.isRelation ? array(reply.items.map(withNumbers)) : reply;
  // These are the replies of a transaction.
  if (reply.kind === "array" && !(reply instanceof LazyBulkReply) && reply.items.some(isRelation))
    return array(reply.items.map(resultReply));
  return reply;
}

const isRelation = (reply: Reply): boolean => reply.kind === "map" && reply.isRelation === true;

function withNumbers(reply: Reply): Reply {
  if (reply.kind === "double") return status(reply.text ?? formatDouble(reply.value));
  return reply.kind === "array" ? array(reply.items.map(withNumbers)) : reply;
}
