/**
 * The answers to commands, as documents: the result, which ends with `ok: 1`, or an error, which begins with `ok: 0`.
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { documentBytes, double, element, elements, int32, text } from "./bson-documents.js";
import { answerHead, type MongoMessage } from "./mongo-message.js";

const DONE = element("ok", double(1));
const REFUSED = element("ok", double(0));
const LENGTH_BYTES = 4;

/** An error in the form that drivers read. */
interface Failure {
  readonly code: number;
  readonly codeName: ByteString;
  /** The message, as UTF-8. */
  readonly sentence: ByteString;
  /** Further elements of the answer, as BSON. */
  readonly details: ByteString;
}

/** Returns the answer to a successful command. @param written  the elements of its result */
export function doneAnswer(written: ByteString): ByteString {
  return documentBytes(`${written}${DONE}`);
}

/**
 * Returns the answer to a failed command.
 * @param kind  the kind of the message; drivers read `$err` after a failed query of the old kind
 */
export function refusedAnswer(
  { code, codeName, sentence, details }: Failure,
  kind: MongoMessage["kind"],
): ByteString {
  const old = kind === "query" ? element("$err", text(sentence)) : "";
  const reason = elements({ errmsg: text(sentence), code: int32(code), codeName: text(codeName) });
  return documentBytes(`${REFUSED}${old}${reason}${details}`);
}

/** Returns an answer as a complete message. */
export function messageBytes(id: number, kind: MongoMessage["kind"], answer: ByteString): ByteString {
  const isError = answer.startsWith(REFUSED, LENGTH_BYTES);
  return `${bytesOf(answerHead(id, kind, answer.length, isError))}${answer}`;
}

/** Whether a message is an error. */
export function isRefused(message: ByteString): boolean {
  return HEADS.some((head) => message.startsWith(REFUSED, head + LENGTH_BYTES));
}

const HEADS = (["message", "query"] as const).map((kind) => answerHead(0, kind, 0).length);
