/** Answers of the JSON protocol: one object, its status first. Source: test/vectors/json; docs/json-documents.md. */
import { textOfBytes } from "../../../protocol/byte-string.js";
import { JSON_VALUES_MAX, type JsonFault } from "../../../protocol/json-reader.js";
import { writePhpString } from "../../../protocol/json-writer.js";
import type { ErrorReply } from "../../../protocol/reply.js";

/** A member's name, and its value as JSON. */
export type Member = readonly [name: string, json: string];

/** Behind each, in this order. */
export const ANSWER_END = "\n\r";

/** Of an answer that would be longer than any, or than --max-output-bytes. */
const ANSWER_TOO_LONG =
  "The answer is longer than this server sends (--max-output-bytes): ask for less at once. What was to be written is written.";

/** Characters of a request that are repeated to who sent it. */
const ECHO_CHARS_MAX = 8192;

export function success(...members: readonly Member[]): string {
  return `{"status":"success"${members.map(written).join("")}}`;
}

/** @param members  what is known besides, before the message */
export function failure(message: string, ...members: readonly Member[]): string {
  return `{"status":"error"${members.map(written).join("")},"message":${writePhpString(message)}}`;
}

/** An answer, or an error in its place where it cannot be sent whole. */
export function bounded(answer: string, most: number): string {
  return answer.length + ANSWER_END.length > most ? failure(ANSWER_TOO_LONG) : answer;
}

/** @param make  makes an answer, which may be longer than any string */
export function withinStrings(make: () => string | Promise<string>): string | Promise<string> {
  try {
    const answer = make();
    return answer instanceof Promise ? answer.catch(tooLong) : answer;
  } catch (problem) {
    return tooLong(problem);
  }
}

/** @throws the problem, if it is another */
function tooLong(problem: unknown): string {
  if (problem instanceof RangeError && problem.message === "Invalid string length")
    return failure(ANSWER_TOO_LONG);
  throw problem;
}

const written = ([name, json]: Member) => `,"${name}":${json}`;

/** The sentence of a command's error, without its code. */
export function sentenceOf({ text }: ErrorReply): string {
  return textOfBytes(text.replace(/^[A-Z]+ /, ""));
}

const FAULTS: Readonly<Record<JsonFault, (text: string) => string>> = {
  syntax: (text) => `Syntax error, malformed JSON. <${echoed(text)}>`,
  depth: () => "Maximum stack depth exceeded.",
  mismatch: () => "Underflow or the modes mismatch.",
  control: () => "Unexpected control character found.",
  utf8: () => "Malformed UTF-8 characters, possibly incorrectly encoded.",
  utf16: () => "Unknown JSON error occured.",
  infinite: () => "Inf and NaN cannot be JSON encoded.",
  values: () => `More than ${JSON_VALUES_MAX} values in one request: send several.`,
};

/** What is wrong with a request that cannot be read. */
export function faultSentence(fault: JsonFault, text: string): string {
  return FAULTS[fault](text);
}

function echoed(text: string): string {
  return text.length <= ECHO_CHARS_MAX ? text : `${text.slice(0, ECHO_CHARS_MAX)}…`;
}
