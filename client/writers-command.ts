/**
 * Handles `WRITERS key …`, which returns the last writer of each key. The bytes of a writer are not text, so callers
 * that request text receive hexadecimal digits, which the option `if` accepts. It is the only such command, so its name
 * is here and not in the generated file. Source: docs/protocol-v2.md "Units".
 */

import { commandName } from "./shared/command-bytes.js";
import type { CommandInput } from "./shared/command-input.js";
import type { ReplyValue } from "./shared/reply-value.js";

export function isWritersCommand(command: CommandInput): boolean {
  const name = commandName(command);
  return typeof name === "string" && name.length === "WRITERS".length && name.toUpperCase() === "WRITERS";
}

/**
 * Converts the reply's Buffers to hexadecimal digits, and the empty Buffers of absent keys to null.
 * @param reply  a reply with Buffers
 */
export function writersAsText(reply: ReplyValue): ReplyValue {
  if (Array.isArray(reply)) return reply.map(writersAsText);
  if (!Buffer.isBuffer(reply)) return reply;
  return reply.length === 0 ? null : reply.toString("hex");
}
