/** Dead letters on a simulated disk: undecided until the timeline's mark names them; a crash in between is decided at the next start. */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import type { OpenLetters } from "../../../timeline/dead-letters.js";
import { shortId } from "../cast.js";
import type { Disk } from "../disk.js";
import type { Ledger } from "../ledger.js";
import type { Host, World } from "../world.js";

const CLOSING_MS_MOST = 20;

/** As a daemon opens them at its start. */
export function openLettersOf(
  { disk, processor }: Host,
  { scheduler, random }: World,
  { isAlive }: { isAlive: () => boolean },
): OpenLetters {
  const decided = disk.marks.get("letters")?.toString();
  for (const [name, places] of disk.undecided) if (name === decided) keep(disk, places);
  disk.undecided.clear();
  return (cutAt) => {
    const name = `${cutAt} ${scheduler.time}`;
    const places = new Set<ByteString>();
    return {
      keep: (place) => {
        if (disk.isFull) throw new Error("ENOSPC: no space left on device");
        places.add(bytesOf(place));
      },
      commit: () =>
        new Promise((resolve) => {
          scheduler.after(random.below(CLOSING_MS_MOST), processor, () => {
            if (!isAlive()) return;
            scheduler.settles = true;
            if (places.size > 0) disk.undecided.set(name, places);
            resolve(places.size === 0 ? null : ["letters", Buffer.from(name)]);
          });
        }),
      settle: () => {
        if (!isAlive() || !disk.undecided.delete(name)) return;
        keep(disk, places);
      },
      discard: () => void (isAlive() && disk.undecided.delete(name)),
      get figures() {
        return { name: places.size === 0 ? null : name, kept: places.size, left: 0 };
      },
    };
  };
}

function keep(disk: Disk, places: ReadonlySet<ByteString>): void {
  for (const place of places) disk.letters.add(place);
}

/** A member's snapshot comes, which is not made of these: all that is whole on the disk has to be kept, before that. */
export function oweLetters({ name, disk }: Host, gone: readonly ByteString[], ledger: Ledger): void {
  for (const place of gone) {
    if (!disk.entries.has(place) || disk.rotten.has(place)) continue;
    disk.owedLetters.add(place);
    if (![...disk.undecided.values()].some((places) => places.has(place)))
      ledger.violate(`${name} lets ${shortId(place.slice(10))} go, and keeps no dead letter of it`);
  }
}

/** What should be among a host's dead letters, and is neither there nor in its timeline. */
export const lettersLacking = ({ disk }: Host): readonly ByteString[] =>
  [...disk.owedLetters].filter((place) => !disk.letters.has(place) && !disk.holds(place));
