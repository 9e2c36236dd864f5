/** Converts the store's replies to RESP2, for the comparison with redis-server's. */

import { array, bulk, type Reply } from "../../protocol/reply.js";
import { formatDouble } from "../../protocol/resp/double-text.js";

/** Converts doubles to bulk strings, and maps and sets to arrays. */
export function folded(reply: Reply): Reply {
  switch (reply.kind) {
    case "verbatim":
      return bulk(reply.bytes);
    case "double":
      return bulk(reply.text ?? formatDouble(reply.value));
    case "map":
      return reply.inPairs === true
        ? inPairs(reply.items)
        : { kind: "array", items: reply.items.map(folded) };
    case "resp3":
      return folded(reply.plain);
    case "array":
    case "set":
    case "pairs":
      return { kind: "array", items: reply.items.map(folded) };
    default:
      return reply;
  }
}

function inPairs(items: readonly Reply[]): Reply {
  const pairs = items.flatMap((name, i) => (i % 2 === 0 ? [array([name, items[i + 1] as Reply])] : []));
  return folded(array(pairs));
}

/** Returns a readable text that is the same only for equal replies. */
export function shown(reply: Reply): string {
  switch (reply.kind) {
    case "status":
      return `+${JSON.stringify(reply.text)}`;
    case "error":
      return `-${JSON.stringify(reply.text)}`;
    case "integer":
      return `:${reply.value}`;
    case "bulk":
    case "verbatim":
      return JSON.stringify(reply.bytes);
    case "nil":
    case "nil-array":
      return reply.kind;
    case "double":
      return `,${reply.value}`;
    case "resp3":
      return reply.written;
    default:
      return `[${reply.items.map(shown).join(" ")}]`;
  }
}

/** Returns the items of an array, and an empty array for any other reply. */
export function itemsOf(reply: Reply | undefined): readonly Reply[] {
  return reply?.kind === "array" ? reply.items : [];
}

export function sameReply(one: Reply, other: Reply): boolean {
  return shown(one) === shown(other);
}
