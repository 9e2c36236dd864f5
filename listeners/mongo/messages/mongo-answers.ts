/** Answers to commands as documents: results end with `ok: 1`, failures begin with `ok: 0`. */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { double, element, elements, framed, int32, text } from "../../../protocol/mongo/bson-writer.js";
import { answerHead, type MongoMessage } from "../../../protocol/mongo/message.js";
import type { MongoFailure } from "./failure.js";

const DONE = element("ok", double(1));
const REFUSED = element("ok", double(0));
const LENGTH_BYTES = 4;

/** Returns the answer of a successful command. @param written  its elements */
export function doneAnswer(written: ByteString): ByteString {
  return framed(`${written}${DONE}`);
}

/**
 * Returns the answer of a failed command. @param kind  of the message: drivers read `$err` of a failed query of the
 * old kind
 */
export function refusedAnswer(
  { code, codeName, sentence, details }: MongoFailure,
  kind: MongoMessage["kind"],
): ByteString {
  const old = kind === "query" ? element("$err", text(sentence)) : "";
  const members = elements({ errmsg: text(sentence), code: int32(code), codeName: text(codeName) });
  return framed(`${REFUSED}${old}${members}${details}`);
}

/** Returns the complete message. */
export function written({ id, kind }: MongoMessage, answer: ByteString): ByteString {
  const isError = answer.startsWith(REFUSED, LENGTH_BYTES);
  return `${bytesOf(answerHead(id, kind, answer.length, isError))}${answer}`;
}

/** Whether a message reports a failure. */
export function isRefused(message: ByteString): boolean {
  return [...HEADS].some((head) => message.startsWith(REFUSED, head + LENGTH_BYTES));
}

const HEADS = (["message", "query"] as const).map((kind) => answerHead(0, kind, 0).length);
