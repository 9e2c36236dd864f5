/**
 * Converts the store's replies to RESP3 and compares them with redis-server's, including the kinds of all their parts.
 */
import type { Reply } from "../../protocol/reply.js";
import { array, NIL } from "../../protocol/reply.js";
import { itemsOf, shown } from "./resp2-fold.js";

/** Converts pairs to arrays of two items, both kinds of nil to one kind, and doubles to the number in their text. */
export function asResp3(reply: Reply): Reply {
  switch (reply.kind) {
    case "nil-array":
      return NIL;
    case "double":
      // A client that reads the text receives the number that was written.
      return { kind: "double", value: reply.text === undefined ? reply.value : Number(reply.text) };
    case "pairs":
      return array(inTwos(reply.items.map(asResp3)));
    case "array":
    case "set":
    case "map":
      return { kind: reply.kind, items: reply.items.map(asResp3) };
    default:
      return reply;
  }
}

/** Returns a text that is the same only for equal replies of equal kinds, ignoring the order of sets and maps. */
export function shownExactly(reply: Reply): string {
  switch (reply.kind) {
    case "array":
      return `[${reply.items.map(shownExactly).join(" ")}]`;
    case "set":
      return `~[${reply.items.map(shownExactly).sort().join(" ")}]`;
    case "map":
      return `%[${inTwos(reply.items)
        .map((pair) => itemsOf(pair).map(shownExactly).join(": "))
        .sort()
        .join(" ")}]`;
    case "verbatim":
      return `${reply.format}:${shown(reply)}`;
    default:
      return shown(reply);
  }
}

/**
 * Whether two replies have the same kinds at the same positions, up to the end of the shorter one. A nil matches any
 * kind.
 */
export function haveSameShape(one: Reply, other: Reply): boolean {
  if (one.kind === "nil" || other.kind === "nil") return true;
  if (one.kind !== other.kind) return false;
  const parts = "items" in other ? other.items : [];
  return (
    !("items" in one) || one.items.every((item, i) => parts[i] === undefined || haveSameShape(item, parts[i]))
  );
}

function inTwos(items: readonly Reply[]): Reply[] {
  return items.flatMap((item, i) => (i % 2 === 0 ? [array([item, items[i + 1] as Reply])] : []));
}
