/**
 * Entries that were found damaged here, and that nobody gives anew. The others go on without them, so what is left of them is removed:
 * no snapshot could be made of it, and a start would find it again. Where the state has them it is folded anew without. Each is told.
 */
import { dateText, hexOf } from "../protocol/version-2/envelope.js";
import type { Archive } from "./archive.js";
import { type Place, writePlace } from "./entries/entry.js";
import type { Storage } from "./entries/storage.js";
import type { TimelineLog } from "./entries/timeline-log.js";
import type { SnapshotMaking } from "./snapshots/snapshot-making.js";
import type { Waiting } from "./waiting.js";

/** Keeps what is left of a damaged entry, for whoever can read more in it. @returns where; null: there is no room for it */
export type KeepDamaged = (place: Place, value: Buffer) => string | null;

export interface DamagedEntriesParts {
  readonly archive: Pick<
    Archive,
    "damagedUpTo" | "lastDamagedUpTo" | "removeDamaged" | "forgetDamaged" | "isFolded"
  >;
  readonly making: Pick<SnapshotMaking, "outdated"> | null;
  readonly storage: Pick<Storage, "get">;
  /** null: there is no disk to keep anything on. */
  readonly keepDamaged: KeepDamaged | null;
  readonly waiting: Pick<Waiting, "isPast">;
  /** Milliseconds since 1970; may jump. */
  readonly clock: () => number;
  readonly log: TimelineLog;
  /** Whether nothing is folded anew now. */
  readonly isServing: () => boolean;
  /** Folds anew what can be read. */
  readonly refold: () => void;
}

export class DamagedEntries {
  readonly #parts: DamagedEntriesParts;

  constructor(parts: DamagedEntriesParts) {
    this.#parts = parts;
  }

  /** Date of the last one; those dated ahead wait for their time. Milliseconds since 1970; null: there are none. */
  get lastAt(): number | null {
    return this.#parts.archive.lastDamagedUpTo(this.#parts.clock());
  }

  /** Nobody has them: what is left of them goes, and their effect. Where it is not time for that it is to be asked for again. */
  letGo(): void {
    const { archive, making, waiting, clock, isServing } = this.#parts;
    const places = archive.damagedUpTo(clock());
    const [first, last] = [places[0], places.at(-1)];
    // What waits in memory would be folded later, though the disk has it no more.
    if (first === undefined || last === undefined || !isServing() || !waiting.isPast(last.at)) return;
    for (const place of places) this.#tell(place);
    // Snapshots that were made of one hold no more.
    const removed = archive.removeDamaged(places, making?.outdated(first.at) ?? null);
    removed.then(
      () => this.#removed(places),
      () => {},
    );
  }

  #tell(place: Place): void {
    const { archive, storage, keepDamaged, log } = this.#parts;
    const value = storage.get(writePlace(place));
    const copy = value === null ? null : (keepDamaged?.(place, value) ?? null);
    const facts = { at: dateText(place.at), id: hexOf(place.id), ...(copy === null ? {} : { copy }) };
    log.error(facts, archive.isFolded(place.id) ? LOST : LOST_BEFORE);
  }

  /** A refold that has begun meanwhile may have one in its state. */
  #removed(places: readonly Place[]): void {
    const { archive, isServing, refold } = this.#parts;
    if (isServing() && archive.forgetDamaged(places)) refold();
  }
}

const WRITE_AGAIN = "What is left of it is removed. Its signer can look and write again";
const LOST =
  "an entry of the timeline is damaged, and no member can give it: its effect is taken out of the state, as most daemons do not " +
  `have it. ${WRITE_AGAIN}`;
const LOST_BEFORE = `an entry of the timeline is damaged, and no member can give it: its effect is not in the state. ${WRITE_AGAIN}`;
