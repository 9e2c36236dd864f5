/** The outcome of a statement that was sent to a server of the SQL line protocol. */
import type { SqlFrame } from "../../../faces/sql/bytes/sql-frames.js";

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
