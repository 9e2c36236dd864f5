/**
 * Dead letters on a simulated disk. They are undecided until the timeline's mark names them. If a crash comes before
 * that, the daemon decides at its next start.
 */

import type { DeadLetterToStore, OpenDeadLetters } from "../../../daemon/timeline/dead-letters.js";
import { type Entry, orderKeyOf, writeOrderKey } from "../../../daemon/timeline/entries/entry.js";
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { unitId } from "../../../protocol/version-2/unit-names.js";
import { shortId } from "../cast.js";
import type { Disk, SimulatedLetters } from "../disk.js";
import type { Ledger } from "../ledger.js";
import { type NaiveState, UNDECIDED } from "../naive-fold.js";
import type { Host, World } from "../world.js";

const CLOSING_MS_MAX = 20;

/** Opens the dead letters as a daemon does at its start. */
export function openDeadLettersOf(
  { disk, processor }: Host,
  { scheduler, random }: World,
  { isAlive }: { isAlive: () => boolean },
): OpenDeadLetters {
  const decided = disk.marks.get("letters")?.toString();
  for (const [name, letters] of disk.undecided) if (name === decided) keep(disk, letters);
  disk.undecided.clear();
  return (cutAt) => {
    const name = `${cutAt} ${scheduler.time}`;
    const letters = new Map<ByteString, DeadLetterToStore["units"]>();
    return {
      store: (orderKey, _value, _reason, units = null) => {
        if (disk.isFull) throw new Error("ENOSPC: no space left on device");
        letters.set(bytesOf(orderKey), units);
      },
      commit: () =>
        new Promise((resolve) => {
          scheduler.after(random.below(CLOSING_MS_MAX), processor, () => {
            if (!isAlive()) return;
            scheduler.settles = true;
            if (letters.size > 0) disk.undecided.set(name, letters);
            resolve(letters.size === 0 ? null : ["letters", Buffer.from(name)]);
          });
        }),
      settle: () => {
        if (!isAlive() || !disk.undecided.delete(name)) return;
        keep(disk, letters);
      },
      discard: () => void (isAlive() && disk.undecided.delete(name)),
      get figures() {
        return { file: letters.size === 0 ? null : name, stored: letters.size, notStored: 0 };
      },
    };
  };
}

function keep(disk: Disk, letters: SimulatedLetters): void {
  for (const [orderKey, units] of letters) disk.deadLetters.set(orderKey, units);
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
    if (![...disk.undecided.values()].some((letters) => letters.has(orderKey)))
      ledger.violate(`${name} drops ${shortId(orderKey.slice(10))} and stores no dead letter of it`);
  }
}

/** Returns the order keys that are missing from a host's dead letters and from its timeline. */
export const missingDeadLetters = ({ disk }: Host): readonly ByteString[] =>
  [...disk.requiredDeadLetters].filter(
    (orderKey) => !disk.deadLetters.has(orderKey) && !disk.holds(orderKey),
  );

/** Returns the date up to which a host has stored void writes as dead letters. */
const voidsTo = ({ marks }: Disk): number => Number(marks.get("void")?.readBigUInt64BE() ?? -1);

/** Notes up to which date a new member has left void writes to the other ones. */
export function noteVoidsFrom(disk: Disk): void {
  if (disk.marks.has("void")) disk.voidsFrom = Math.min(disk.voidsFrom, voidsTo(disk));
}

/** Returns the void units of the final state that are no dead letters, and dead letters of other units. */
export function wrongVoidLetters(
  { honest, settings }: Pick<World, "honest" | "settings">,
  entries: readonly Entry[],
  { units }: Pick<NaiveState, "units">,
): string[] {
  if (!settings.lists) return [];
  return entries.flatMap((entry) => {
    const { id, envelope } = entry;
    const orderKey = bytesOf(writeOrderKey(orderKeyOf(entry)));
    const indexes = envelope.commands.map((_, index) => index);
    const voids = indexes.filter((index) => units.get(unitId(id, index))?.reply === UNDECIDED);

    return honest.flatMap(({ name, disk }) => {
      const stored = disk.deadLetters.get(orderKey);
      const isExpected = voids.length > 0 && envelope.at > disk.voidsFrom && envelope.at <= voidsTo(disk);
      if (stored === undefined)
        return isExpected ? [`${name} has no dead letter of the void ${shortId(id)}`] : [];
      if (stored === null || stored.join() === voids.join()) return [];
      return [`${name} has a dead letter of the units ${stored} of ${shortId(id)}, instead of ${voids}`];
    });
  });
}

/** Returns the number of dead letters of void writes on all hosts. */
export const voidLettersOf = ({ honest }: Pick<World, "honest">): number =>
  honest.reduce(
    (sum, { disk }) => sum + [...disk.deadLetters.values()].filter((units) => units !== null).length,
    0,
  );
