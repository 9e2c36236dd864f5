/**
 * Entries that were found damaged here, and of which no member has a copy. The other members go on without them, so
 * their remains are removed: no snapshot could be made with them, and a start would find them again. If the state has
 * them, it is folded again without. Each one is logged. Two kinds are never removed, because they could not be
 * restored: those that a later version can read, and those of which no copy could be written.
 */
import type { ByteString } from "../protocol/byte-string.js";
import { inTurns, type Steps } from "../protocol/steps.js";
import { dateText, hexOf } from "../protocol/version-2/envelope.js";
import { type Place, writePlace } from "./entries/entry.js";
import { LaterSteps } from "./entries/later-steps.js";
import type { Mark } from "./entries/storage.js";
import { isUnreadable } from "./entries/stored-value.js";
import type { Folding } from "./folding.js";
import type { LateMerges } from "./late-merges.js";
import type { Keeping, TimelineParts } from "./timeline-owner.js";

/**
 * The outcome for an entry's remains: they stay, because this version alone cannot read them, or because there is no
 * copy; or they go.
 */
type Outcome =
  | { readonly stays: "whole" | "uncopied" }
  | { readonly stays: null; readonly copy: string | null };

export class DamagedEntries {
  readonly #parts: TimelineParts;
  readonly #folding: Folding;
  readonly #late: LateMerges;
  /** Ids of entries that were logged as staying on the disk, and the reasons. */
  #staying: ReadonlyMap<ByteString, "whole" | "uncopied"> = new Map();
  #isDropping = false;
  readonly #later: LaterSteps;

  constructor(parts: TimelineParts, folding: Folding, late: LateMerges) {
    this.#later = new LaterSteps(parts.soon);
    this.#parts = { ...parts, soon: this.#later.soon };
    this.#folding = folding;
    this.#late = late;
  }

  /** Stops without finishing work under way: the next start finds again what was not removed. */
  stop(): void {
    this.#later.stop();
  }

  /** Date of the last one; those dated ahead wait for their time. Milliseconds since 1970; null: there are none. */
  get lastAt(): number | null {
    return this.#folding.archive.lastDamagedUpTo(this.#parts.clock());
  }

