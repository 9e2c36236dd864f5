/** How a daemon makes snapshots: of a data folder in a thread of their own, of a timeline in memory in slices. */
import { Worker } from "node:worker_threads";
import { snapshotFolder } from "../../engine/trust/data-folder.js";
import { hashOf } from "../../engine/trust/identity.js";
import type { KeyRing } from "../../store/key-ring.js";
import type { Storage } from "../../timeline/entries/storage.js";
import { makeSnapshotInTurns } from "../../timeline/snapshots/make-snapshot.js";
import { MemorySnapshots } from "../../timeline/snapshots/memory-snapshots.js";
import { SnapshotFiles } from "../../timeline/snapshots/snapshot-files.js";
import type { SnapshotParts } from "../../timeline/snapshots/snapshot-making.js";
import type { SnapshotTask } from "./snapshot-worker.js";

export interface SnapshotsParts {
  /** The data folder; null: the timeline is in memory. */
  readonly data: string | null;
  readonly storage: Storage;
  readonly genesis: () => KeyRing;
  readonly databases: number;
  /** Milliseconds for which entries are kept. */
  readonly retainMs: number;
  /** Entries after which the next one is made. */
  readonly every: number;
  readonly uptime: () => number;
  readonly soon: (step: () => void) => void;
}

/** Of what is free, a member's may take so much: what is made of it has to have room as well. */
const SHARE_OF_MEMORY = 0.5;

export function snapshotParts({ data, ...parts }: SnapshotsParts): SnapshotParts {
  const { storage, genesis, databases, retainMs, every } = parts;
  if (data === null) {
    const snapshots = new MemorySnapshots(() => SHARE_OF_MEMORY * process.availableMemory());
    const make = (from: number | null, to: number) =>
      makeSnapshotInTurns({ storage, snapshots, from, to, databases, genesis, hash: hashOf }, parts);
    return { snapshots, make, retainMs, every };
  }
  const folder = snapshotFolder(data);
  const keys = [...genesis().all()].map(({ role, spki, label }) => ({ role, spki, label }));
  return {
    snapshots: new SnapshotFiles(folder),
    retainMs,
    every,
    make: (from, to) => runWorker({ data, folder, from, to, databases, genesis: keys }),
  };
}

function runWorker(task: SnapshotTask): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = new Worker(new URL("./snapshot-worker.js", import.meta.url), { workerData: task });
    worker.once("error", reject);
    worker.once("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`the thread that makes it ended with ${code}`));
    });
  });
}
