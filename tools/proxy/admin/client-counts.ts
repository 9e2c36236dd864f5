/** Counts the clients of a proxy and their statements. */
import type { LineObserver } from "../clients/line-dialect.js";

export class ClientCounts implements LineObserver {
  connections = 0;
  opened = 0;
  /** The numbers of answered statements, and of error answers among them. */
  answers = 0;
  errors = 0;
  /** The numbers of connections that were rejected or closed, by reason. */
  readonly refusals = new Map<string, number>();

  connected(_listener: string, change: 1 | -1): void {
    this.connections += change;
    if (change > 0) this.opened++;
  }

  refused(_listener: string, code: string): void {
    this.refusals.set(code, (this.refusals.get(code) ?? 0) + 1);
  }

  served(isError: boolean): void {
    this.answers++;
    if (isError) this.errors++;
  }
}
