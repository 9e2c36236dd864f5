/**
 * Entries that were found damaged here, and that nobody gives anew. The others go on without them, so what is left of them is removed:
 * no snapshot could be made of it, and a start would find it again. Where the state has them it is folded anew without. Each is told.
 * Nothing is removed that nobody could restore: what only a later version can read, and that of which no copy could be kept.
 */
import type { ByteString } from "../protocol/byte-string.js";
import { dateText, hexOf } from "../protocol/version-2/envelope.js";
import type { Archive } from "./archive.js";
import { type Place, writePlace } from "./entries/entry.js";
import type { Storage } from "./entries/storage.js";
import { isUnreadable } from "./entries/stored-value.js";
import type { TimelineLog } from "./entries/timeline-log.js";
import type { SnapshotMaking } from "./snapshots/snapshot-making.js";
import type { Waiting } from "./waiting.js";

/** Keeps what is left of a damaged entry, for whoever can read more in it. @returns where; null: there is no room for it */
export type KeepDamaged = (place: Place, value: Buffer) => string | null;

/** Looks once what is kept already, and counts on from there: for as many as are let go of at once. */
export type BeginKeeping = () => KeepDamaged;

export interface DamagedEntriesParts {
  readonly archive: Pick<
    Archive,
    "damagedUpTo" | "lastDamagedUpTo" | "removeDamaged" | "forgetDamaged" | "isFolded"
  >;
  readonly making: Pick<SnapshotMaking, "outdated"> | null;
  readonly storage: Pick<Storage, "get">;
  readonly hash: (bytes: Buffer) => ByteString;
  /** null: there is no disk to keep anything on. */
  readonly keepDamaged: BeginKeeping | null;
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
  /** Ids of those that were told to stay on the disk. */
  #staying: ReadonlySet<ByteString> = new Set();

  constructor(parts: DamagedEntriesParts) {
    this.#parts = parts;
  }

  /** Date of the last one; those dated ahead wait for their time. Milliseconds since 1970; null: there are none. */
  get lastAt(): number | null {
    return this.#parts.archive.lastDamagedUpTo(this.#parts.clock());
  }

  /**
   * Nobody has them: what is left of them goes, as far as it may, and the effect of them all. Where it is not time for that it is
   * to be asked for again.
   */
  letGo(): void {
    const { archive, making, keepDamaged, waiting, clock, isServing } = this.#parts;
    const places = archive.damagedUpTo(clock());
    const last = places.at(-1);
    // What waits in memory would be folded later, though the disk has it no more.
    if (last === undefined || !isServing() || !waiting.isPast(last.at)) return;
    const keep = keepDamaged?.() ?? null;
    const staying = new Set(places.filter((place) => this.#stays(place, keep)).map(({ id }) => id));
    this.#staying = staying;
    const [first] = places.filter(({ id }) => !staying.has(id) || archive.isFolded(id));
    if (first === undefined) return;
    // Snapshots that were made of one hold no more.
    const gone = places.filter(({ id }) => !staying.has(id));
    const removed = archive.removeDamaged(gone, making?.outdated(first.at) ?? null);
    removed.then(
      () => this.#removed(gone),
      () => {},
    );
  }

  /** Tells of one what becomes of it. @returns whether its bytes are to stay where they are */
  #stays(place: Place, keep: KeepDamaged | null): boolean {
    const { archive, storage, hash, log } = this.#parts;
    const facts = { at: dateText(place.at), id: hexOf(place.id) };
    const value = storage.get(writePlace(place));
    const isIntact = value !== null && isUnreadable(place, value, hash);
    const copy = value === null || isIntact ? null : (keep?.(place, value) ?? null);
    const stays = isIntact || (value !== null && copy === null && keep !== null);
    if (!stays)
      log.error(
        { ...facts, ...(copy === null ? {} : { copy }) },
        archive.isFolded(place.id) ? LOST : LOST_BEFORE,
      );
    else if (!this.#staying.has(place.id)) log.error(facts, isIntact ? UNREADABLE : NO_COPY);
    return stays;
  }

  /** A refold that has begun meanwhile may have one in its state. */
  #removed(places: readonly Place[]): void {
    const { archive, isServing, refold } = this.#parts;
    if (!isServing()) return;
    const isInState = [...this.#staying].some((id) => archive.isFolded(id));
    if (archive.forgetDamaged(places) || isInState) refold();
  }
}

const WRITE_AGAIN = "What is left of it is removed. Its signer can look and write again";
const LOST =
  "an entry of the timeline is damaged, and no member can give it: its effect is taken out of the state, as most daemons do not " +
  `have it. ${WRITE_AGAIN}`;
const LOST_BEFORE = `an entry of the timeline is damaged, and no member can give it: its effect is not in the state. ${WRITE_AGAIN}`;
const STAYS = "What is there stays on the disk, is not in the state, and no snapshot can be made with it";
const UNREADABLE = `an entry of the timeline is whole, and this version cannot read it; was it written by a later one? ${STAYS}: start that one again`;
const NO_COPY =
  "an entry of the timeline is damaged, and no member can give it; no copy of what is left of it could be kept. " +
  `${STAYS}: see that the disk has room, and move what is in replaced/damaged elsewhere; it is tried again`;
