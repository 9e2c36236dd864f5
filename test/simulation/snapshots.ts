/** Snapshots of a simulated daemon: on its disk, made some time after they were asked for; a crash leaves half of one. */
import { DATABASES_DEFAULT } from "../../store/database.js";
import { makeSnapshot } from "../../timeline/make-snapshot.js";
import type { SnapshotParts } from "../../timeline/snapshot-making.js";
import { ringOf, sha256 } from "./cast.js";
import type { SimulatedStorage } from "./disk.js";
import type { Host, World } from "./world.js";

const MAKING_MS_MOST = 800;

/** null: this run makes none. */
export function snapshotParts(
  host: Host,
  { scheduler, settings, genesis, random }: World,
  { storage, isAlive }: { storage: SimulatedStorage; isAlive: () => boolean },
): SnapshotParts | null {
  if (settings.snapshotEvery === 0) return null;
  const files = host.disk.snapshots;
  const snapshots: SnapshotParts["snapshots"] = {
    list: () => [...files.keys()].sort((a, b) => a - b),
    read: (date) => files.get(date) ?? null,
    write: (date, chunks) => {
      if (isAlive())
        files.set(
          date,
          [...chunks].map((chunk) => Buffer.from(chunk)),
        );
    },
    remove: (date) => {
      if (isAlive()) files.delete(date);
    },
  };
  const { snapshotEvery } = settings;
  const make = (from: number | null, to: number): Promise<void> =>
    new Promise((resolve, reject) => {
      // A worker of its own, which reads what is on disk when it gets to it.
      scheduler.after(random.below(MAKING_MS_MOST), host.processor, () => {
        if (!isAlive()) return;
        scheduler.settles = true;
        try {
          makeSnapshot({
            ...{ storage, snapshots, from, to, databases: DATABASES_DEFAULT },
            hash: sha256,
            genesis: () => ringOf(genesis),
          });
          resolve();
        } catch (problem) {
          reject(problem as Error);
        }
      });
    });
  return { snapshots, make, every: snapshotEvery };
}
