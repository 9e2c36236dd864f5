/** Opens the storage of the timeline: in the data folder, or in memory. The package lmdb is loaded with --data only. */
import { existsSync } from "node:fs";
import { orderFolder } from "../../engine/trust/data-folder.js";
import { loadWith } from "../../net/process/optional-package.js";
import { StartError } from "../../net/process/start-error.js";
import type { Settings } from "../../options/settings.js";
import { ForeignFolder } from "../../timeline/disk/folder-format.js";
import { FolderInUse } from "../../timeline/disk/folder-lock.js";
import type { Storage } from "../../timeline/entries/storage.js";
import type { TimelineLogger } from "../../timeline/entries/timeline-logger.js";
import { MemoryStorage } from "../../timeline/memory-storage.js";

/**
 * With --fsync always, the event loop itself writes as long as a write takes at most this number of microseconds on
 * average: a thread costs about 50 µs of CPU and 100 µs of waiting.
 */
const INLINE_WRITE_MICROS = 1000;

/**
 * @param log  receives reports of damage that loses data but does not prevent the start
 * @throws StartError  the folder cannot be used, or another daemon uses it
 */
export async function openStorage({ data, fsync }: Settings, log: TimelineLogger): Promise<Storage> {
  if (data === null) return new MemoryStorage();
  if (existsSync(orderFolder(data)))
    throw new StartError(
      `--data ${data}: it holds the state of a stream, which only --order can continue: add --order, or specify a new folder.`,
      2,
    );
  const { DiskStorage } = await loadWith(
    "lmdb",
    "--data",
    () => import("../../timeline/disk/disk-storage.js"),
  );
  try {
    return new DiskStorage(data, fsync, log, INLINE_WRITE_MICROS);
  } catch (problem) {
    if (problem instanceof ForeignFolder) throw new StartError(`--data: ${problem.message}.`, 2);
    if (problem instanceof FolderInUse) throw new StartError(`--data: ${problem.message}.`, 1);
    const reason = problem instanceof Error ? problem.message : String(problem);
    throw new StartError(
      `--data ${data}: its timeline cannot be opened: ${reason}. Correct --data, or free or repair the disk. If the folder stays ` +
        "unusable, move it aside and start with an empty one, which the peers fill.",
      1,
    );
  }
}
