/**
 * Replies as version 2's results have them: RESP2, in which a number in a relation is a simple string, since a text is a bulk string.
 * Source: docs/protocol-v2.md "Units".
 */
import { ManyBulks } from "../many-bulks.js";
import { array, type Reply, status } from "../reply.js";
import { formatDouble } from "../resp/double.js";

/** What is to be written in RESP2. */
export function resultReply(reply: Reply): Reply {
  if (reply.kind === "map") return reply.isRelation ? array(reply.items.map(withNumbers)) : reply;
  // Of a transaction.
  if (reply.kind === "array" && !(reply instanceof ManyBulks) && reply.items.some(isRelation))
    return array(reply.items.map(resultReply));
  return reply;
}

const isRelation = (reply: Reply): boolean => reply.kind === "map" && reply.isRelation === true;

function withNumbers(reply: Reply): Reply {
  if (reply.kind === "double") return status(reply.text ?? formatDouble(reply.value));
  return reply.kind === "array" ? array(reply.items.map(withNumbers)) : reply;
}
