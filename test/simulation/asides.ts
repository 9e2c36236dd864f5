/** The asides of a simulated daemon: where it stores the data that a member's snapshot replaces. */

import { MemoryStorage } from "../../daemon/timeline/memory-storage.js";
import type { OpenReplacedData } from "../../daemon/timeline/snapshots/replaced-data.js";
import type { Snapshots } from "../../daemon/timeline/snapshots/snapshot-stores.js";
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { double } from "../support/double.js";
import type { Disk } from "./disk.js";
import type { Host, World } from "./world.js";

const CLOSING_MS_MAX = 20;

export function openAsideOf(
  { disk, processor }: Host,
  { scheduler, random }: World,
  { isAlive }: { isAlive: () => boolean },
): OpenReplacedData {
  return async (cutAt) => {
    scheduler.settles = true;
    if (disk.isFull) throw new Error("ENOSPC: no space left on device");

    const storage = new MemoryStorage();
    const snapshots = new Set<number>();
    return {
      name: String(cutAt),
      storage,
      snapshots: double<Snapshots>({ write: (date) => void snapshots.add(date) }),
      commit: () =>
        new Promise((resolve) => {
          scheduler.after(random.below(CLOSING_MS_MAX), processor, () => {
            if (!isAlive()) return;
            const entries = new Map(
              [...storage.entries(null, null)].map(([orderKey, value]) => [
                bytesOf(orderKey),
                Buffer.from(value),
              ]),
            );
            disk.asides.push({ entries, snapshots });
            scheduler.settles = true;
            resolve();
          });
        }),
      discard: () => Promise.resolve(),
    };
  };
}

/** Returns a description of the data on a disk that its last aside does not contain, or null if there is none. */
export function notAside({ asides, entries, marks, rotten }: Disk): string | null {
  const aside = asides.at(-1);
  const pruned = marks.get("pruned");
  const isMissing = (orderKey: ByteString, value: Buffer) =>
    aside?.entries.get(orderKey)?.equals(value) !== true;
  const missing = [...entries].filter(
    ([orderKey, value]) => !rotten.has(orderKey) && isMissing(orderKey, value),
  ).length;
  if (missing > 0) return `${missing} entries`;
  if (pruned !== undefined && aside?.snapshots.has(Number(pruned.toString())) !== true)
    return `the snapshot of ${pruned}`;
  return null;
}
