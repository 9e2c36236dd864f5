/**
 * The answers to commands, as documents: the result, which ends with `ok: 1`, or an error, which begins with `ok: 0`.
 */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { documentBytes, double, element, elements, int32, text } from "./bson-documents.js";
import { answerHead, type MongoMessage } from "./mongo-message.js";

const OK = element("ok", double(1));
const NOT_OK = element("ok", double(0));
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

/** Returns the answer to a successful command. @param result  the elements of its result */
export function doneAnswer(result: ByteString): ByteString {
  return documentBytes(`${result}${OK}`);
}

/**
 * Returns the answer to a failed command.
 * @param kind  the kind of the message; drivers read `$err` after a failed OP_QUERY, the legacy message
 */
export function refusedAnswer(
  { code, codeName, sentence, details }: Failure,
  kind: MongoMessage["kind"],
): ByteString {
  const old = kind === "query" ? element("$err", text(sentence)) : "";
  const reason = elements({ errmsg: text(sentence), code: int32(code), codeName: text(codeName) });
  return documentBytes(`${NOT_OK}${old}${reason}${details}`);
}

/** Returns an answer as a complete message. */
export function messageBytes(id: number, kind: MongoMessage["kind"], answer: ByteString): ByteString {
  const isError = answer.startsWith(NOT_OK, LENGTH_BYTES);
  return `${bytesOf(answerHead(id, kind, answer.length, isError))}${answer}`;
}

/** The lengths of the heads of the two kinds of messages. */
const HEAD_LENGTHS = (["message", "query"] as const).map((kind) => answerHead(0, kind, 0).length);

/** Whether a message of either kind is an error. */
export function isErrorMessage(message: ByteString): boolean {
  return HEAD_LENGTHS.some((length) => message.startsWith(NOT_OK, length + LENGTH_BYTES));
}
