/** Formats strings that are not UTF-8, as text and as JSON, without losing a byte. */
import { isUtf8 } from "node:buffer";
import type { ReplyValue } from "../../client/shared/reply-value.js";
import { quotedArgument } from "../../protocol/resp/inline-command.js";

export class BinaryText {
  readonly bytes: Buffer;

  constructor(bytes: Buffer) {
    this.bytes = bytes;
  }

  /** Returns the bytes in quotation marks, with `\xHH` for bytes that are not printable ASCII. */
  toString(): string {
    return quotedArgument(this.bytes.toString("latin1"));
  }

  toJSON(): { readonly base64: string } {
    return { base64: this.bytes.toString("base64") };
  }
}

/** Converts the byte strings of a reply to text, except for strings that are not UTF-8. */
export function textsOf(reply: ReplyValue): ReplyValue {
  if (Array.isArray(reply)) return reply.map(textsOf);
  return Buffer.isBuffer(reply) && isUtf8(reply) ? reply.toString() : reply;
}

/** Returns a value for `--json`, in which a string that is not UTF-8 is `{"base64": …}`. */
export function jsonOf(value: ReplyValue): unknown {
  if (Array.isArray(value)) return value.map(jsonOf);
  return Buffer.isBuffer(value) ? new BinaryText(value) : value;
}
