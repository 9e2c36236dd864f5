/** Reads the newest state in a folder, for the start of the daemon and for the thread that makes the next snapshot. */

import { StartError } from "../../daemon/net/process/service.js";
import type { KeyRing } from "../../daemon/store/key-ring.js";
import type { TimelineLogger } from "../../daemon/timeline/entries/timeline-logger.js";
import type { SnapshotFiles } from "../../daemon/timeline/snapshots/snapshot-stores.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { readOrderSnapshot } from "./order-snapshot.js";
import { emptyStreamState, type StreamState } from "./ordered-state.js";

/** The state from which a daemon continues at startup. */
export interface Loaded {
  readonly state: StreamState;
  /** When the stream of this state was created, or null if the state comes from no stream. */
  readonly created: string | null;
}

/** @param files  the snapshots, or null if there are none. @throws StartError  they were made with other keys */
export function newestIn(
  files: SnapshotFiles | null,
  parts: {
    readonly makeRing: () => KeyRing;
    readonly cluster: ByteString;
    readonly databases: number;
    readonly log: TimelineLogger;
  },
): Loaded {
  const { makeRing: genesis, cluster, databases, log } = parts;
  for (const seq of files?.list().toReversed() ?? []) {
    try {
      return readOrderSnapshot(files?.read(seq) ?? [], { genesis, databases, cluster });
    } catch (problem) {
      if (problem instanceof StartError) throw problem;
      log.warn(
        { seq, reason: (problem as Error).message },
        "a snapshot cannot be read: an older one is used",
      );
    }
  }
  return { state: emptyStreamState(genesis(), databases), created: null };
}
