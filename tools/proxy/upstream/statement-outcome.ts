/** The outcome of a statement that was sent to a server of the SQL line protocol. */
import {
  BALANCER_ERROR,
  errorFrame,
  messageFrame,
  type SqlFrame,
} from "../../../faces/sql/bytes/sql-frames.js";
import { type ByteString, bytesOfText } from "../../../protocol/byte-string.js";

/**
 * The kind of a failure. connect: the connection failed. down: connections failed recently, so the server was not
 * tried. busy: too many statements wait for a connection. closed: the proxy stops. lost: the connection broke. timeout:
 * no answer in time. garbage: the bytes are not an answer. too-long: the answer is above the limit. unsuited: this
 * server would misinterpret the statement.
 */
export type FailureKind =
  | "connect"
  | "down"
  | "busy"
  | "closed"
  | "lost"
  | "timeout"
  | "garbage"
  | "too-long"
  | "unsuited";

export interface UpstreamFailure {
  readonly kind: "failed";
  readonly why: FailureKind;
  /**
   * "no": the server has certainly not received the statement. "unknown": the server may have executed it, or may still
   * do so.
   */
  readonly reached: "no" | "unknown";
  /** The detail for the log, such as `ECONNREFUSED`. */
  readonly detail: string;
}

/** The answer of a server. */
export interface UpstreamAnswer {
  readonly kind: "answered";
  readonly frame: SqlFrame;
  /** Whether the answer is an error about the session, such as a dropped database. The statement was then not sent. */
  readonly isOfSession: boolean;
}

export type UpstreamOutcome = UpstreamAnswer | UpstreamFailure;

export function failed(
  why: FailureKind,
  reached: UpstreamFailure["reached"],
  detail: string,
): UpstreamFailure {
  return { kind: "failed", why, reached, detail };
}

/** Matches an error of this balancer or the earlier one. It may mean that the statement's outcome is unknown. */
const OF_BALANCER = /^RESULT_MESSAGE\n(?:Hadisoana : )?Erreur de connexion backend/;
const NOT_KNOWN = "it is not known whether the statement was executed";

/** Returns the error. @param server  its name for users @param isRepeatable  whether the statement changes nothing */
export function failureFrame(
  { why, reached, detail }: UpstreamFailure,
  server: string,
  isRepeatable: boolean,
): ByteString {
  if (why === "unsuited") return errorFrame(bytesOfText(`${server} : ${detail}`));
  if (why === "too-long") return errorFrame(bytesOfText(`${BALANCER_ERROR} : ${server} : ${detail}`));
  if (reached === "no" || isRepeatable) return messageFrame(BALANCER_ERROR);
  return errorFrame(bytesOfText(`${BALANCER_ERROR} : ${server} : ${NOT_KNOWN}`));
}

/**
 * Whether an answer is from a balancer that may not know the statement's outcome, so that the statement may still be
 * executed.
 */
export const mayHaveUnknownOutcome = (answer: ByteString): boolean => OF_BALANCER.test(answer);
