/**
 * Dead letters on a simulated disk. They are undecided until the timeline's mark names them. If a crash comes before
 * that, the daemon decides at its next start.
 */

import type { OpenDeadLetters } from "../../../daemon/timeline/dead-letters.js";
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { shortId } from "../cast.js";
import type { Disk } from "../disk.js";
import type { Ledger } from "../ledger.js";
import type { Host, World } from "../world.js";

const CLOSING_MS_MAX = 20;

/** Opens the dead letters as a daemon does at its start. */
export function openDeadLettersOf(
  { disk, processor }: Host,
  { scheduler, random }: World,
  { isAlive }: { isAlive: () => boolean },
): OpenDeadLetters {
  const decided = disk.marks.get("letters")?.toString();
  for (const [name, orderKeys] of disk.undecided) if (name === decided) keep(disk, orderKeys);
  disk.undecided.clear();

  return (cutAt) => {
    const name = `${cutAt} ${scheduler.time}`;
    const orderKeys = new Set<ByteString>();
    return {
      store: (orderKey) => {
        if (disk.isFull) throw new Error("ENOSPC: no space left on device");
        orderKeys.add(bytesOf(orderKey));
      },
      commit: () =>
        new Promise((resolve) => {
          scheduler.after(random.below(CLOSING_MS_MAX), processor, () => {
            if (!isAlive()) return;
            scheduler.settles = true;
            if (orderKeys.size > 0) disk.undecided.set(name, orderKeys);
            resolve(orderKeys.size === 0 ? null : ["letters", Buffer.from(name)]);
          });
        }),
      settle: () => {
        if (!isAlive() || !disk.undecided.delete(name)) return;
        keep(disk, orderKeys);
      },
      discard: () => void (isAlive() && disk.undecided.delete(name)),
      get figures() {
        return { file: orderKeys.size === 0 ? null : name, stored: orderKeys.size, notStored: 0 };
      },
    };
  };
}

function keep(disk: Disk, orderKeys: ReadonlySet<ByteString>): void {
  for (const orderKey of orderKeys) disk.deadLetters.add(orderKey);
}

/** Records that entries missing from a member's snapshot must become dead letters before the snapshot is accepted. */
export function requireDeadLetters(
  { name, disk }: Host,
  dropped: readonly ByteString[],
  ledger: Ledger,
): void {
  for (const orderKey of dropped) {
    if (!disk.entries.has(orderKey) || disk.rotten.has(orderKey)) continue;
    disk.requiredDeadLetters.add(orderKey);
    if (![...disk.undecided.values()].some((orderKeys) => orderKeys.has(orderKey)))
      ledger.violate(`${name} drops ${shortId(orderKey.slice(10))} and stores no dead letter of it`);
  }
}

/** Returns the order keys that are missing from a host's dead letters and from its timeline. */
export const missingDeadLetters = ({ disk }: Host): readonly ByteString[] =>
  [...disk.requiredDeadLetters].filter(
    (orderKey) => !disk.deadLetters.has(orderKey) && !disk.holds(orderKey),
  );
