/**
 * Converts a reply to one text, as in version 1: the elements of a list are joined by line feeds, a nil element is an
 * empty line, and nested lists are flattened. Source: docs/protocol.md "Response".
 */
import type { ByteString } from "./byte-string.js";
import type { PlainReply, PlainValue } from "./reply.js";

/** Returns the text; null for nil and an empty list. @param reply  not an error, which a text cannot represent */
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
