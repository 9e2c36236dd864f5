/** Makes dead letters from all writes of a data folder, such as that of a daemon that no peer has admitted. */
import { join } from "node:path";
import { DeadLetterStore } from "../../../daemon/cluster/dead-letters/dead-letter-store.js";
import { admittedIn } from "../../../daemon/cluster/history/catching-up-mark.js";
import { recordedCluster } from "../../../daemon/engine/trust/genesis.js";
import { hashOf } from "../../../daemon/engine/trust/identity.js";
import type { DeadLetterReason, DeadLetterWriter } from "../../../daemon/timeline/dead-letters.js";
import { openFolderView } from "../../../daemon/timeline/disk/folder-view.js";
import { readOrderKey } from "../../../daemon/timeline/entries/entry.js";
import { isRingEntry } from "../../../daemon/timeline/entries/recorded-envelopes.js";
import { viewEntry } from "../../../daemon/timeline/entries/stored-value.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { FolderFlags } from "../shared/folder-options.js";
import { daemonFolder, withFolderErrors } from "./data-folder.js";
import { NotSelected } from "./folder-dead-letters.js";
import { type Stored, storeEntries } from "./found-dead-letters.js";

/** The dead letters made from all writes of a folder. */
export interface AllWrites {
  /** The number of new dead letters. */
  readonly kept: number;
  /** The number of unreadable pages in the folder. The entries on these pages are unknown. */
  readonly unread: number;
  /** The number of entries that only change keys or members, which are not stored. */
  readonly ofRing: number;
}

/** The dead letters made from the folder of a daemon that no peer has admitted. */
export interface Stranded extends AllWrites {
  /** Whether the folder no longer contains its first entries. */
  readonly hasPruned: boolean;
}

/**
 * Stores all writes of a folder as dead letters, if no other daemon has received any of them.
 * @param clusters  the clusters in which the dead letters will be written again
 * @throws ExitError, NotSelected; in both cases no dead letter is stored
 */
export function strandedDeadLetters(
  flags: FolderFlags,
  clusters: ReadonlySet<ByteString>,
): Promise<Stranded> {
  return withFolderErrors(async () => {
    const data = await daemonFolder(flags);
    const marks = await openFolderView(join(data, "timeline"), () => {});
    const wasCompared = admittedIn(marks) === "compared";
    const cluster = recordedCluster(marks);
    const hasPruned = marks.readMark("pruned") !== null;
    marks.close();
    if (wasCompared)
      throw new NotSelected(
        "Nothing was written: this folder's daemon has exchanged its writes with other daemons, so they are not stranded. " +
          "If it was evicted, find the writes that no member has: dbsync dead-letters find.",
      );
    // The daemons may have its writes: a restored backup, for example, contains no record of an admission.
    if (cluster !== null && clusters.has(cluster))
      throw new NotSelected(
        "Nothing was written: this folder belongs to the same cluster as the daemons in -s, which may have its writes already. " +
          "Start a daemon with this folder, and with the cluster's --cluster-secret: it sends them the writes that they do not have.",
      );

    const writer = new DeadLetterStore(data, Number.POSITIVE_INFINITY).open(Date.now());
    return { ...(await storeWrites(data, "stranded", writer)), hasPruned };
  });
}

/**
 * Stores all writes of a folder as dead letters, except commands that change keys or members.
 * @param beforeSettled  called when the dead letters are on the disk, before they are valid
 * @throws Error  as `storeEntries`
 */
export async function storeWrites(
  data: string,
  reason: DeadLetterReason,
  writer: DeadLetterWriter,
  beforeSettled: () => void = () => {},
): Promise<AllWrites> {
  let ofRing = 0;
  const choose = async (batch: readonly Stored[]) =>
    batch.map(([orderKey, value]) => {
      const entry = viewEntry(readOrderKey(orderKey), value, hashOf);
      // A damaged entry is stored too, so that `write-again` reports it.
      if (entry === null || !isRingEntry(entry.envelope)) return reason;
      ofRing++;
      return null;
    });
  return { ...(await storeEntries(data, choose, writer, beforeSettled)), ofRing };
}
