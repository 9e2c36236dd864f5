/** Formats a reply for a terminal, with types and numbered lists. Source: the format of redis-cli, Redis 7. */

import { escapedCharacter, shownLines } from "../../../daemon/net/terminal/terminal-text.js";
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import { CONTROL_CHARACTERS } from "../../../protocol/control-characters.js";
import type { Reply } from "../../../protocol/reply.js";
import { formatDouble } from "../../../protocol/resp/double-text.js";
import { escapedByte, quotedArgument } from "../../../protocol/resp/inline-command.js";

/** Formats a reply. @returns lines, without a final line break */
export function typedText(reply: Reply): string {
  switch (reply.kind) {
    case "status":
      return shownLines(textOfBytes(reply.text));
    case "error":
      return `(error) ${shownLines(textOfBytes(reply.text))}`;
    case "integer":
      return `(integer) ${reply.value}`;
    case "double":
      return `(double) ${formatDouble(reply.value)}`;
    case "bulk":
    case "verbatim":
      return quoted(reply.bytes);
    case "nil":
    case "nil-array":
      return "(nil)";
    case "resp3":
      return typedText(reply.plain);
    default:
      return list(reply.items);
  }
}

/** Formats a list with right-aligned numbers; further lines of an item are indented. */
function list(items: readonly Reply[]): string {
  if (items.length === 0) return "(empty array)";
  const digits = String(items.length).length;
  const margin = " ".repeat(digits + 2);
  return items
    .map((item, i) => {
      const number = String(i + 1).padStart(digits);
      return `${number}) ${typedText(item).replaceAll("\n", `\n${margin}`)}`;
    })
    .join("\n");
}

/** Returns bytes in quotes, as a user would type them; bytes that are not UTF-8 are written as `\xff`. */
export function quoted(bytes: ByteString): string {
  const text = textOfBytes(bytes);
  return text.includes("\ufffd") ? quotedArgument(bytes) : `"${shownText(text)}"`;
}

const shownText = (text: string): string =>
  text
    .replace(/["\\]/g, escapedByte)
    .replace(CONTROL_CHARACTERS, (character) =>
      character < "\x80" ? escapedByte(character) : escapedCharacter(character),
    );
