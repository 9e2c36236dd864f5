/** Makes one snapshot from the timeline on disk, in a thread. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { hashOf } from "../../engine/trust/identity.js";
import { KeyRing } from "../../store/key-ring.js";
import type { Role } from "../../store/rights/key-record.js";
import { openReader } from "../../timeline/disk/lmdb-reader.js";
import { makeSnapshot } from "../../timeline/snapshots/make-snapshot.js";
import { SnapshotFiles } from "../../timeline/snapshots/snapshot-stores.js";

/** The task of the thread. */
export interface SnapshotTask {
  /** The data folder. */
  readonly data: string;
  /** The folder of the snapshots. */
  readonly folder: string;
  /** The older snapshot to begin with, or null to start from the beginning. */
  readonly from: number | null;
  readonly to: number;
  readonly databases: number;
  /** The keys that the daemon was started with. */
  readonly genesis: readonly { readonly role: Role; readonly spki: ByteString; readonly label: ByteString }[];
}

/** Runs the task, in the thread. */
export async function runSnapshotTask(task: SnapshotTask): Promise<void> {
  const { data, folder, from, to, databases, genesis } = task;
  const storage = openReader(data);
  try {
    makeSnapshot({
      storage,
      from,
      to,
      databases,
      snapshots: new SnapshotFiles(folder, { sweeps: false }),
      hash: hashOf,
      genesis: () => {
        const ring = new KeyRing({ hash: (bytes) => hashOf(Buffer.from(bytes, "latin1")) });
        for (const { role, spki, label } of genesis) ring.addGenesis(role, spki, label);
        return ring;
      },
    });
  } finally {
    await storage.close();
  }
}
