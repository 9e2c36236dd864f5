/**
 * The semantics version of a new cluster: the newest one that all its daemons support. The first list is signed before
 * the cluster has data, so the version changes no command that was recorded.
 */
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import { TIMELINE_FIGURES } from "../../../protocol/figures/timeline-figures.js";
import type { MemberList } from "../../../protocol/members/member-list.js";
import { printNotice } from "../shared/output.js";
import { readFigures } from "../shared/read-figures.js";
import type { SendingFailure } from "./daemon-key-authorization.js";
import { hexIds } from "./next-member-list.js";

/** Sets the newest semantics version of a cluster that has no data yet. */
export async function setNewestSemantics(
  reports: ReadonlyMap<string, SemanticsReport>,
  { members }: MemberList,
  send: (command: readonly string[]) => Promise<SendingFailure | null>,
): Promise<void> {
  for (const version of versionsToSet(reports, hexIds(members))) {
    const failure = await send(["CLUSTER", "SEMANTICS", String(version)]);
    if (failure === null) continue;
    printNotice(
      `warning: the semantics version was not set to ${version}: ${failure.problem}. dbsync doctor shows the command`,
    );
    return;
  }
}

/** What one daemon reports of the semantics and its entries. */
export interface SemanticsReport {
  /** The version in use, from 1 on; 0 if the daemon does not report it. */
  readonly semantics: number;
  readonly available: number;
  /** The number of entries with data. */
  readonly entries: number;
}

/** Reads the answer to TIMELINE STATUS. */
export function semanticsReport(reply: ReplyValue): SemanticsReport {
  const { semantics, availableSemantics, dataEntries } = readFigures(TIMELINE_FIGURES, reply);
  return { semantics, available: availableSemantics, entries: dataEntries };
}

/**
 * Returns the versions to set, in order. There are none if a member has data, or does not report.
 * @param reports  by the ids of the daemons
 * @param members  the ids of the members
 */
export function versionsToSet(
  reports: ReadonlyMap<string, SemanticsReport>,
  members: readonly string[],
): readonly number[] {
  let current = 0;
  let newest = Number.POSITIVE_INFINITY;
  for (const id of members) {
    const report = reports.get(id);
    if (report === undefined || report.semantics === 0 || report.entries > 0) return [];
    current = Math.max(current, report.semantics);
    newest = Math.min(newest, report.available);
  }
  return Array.from({ length: Math.max(0, newest - current) }, (_, index) => current + 1 + index);
}
