/** The failures of MongoDB commands, with the codes that drivers know. Source: MongoDB 7.0, error_codes.yml. */
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";
import type { ErrorReply } from "../../../protocol/reply.js";

const CODE_NAMES = {
  2: "BadValue",
  8: "UnknownError",
  9: "FailedToParse",
  13: "Unauthorized",
  14: "TypeMismatch",
  16: "InvalidLength",
  17: "ProtocolError",
  18: "AuthenticationFailed",
  20: "IllegalOperation",
  22: "InvalidBSON",
  43: "CursorNotFound",
  50: "MaxTimeMSExpired",
  52: "DollarPrefixedFieldName",
  59: "CommandNotFound",
  72: "InvalidOptions",
  79: "UnknownReplWriteConcern",
  73: "InvalidNamespace",
  123: "NotAReplicaSet",
  146: "ExceededMemoryLimit",
  148: "ReadConcernMajorityNotEnabled",
  238: "NotImplemented",
  322: "APIVersionError",
  323: "APIStrictError",
  334: "MechanismUnavailable",
  10334: "BSONObjectTooLarge",
  13436: "NotPrimaryOrSecondary",
  40413: "Location40413",
  40414: "Location40414",
  40415: "Location40415",
} as const;

export type FailureCode = keyof typeof CODE_NAMES;

export class MongoAnswerError extends Error {
  readonly code: number;
  readonly codeName: ByteString;
  /** The message in UTF-8. */
  readonly sentence: ByteString;
  /** Additional elements of the answer, as BSON. */
  readonly details: ByteString;

  constructor(code: number, codeName: ByteString, sentence: ByteString, details: ByteString = "") {
    super(sentence);
    [this.code, this.codeName, this.sentence, this.details] = [code, codeName, sentence, details];
  }
}

/** @param sentence  the message as text */
export function mongoError(code: FailureCode, sentence: string): MongoAnswerError {
  return new MongoAnswerError(code, CODE_NAMES[code], bytesOfText(sentence));
}

/** Matches the store's errors about a client's request. */
const STORE_ERROR = /^MONGO (\d+) (\w+) (.*)$/s;
/**
 * The codes for errors of the daemon itself, by first word. After NotPrimaryOrSecondary drivers choose another server.
 */
const CODES: Readonly<Record<string, FailureCode>> = {
  NOPERM: 13,
  TRYAGAIN: 50,
  OOM: 146,
  TOOMUCH: 146,
  LOADING: 13436,
};

export function failureOf({ text, details }: ErrorReply): MongoAnswerError {
  const [, code, codeName, sentence] = STORE_ERROR.exec(text) ?? [];
  if (codeName !== undefined) return new MongoAnswerError(Number(code), codeName, sentence ?? "", details);
  const [, word = "ERR", message = text] = /^([A-Z]+) (.*)$/s.exec(text) ?? [];
  const own = CODES[word] ?? 8;
  return new MongoAnswerError(own, CODE_NAMES[own], word === "ERR" ? message : text);
}
