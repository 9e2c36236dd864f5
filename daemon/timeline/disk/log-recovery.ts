/** Recovers the log that the previous process left: moves its groups into LMDB, and reports missing groups. */
import { join } from "node:path";
import type { LogMark, OperationGroup } from "../entries/storage-operation.js";
import type { TimelineLogger } from "../entries/timeline-logger.js";
import { operationsOf, takeBatch } from "./filing-batch.js";
import type { LmdbTree } from "./lmdb-tree.js";
import { LOG_END_FILE } from "./log-end.js";
import { type LogRemains, readLog, renameDamagedLog } from "./write-ahead-log.js";

/**
 * Moves the log of a killed process into LMDB, together with the marker of the next process's records.
 * @returns the number of the last group, how many groups are lost, and whether the machine may have restarted since
 */
export function recoverLog(
  folder: string,
  tree: LmdbTree,
  marker: Buffer,
  log: TimelineLogger,
): { readonly last: number; readonly lost: number; readonly mayHaveRestarted: boolean } {
  const { logMark } = tree;
  const { groups, lost, unsynced, end } = logMark === null ? NOTHING : readLog(folder, logMark);
  const sequence = groups.at(-1)?.sequence ?? logMark?.sequence ?? 0;
  const pending = [...groups];
  // After a loss, one transaction takes all groups, so that a crash after some of them cannot prevent the report.
  let batch = lost > 0 ? pending.splice(0) : takeBatch(pending);
  for (; pending.length > 0; batch = takeBatch(pending)) {
    const mark = { sequence: (batch.at(-1) as OperationGroup).sequence, marker: (logMark as LogMark).marker };
    tree.commitNow(operationsOf(batch), mark);
  }
  // Commit even if there is no group: the commit syncs the bytes that the previous process only passed to the system.
  tree.commitNow(operationsOf(batch), { sequence, marker });
  if (lost > 0) log.error({ lost, kept: renameDamagedLog(folder) }, DAMAGED);
  if (unsynced > 0) log.warn({ unsynced }, UNSYNCED);
  if (end === "damaged") log.warn({ file: join(folder, LOG_END_FILE) }, NO_END);
  return { last: sequence, lost, mayHaveRestarted: end === "damaged" || !end.isSameBoot };
}

const NOTHING: LogRemains = {
  groups: [],
  lost: 0,
  unsynced: 0,
  end: { written: 0, synced: 0, isSameBoot: true },
};

const DAMAGED =
  "the timeline's log is damaged: the last writes are incomplete, although they had been synced; other members, if there are any, will " +
  "send them again";
const UNSYNCED =
  "the machine restarted before the last groups of writes were on the disk, as --fsync permits: other members, if there are any, " +
  "will send them again";
const NO_END = "this file cannot be read, so the daemon does not know whether the timeline's log is complete";
