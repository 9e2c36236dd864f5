/** What came of a statement that was given to a server of the SQL line protocol. */
import type { SqlFrame } from "../../protocol/sql-frames.js";

/**
 * connect: nobody let us in. down: nobody did lately, so it was not tried. busy: too many wait for a connection. closed: we stop.
 * lost: the connection broke. timeout: no answer in time. garbage: what came is no answer. too-long: the answer is.
 * unsuited: this server would take it for something else.
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
  /** For the log: `ECONNREFUSED`, say. */
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
