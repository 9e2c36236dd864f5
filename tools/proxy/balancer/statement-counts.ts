/** Counts a balancer's statements for metrics. */
import type { StatementKind } from "../routing/statement-kind.js";

export class StatementCounts {
  readonly statements: Record<StatementKind["kind"], number> = { read: 0, write: 0, use: 0, connection: 0 };
  /** The number of reads that a server other than the first one answered. */
  retried = 0;
  /** The number of writes that were sent to another server because the previous one had certainly not received them. */
  moved = 0;
  /** The number of writes whose outcome is unknown. */
  unknown = 0;
  /** The number of statements that could not be sent to any server. */
  unreached = 0;
}
