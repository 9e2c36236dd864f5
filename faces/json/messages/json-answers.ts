/**
 * Writes answers of the JSON protocol: one object, with its status first. Source: test/vectors/json;
 * docs/json-documents.md.
 */
import { type ByteString, textOfBytes } from "../../../protocol/byte-string.js";
import { JSON_VALUES_MAX, type JsonFault } from "../../../protocol/json/json-reader.js";
import { writePhpString } from "../../../protocol/json/json-writer.js";
import type { ErrorReply, Reply } from "../../../protocol/reply.js";

/** Entries of a container, which are joined when they are written. */
export interface EntriesPiece {
  /** The names as JSON, or as integers; null if the entries have none. */
  readonly names: readonly (string | number)[] | null;
  /** The values as JSON. */
  readonly texts: readonly string[];
}
/** A part of a long text. */
export type Piece = string | EntriesPiece;
/** An ASCII text, or the pieces of a long one. Joining the pieces would take as long as finding the entries. */
export type Text = string | readonly Piece[];
/** The name of a member, and its value as JSON. */
export type Member = readonly [name: string, json: string];
export type LongMember = readonly [name: string, json: Text];

/** The beginning of an answer that reports an error. */
export const ERROR_HEAD = '{"status":"error"';
/** The end of each answer: LF, then CR. */
export const ANSWER_END = "\n\r";

/** The error for an answer longer than --max-output-bytes, or than the maximum length of a string. */
const ANSWER_TOO_LONG =
  "The answer is longer than this server sends (--max-output-bytes): request fewer entries. The requested write was carried out.";

/** Maximum characters of a request that its error repeats. */
const ECHO_CHARS_MAX = 8192;

export function success(...members: readonly Member[]): string {
  return `{"status":"success"${members.map(written).join("")}}`;
}

/** Returns a successful answer whose values may be long. */
export function longSuccess(members: readonly LongMember[]): readonly Piece[] {
  const pieces: Piece[] = ['{"status":"success"'];
  for (const [name, json] of members) {
    pieces.push(`,"${name}":`);
    if (typeof json === "string") pieces.push(json);
    else for (const piece of json) pieces.push(piece);
  }
  pieces.push("}");
  return pieces;
}

/** Returns the length of a text in characters. */
export function lengthOf(text: Text): number {
  if (typeof text === "string") return text.length;
  let length = 0;
  for (const piece of text) {
    if (typeof piece === "string") length += piece.length;
    else length += joinedLength(piece);
  }
  return length;
}

function joinedLength({ names, texts }: EntriesPiece): number {
  let length = Math.max(0, texts.length - 1);
  for (let at = 0; at < texts.length; at++) length += (texts[at] as string).length;
  if (names === null) return length;
  for (let at = 0; at < names.length; at++) length += nameLength(names[at] as string | number) + 1;
  return length;
}

/** The length of an integer's quotation marks. */
const QUOTES_LENGTH = 2;

function nameLength(name: string | number): number {
  if (typeof name === "string") return name.length;
  let digits = 1;
  for (let rest = name; rest >= 10; rest /= 10) digits++;
  return digits + QUOTES_LENGTH;
}

/** Returns a name as JSON. */
export const nameText = (name: string | number): string => (typeof name === "number" ? `"${name}"` : name);

/** Returns a piece as one string. */
export function joined(piece: Piece): string {
  if (typeof piece === "string") return piece;
  const { names, texts } = piece;
  if (names === null) return texts.join(",");
  let text = "";
  for (let at = 0; at < texts.length; at++) {
    const name = names[at] as string | number;
    text += `${at === 0 ? "" : ","}${nameText(name)}:${texts[at]}`;
  }
  return text;
}

/** Returns an answer that reports an error. @param members  additional members, before the message */
export function failure(message: string, ...members: readonly Member[]): string {
  return `${ERROR_HEAD}${members.map(written).join("")},"message":${writePhpString(message)}}`;
}

/** Returns the answer, or an error if the answer is too long to be sent. */
export function withinLimit(answer: Text, maxChars: number): Text {
  return lengthOf(answer) + ANSWER_END.length > maxChars ? failure(ANSWER_TOO_LONG) : answer;
}

/** Returns the answer, or an error if V8 cannot create a string of its length. @param make  creates the answer */
export function withinStringLimit<A extends Text>(
  make: () => A | Promise<A>,
): A | string | Promise<A | string> {
  try {
    const answer = make();
    return answer instanceof Promise ? answer.catch(tooLong) : answer;
  } catch (problem) {
    return tooLong(problem);
  }
}

/** Returns the error for a string that is too long. @throws any other problem */
function tooLong(problem: unknown): string {
  if (problem instanceof RangeError && problem.message === "Invalid string length")
    return failure(ANSWER_TOO_LONG);
  throw problem;
}

const written = ([name, json]: Member) => `,"${name}":${json}`;

