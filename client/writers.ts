/**
 * `WRITERS key …`, which returns the last writer of each key. Its bytes are not text, so callers that want text get
 * hexadecimal digits, which the option `if` accepts. Source: docs/protocol-v2.md "Units".
 */
import { type CommandInput, commandName } from "./shared/command.js";
import type { ReplyValue } from "./shared/reply-value.js";

export function asksForWriters(command: CommandInput): boolean {
  const name = commandName(command);
  return typeof name === "string" && name.length === "WRITERS".length && name.toUpperCase() === "WRITERS";
}

/** Converts Buffers to hexadecimal digits; null: the key is absent. @param reply  with Buffers */
export function writersAsText(reply: ReplyValue): ReplyValue {
  if (Array.isArray(reply)) return reply.map(writersAsText);
  if (!Buffer.isBuffer(reply)) return reply;
  return reply.length === 0 ? null : reply.toString("hex");
}
