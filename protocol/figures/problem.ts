/** The problems of a daemon, as dbsync doctor and the dashboard show them. */

/**
 * `problem`: requires an operator. `remark`: may be intended. `note`: matters only to clients that may not exist.
 * `progress`: resolves itself.
 */
export type Severity = "problem" | "remark" | "note" | "progress";

export interface Problem {
  readonly text: string;
  /** The remedy. */
  readonly fix: string;
  readonly severity: Severity;
  /** Whether the problem concerns a member or the connection to it. The daemon itself may be healthy. */
  readonly isOfMember: boolean;
}
