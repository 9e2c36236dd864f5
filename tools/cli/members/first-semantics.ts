/**
 * Lets a new cluster begin with the newest semantics version that all its daemons support: the first list is signed
 * before the cluster has data, so the version changes no command that was recorded.
 */
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import { wireName } from "../../../protocol/figures/figure.js";
import { fieldsOf } from "../shared/output.js";

/** What one daemon reports of the semantics and its entries. */
export interface SemanticsReport {
  readonly semantics: number;
  readonly available: number;
  /** The number of entries with data. */
  readonly entries: number;
}

/** Reads the answer to TIMELINE STATUS. */
export function semanticsReport(reply: ReplyValue): SemanticsReport {
  const fields = fieldsOf(reply);
  const number = (name: string) => Number(fields[wireName(name)]);
  return {
    semantics: number("semantics"),
    available: number("availableSemantics"),
    entries: number("dataEntries"),
  };
}

/**
 * Returns the versions to set, in order. There are none if a daemon has data, or does not report.
 * @param members  the number of daemons in the cluster
 */
export function versionsToSet(reports: readonly SemanticsReport[], members: number): readonly number[] {
  if (reports.length < members) return [];
  let current = 0;
  let newest = Number.POSITIVE_INFINITY;
  for (const { semantics, available, entries } of reports) {
    if (entries > 0) return [];
    current = Math.max(current, semantics);
    newest = Math.min(newest, available);
  }
  return Array.from({ length: Math.max(0, newest - current) }, (_, index) => current + 1 + index);
}
