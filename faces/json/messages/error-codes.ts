/**
 * Codes by which programs distinguish errors, in addition to the original's messages, for clients that request them.
 * Every message has a code.
 * Source: docs/json-documents.md "Codes of errors".
 */
import { ERROR_HEAD, type Text } from "./json-answers.js";

interface Row {
  /** The beginnings of the messages with this code. */
  readonly begins: readonly string[];
  readonly meaning: string;
}

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
    begins: ["This daemon has started", "This daemon has not fetched yet"],
    meaning: "the daemon is not ready yet: try again",
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