/** Returns the text of a command's error, without its code unless the code states the effect. */
export function sentenceOf({ text }: ErrorReply): string {
  return textOfBytes(text.replace(/^(?!NOTAPPLIED |MAYBEAPPLIED )[A-Z]+ /, ""));
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

/** Returns the message for a request that cannot be parsed. */
export function faultSentence(fault: JsonFault, text: string): string {
  return FAULTS[fault](text);
}

function echoed(text: string): string {
  return text.length <= ECHO_CHARS_MAX ? text : `${text.slice(0, ECHO_CHARS_MAX)}…`;
}

/** Returns the items of a container; empty for other replies. */
export function itemsOf(reply: Reply | undefined): readonly Reply[] {
  return reply !== undefined && "items" in reply ? reply.items : [];
}

/** Returns the bytes of a string; empty for other replies. */
export const bytesOf = (reply: Reply | undefined): ByteString => (reply?.kind === "bulk" ? reply.bytes : "");
export const bulksOf = (reply: Reply | undefined): ByteString[] => itemsOf(reply).map(bytesOf);

interface Row {
  /** The beginnings of the messages with this code. */
  readonly begins: readonly string[];
  readonly meaning: string;
}

/**
 * Codes by which programs distinguish errors, in addition to the original's messages, for clients that request them.
 * Every message has a code.
 * Source: docs/json-documents.md "Codes of errors".
 */
export const ERROR_CODES = {
  NO_ACTION: { begins: ["No action key provided."], meaning: "`action` is missing" },
  UNKNOWN_MEMBER: { begins: [], meaning: "the action has no such member" },
  UNKNOWN_ACTION: { begins: ["The action '"], meaning: "there is no such action" },
  NO_DOCUMENT: { begins: ["No document provided."], meaning: "`document` is missing" },
  NO_DATA: { begins: ["No data provided."], meaning: "`data` is missing" },
  NO_ID: { begins: ["No id provided"], meaning: "`id` is missing or invalid" },
  NO_FIELD: { begins: ["No field provided"], meaning: "`field` is missing" },
  NOT_ENTRIES: { begins: ["Data must be provided in array."], meaning: "`data` is not a list or an object" },
  DOCUMENT_ABSENT: { begins: ["Document provided does not exist."], meaning: "there is no such document" },
  DOCUMENT_EXISTS: { begins: ["Document provided already exist."], meaning: "the document exists already" },
  ENTRY_ABSENT: { begins: ["Key:id provided does not exist"], meaning: "there is no such entry" },
  WRONG_MEMBERS: {
    begins: ["The required keys for this document are:"],
    meaning: "the members are not the document's",
  },
  REVISION: { begins: ["The entry "], meaning: "the entry has another revision" },
  CONDITION: {
    begins: ["WHERE:", "UPDATE:", "SORT ", "LIMIT ", "FIELDS "],
    meaning: "a condition, sort, path or operator is invalid",
  },
  MALFORMED: {
    begins: [
      ...["Syntax error", "Maximum stack depth", "Underflow or", "Unexpected control", "Malformed UTF-8"],
      ...["Unknown JSON error", "Inf and NaN", "not UTF-8", "not JSON"],
    ],
    meaning: "the request is not JSON",
  },
  TOO_LARGE: {
    begins: ["More than ", "The answer is longer", "The line is longer"],
    meaning: "the request or the answer is too large",
  },
  NOT_LOGGED_IN: { begins: ["Authentication required."], meaning: "the client must log in first" },
  WRONG_LOGIN: {
    begins: ["No password", "invalid username-password"],
    meaning: "the user or the password is wrong",
  },
  NOT_PERMITTED: { begins: ["this user has no permissions"], meaning: "the user may not do that" },
  NO_MEMORY: { begins: ["No memory is left"], meaning: "the data has reached `--maxmemory`" },
  NOT_NOW: {
    begins: ["This daemon accepts no writes yet", "This daemon has not fetched yet"],
    meaning: "the daemon is not ready yet: try again",
  },
  NOT_APPLIED: {
    begins: ["NOTAPPLIED "],
    meaning: "the request has no effect, and will have none; the message describes the reason",
  },
  MAYBE_APPLIED: {
    begins: ["MAYBEAPPLIED "],
    meaning: "the request may have been applied, or may still be: read before you repeat it",
  },
  REFUSED: { begins: [], meaning: "any other error; the message describes it" },
} as const satisfies Readonly<Record<string, Row>>;

export type ErrorCode = keyof typeof ERROR_CODES;

const rows = Object.entries(ERROR_CODES) as readonly (readonly [ErrorCode, Row])[];
const NO_SUCH_MEMBER = /^The action '.*' has no member '/s;

/**
 * Returns the code of a message.
 * @param action  the requested action. The original's message for dropping a missing document wrongly says that the
 *   document already exists, so the message alone does not determine the code
 */
export function errorCode(sentence: string, action: string | undefined): ErrorCode {
  if (NO_SUCH_MEMBER.test(sentence)) return "UNKNOWN_MEMBER";
  const code = rows.find(([, { begins }]) => begins.some((begin) => sentence.startsWith(begin)))?.[0];
  return code === "DOCUMENT_EXISTS" && action === "drop" ? "DOCUMENT_ABSENT" : (code ?? "REFUSED");
}

/** Returns an answer with the code after the message, if the answer is an error. */
export function withErrorCode(answer: Text, action: string | undefined): Text {
  if (typeof answer !== "string" || !answer.startsWith(ERROR_HEAD)) return answer;
  const { message } = JSON.parse(answer) as { readonly message?: unknown };
  return `${answer.slice(0, -1)},"code":"${errorCode(String(message), action)}"}`;
}
