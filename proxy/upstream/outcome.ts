/** The outcome of a statement that was sent to a server of the SQL line protocol. */
import type { SqlFrame } from "../../protocol/sql-frames.js";

/**
 * connect: the connection failed. down: connections failed recently, so it was not tried. busy: too many wait for a connection. closed: the
 * proxy stops. lost: the connection broke. timeout: no answer in time. garbage: the bytes are not an answer. too-long: the answer is above
 * the limit. unsuited: this server would take the statement for something else.
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
  /** "no": the server has certainly not seen it. "unknown": it may have carried it out, now or later. */
  readonly reached: "no" | "unknown";
  /** Detail for the log: `ECONNREFUSED`, say. */
  readonly detail: string;
}

/** The server has answered. */
export interface UpstreamAnswer {
  readonly kind: "answered";
  readonly frame: SqlFrame;
  /** Whether it is what was said of the session, as of a database that is gone: the statement was not sent. */
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
