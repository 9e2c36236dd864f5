/** Makes a daemon's snapshots: in a thread if it has a data folder, otherwise in slices between other work. */
import { snapshotFolder } from "../../engine/trust/data-folder.js";
import { hashOf } from "../../engine/trust/identity.js";
import { DATABASES_DEFAULT } from "../../store/database.js";
import { makeSnapshotInTurns } from "../../timeline/snapshots/make-snapshot.js";
import type { SnapshotParts } from "../../timeline/snapshots/snapshot-schedule.js";
import { MemorySnapshots, SnapshotFiles } from "../../timeline/snapshots/snapshot-stores.js";
import type { NodeState, StartThread } from "./replica-context.js";
import type { SnapshotTask } from "./snapshot-task.js";

/**
 * The share of the free memory that a member's snapshot may use. The rest is for the state that is built from the
 * snapshot.
 */
const SHARE_OF_MEMORY = 0.5;

export function snapshotParts(node: NodeState): SnapshotParts {
  const { storage, settings, signers, soon, environment, startThread } = node;
  const { data, retain: retainMs } = settings;
  const every = settings.limits.snapshotEntries;
  const genesis = signers.makeRing;
  const databases = DATABASES_DEFAULT;

  if (data === null) {
    const snapshots = new MemorySnapshots(() => SHARE_OF_MEMORY * process.availableMemory());
    const make = (from: number | null, to: number) =>
      makeSnapshotInTurns(
        { storage, snapshots, from, to, databases, genesis, hash: hashOf },
        { uptime: environment.uptime, soon },
      );
    return { snapshots, make, retainMs, every };
  }

  const folder = snapshotFolder(data);
  const keys = [...genesis().all()].map(({ role, spki, label }) => ({ role, spki, label }));
  return {
    snapshots: new SnapshotFiles(folder),
    retainMs,
    every,
    make: (from, to) => runThread(startThread, { data, folder, from, to, databases, genesis: keys }),
  };
}

/** The name of the task in `ThreadTasks`. */
export const SNAPSHOT_TASK = "snapshot";

function runThread(startThread: StartThread, task: SnapshotTask): Promise<void> {
  return new Promise((resolve, reject) => {
    const worker = startThread(SNAPSHOT_TASK, task);
    worker.once("error", reject);
    worker.once("exit", (code) => {
      if (code === 0) resolve();
      else reject(new Error(`the thread that makes the snapshot exited with ${code}`));
    });
  });
}