  /**
   * Removes the entries that no member has, as far as they may be removed, and their effect. If it is too early for
   * that, the caller has to call again.
   */
  drop(): void {
    const places = this.#due();
    if (this.#isDropping || places.length === 0) return;
    this.#isDropping = true;
    const { log } = this.#parts;
    this.#drop(places)
      // A disk that cannot be read now may be later; nothing has been removed.
      .catch((problem: Error) => log.warn({ reason: problem.message }, NOT_READ))
      .finally(() => void (this.#isDropping = false));
  }

  /**
   * Returns the damaged entries that can be removed now. An entry that waits in memory would be folded later,
   * although the disk no longer has it.
   */
  #due(): readonly Place[] {
    const { archive, waiting, isServing } = this.#folding;
    const places = archive.damagedUpTo(this.#parts.clock());
    const last = places.at(-1);
    return last !== undefined && isServing && waiting.isPast(last.at) ? places : [];
  }

  async #drop(places: readonly Place[]): Promise<void> {
    const keeping = this.#parts.keepDamaged?.() ?? null;
    const outcomes = await inTurns(this.#copyAll(places, keeping), this.#parts);
    const isKept = await isSynced(keeping);
    if (this.#later.isStopped) return;
    // Some may have been received again meanwhile, and are complete; or the state is being folded again.
    const due = this.#due().filter(({ id }) => outcomes.has(id));
    if (due.length === 0) return;
    const staying = new Map<ByteString, "whole" | "uncopied">();
    for (const place of due) {
      const outcome = outcomes.get(place.id) as Outcome;
      const stays = outcome.stays === null && outcome.copy !== null && !isKept ? "uncopied" : outcome.stays;
      if (stays !== null) staying.set(place.id, stays);
      this.#report(place, stays === null ? outcome : { stays });
    }
    this.#staying = staying;
    this.#remove(due);
  }

  /** Copies what is left of them, as far as it can be. */
  *#copyAll(places: readonly Place[], keeping: Keeping | null): Steps<Map<ByteString, Outcome>> {
    const outcomes = new Map<ByteString, Outcome>();
    for (const place of places) {
      outcomes.set(place.id, this.#outcomeOf(place, keeping));
      yield;
    }
    return outcomes;
  }

  #outcomeOf(place: Place, keeping: Keeping | null): Outcome {
    const { storage, hash } = this.#parts;
    const stayed = this.#staying.get(place.id);
    // It has been read, and its bytes have not changed since.
    if (stayed === "whole") return { stays: "whole" };
    const value = storage.get(writePlace(place));
    if (value === null) return { stays: null, copy: null };
    if (stayed === undefined && isUnreadable(place, value, hash)) return { stays: "whole" };
    const copy = keeping?.keep(place, value) ?? null;
    return copy === null && keeping !== null ? { stays: "uncopied" } : { stays: null, copy };
  }

  /** Logs the outcome of one entry, once. */
  #report({ at, id }: Place, outcome: Outcome): void {
    const { log } = this.#parts;
    const { archive } = this.#folding;
    const facts = { at: dateText(at), id: hexOf(id) };
    if (outcome.stays === null) {
      const details = { ...facts, ...(outcome.copy === null ? {} : { copy: outcome.copy }) };
      log.error(details, archive.isFolded(id) ? LOST : LOST_BEFORE);
    } else if (!this.#staying.has(id)) log.error(facts, outcome.stays === "whole" ? UNREADABLE : NO_COPY);
  }

  /** Removes those that do not stay. */
  #remove(places: readonly Place[]): void {
    const { archive } = this.#folding;
    const [first] = places.filter(({ id }) => !this.#staying.has(id) || archive.isFolded(id));
    if (first === undefined) return;
    // Snapshots that contain one are no longer valid.
    const gone = places.filter(({ id }) => !this.#staying.has(id));
    void this.#removeAll(gone, archive.making?.outdated(first.at) ?? null);
  }

  async #removeAll(gone: readonly Place[], mark: Mark | null): Promise<void> {
    try {
      await this.#folding.archive.removeDamaged(gone, mark);
    } catch {
      // A failure of the disk is reported elsewhere.
      return;
    }
    this.#removed(gone);
  }

  /** A refold that has begun meanwhile may have one in its state. */
  #removed(places: readonly Place[]): void {
    const { archive, isServing } = this.#folding;
    if (!isServing) return;
    const isInState = [...this.#staying.keys()].some((id) => archive.isFolded(id));
    if (archive.forgetDamaged(places) || isInState) this.#late.refoldAll();
  }
}

async function isSynced(keeping: Keeping | null): Promise<boolean> {
  try {
    await keeping?.synced();
    return true;
  } catch {
    return false;
  }
}

const NOT_READ = "the remains of damaged entries cannot be read now; they stay, and the daemon tries again";
const WRITE_AGAIN = "Its remains are removed. Its signer can check the data and write again";
const LOST =
  "an entry of the timeline is damaged, and no member has a copy: its effect is removed from the state, as most daemons do not " +
  `have it. ${WRITE_AGAIN}`;
const LOST_BEFORE = `an entry of the timeline is damaged, and no member has a copy: its effect is not in the state. ${WRITE_AGAIN}`;
const STAYS = "Its bytes stay on the disk, it is not in the state, and no snapshot can be made with it";
const UNREADABLE = `an entry of the timeline is intact, but this version cannot read it; perhaps a later one wrote it. ${STAYS}: start that version again`;
const NO_COPY =
  "an entry of the timeline is damaged, and no member has a copy; its remains could not be copied. " +
  `${STAYS}: make room on the disk, and move the files of replaced/damaged elsewhere; the daemon tries again`;
