/** Converts replies to JavaScript values, the results of `call` and `multi`. */
import { type ByteString, textOfBytes } from "../../protocol/byte-string.js";
import type { PlainReply, PlainValue } from "../../protocol/reply.js";
import { plainText } from "../../protocol/version-1/response-v1.js";
import { failureText, type LabelledCall, replyLabel } from "./command-labels.js";
import { DbsyncError } from "./errors.js";
import { type Answer, type Form, valueText } from "./outcome.js";
import type { ReplyValue, Shape } from "./reply-value.js";

/**
 * Returns the result of a call.
 * @param answer  in version 1 a text for every shape except `reply`, which requires version 2
 * @param call    the call, for errors inside the answer
 */
export function resultOf(
  answer: Answer,
  shape: Shape,
  format: Form,
  call: LabelledCall | null,
): ReplyValue | PlainReply {
  if (shape === "reply" && answer.reply !== null) return answer.reply;
  if (answer.reply !== null && (shape === "value" || shape === "buffers")) {
    return replyValue(answer.reply, shape === "buffers", call);
  }
  const first = answer.values[0];
  return shape === "buffers" && first !== undefined
    ? Buffer.from(first, "latin1")
    : valueText(answer.values, format);
}

/**
 * Converts a reply to its value.
 * @param index  the index of the command to which the reply belongs, if there are several commands
 */
export function replyValue(
  reply: PlainReply,
  buffers: boolean,
  call: LabelledCall | null,
  index = -1,
): ReplyValue {
  switch (reply.kind) {
    case "status":
      return textOfBytes(reply.text);
    case "integer":
      return reply.value;
    case "bulk":
      return buffers ? Buffer.from(reply.bytes, "latin1") : textOfBytes(reply.bytes);
    case "error":
      return call === null
        ? new DbsyncError("reply", textOfBytes(reply.text))
        : new DbsyncError("reply", failureText(textOfBytes(reply.text), call, index), {
            command: replyLabel(call, index),
          });
    case "array":
      return reply.items.map((item, at) => replyValue(item, buffers, call, index < 0 ? at : index));
    default:
      return null;
  }
}

/** Returns the values of a reply in the form of version 1: none for nil, otherwise one. */
export function replyValues(reply: PlainValue): readonly ByteString[] {
  const text = plainText(reply);
  return text === null ? [] : [text];
}

/** Whether a reply settles a call with the policy `first`. Another daemon's reply may replace nil and an empty list. */
export function isHit(reply: PlainReply): reply is PlainValue {
  if (reply.kind === "error" || isNil(reply)) return false;
  return reply.kind !== "array" || reply.items.length > 0;
}

export const isNil = ({ kind }: PlainReply): boolean => kind === "nil" || kind === "nil-array";
