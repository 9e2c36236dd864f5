/** Counters of a balancer's statements, for metrics. */
import type { StatementKind } from "../routing/statement-kind.js";

export class StatementCounts {
  readonly statements: Record<StatementKind["kind"], number> = { read: 0, write: 0, use: 0, connection: 0 };
  /** Reads that were answered by a server other than the first one tried. */
  retried = 0;
  /** Writes that the proxy sent to another server because the first one had certainly not seen them. */
  moved = 0;
  /** Writes whose outcome is unknown. */
  unknown = 0;
  /** Statements that could not be sent to any server. */
  unreached = 0;
}
