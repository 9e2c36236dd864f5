/** The problems of a daemon, as dbsync doctor and the dashboard show them. */

/** `problem`: needs an operator. `remark`: may be intended. `note`: matters only to clients that may not exist. `progress`: ends by itself. */
export type Severity = "problem" | "remark" | "note" | "progress";

export interface Problem {
  readonly text: string;
  /** The advice: what to do. */
  readonly fix: string;
  readonly severity: Severity;
  /** Whether it is about a member, or the connection to it; the daemon itself may be well. */
  readonly isOfMember: boolean;
}
