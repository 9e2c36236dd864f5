/**
 * Removes entries that were found damaged here and of which no member has a copy. The other members continue without
 * these entries. Their remains are removed, because they would prevent every further snapshot, and each start would
 * find them again. If the state includes such an entry, the state is folded again without the entry. Each entry is
 * logged. Two kinds of entries are never removed, because they could not be restored: entries that a later version can
 * read, and entries whose bytes could not be copied.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { inTurns, type Steps } from "../../protocol/steps.js";
import { dateText, hexOf } from "../../protocol/version-2/envelope.js";
import { type OrderKey, writeOrderKey } from "./entries/entry.js";
import type { Mark } from "./entries/storage.js";
import { isUnreadable } from "./entries/stored-value.js";
import type { LateMerges } from "./late-merges.js";
import type { ServingFold } from "./serving-fold.js";
import { type DamagedEntryStore, LaterSteps, type TimelineParts } from "./timeline-environment.js";

/**
 * The outcome for an entry's remains. They stay if only another version can read them or if they could not be copied;
 * otherwise they are removed.
 */
type Outcome =
  | { readonly stays: "intact" | "uncopied" }
  | { readonly stays: null; readonly copy: string | null };

export class DamagedEntries {
  readonly #parts: TimelineParts;
  readonly #folding: ServingFold;
  readonly #late: LateMerges;
  /** The ids of entries whose remains were logged as staying on disk, with the reasons. */
  #staying: ReadonlyMap<ByteString, "intact" | "uncopied"> = new Map();
  #isDropping = false;
  readonly #later: LaterSteps;

  constructor(parts: TimelineParts, folding: ServingFold, late: LateMerges) {
    this.#later = new LaterSteps(parts.soon);
    this.#parts = { ...parts, soon: this.#later.soon };
    this.#folding = folding;
    this.#late = late;
  }

  /** Stops without finishing. The next start finds the entries that were not removed. */
  stop(): void {
    this.#later.stop();
  }

  /**
   * The date of the last damaged entry in milliseconds since 1970, or null if there are none. Damaged entries that are
   * dated ahead of the clock do not count until their date.
   */
  get lastAt(): number | null {
    return this.#folding.entryStore.lastDamagedUpTo(this.#parts.clock());
  }

  /**
   * Removes the damaged entries that may be removed, and their effects on the state. If it is too early to remove an
   * entry, the caller has to call again later.
   */
  drop(): void {
    const orderKeys = this.#removable();
    if (this.#isDropping || orderKeys.length === 0) return;
    this.#isDropping = true;
    const { log } = this.#parts;
    this.#drop(orderKeys)
      // The disk may be readable later; nothing has been removed.
      .catch((problem: Error) => log.warn({ reason: problem.message }, NOT_READ))
      .finally(() => void (this.#isDropping = false));
  }

  /**
   * Returns the damaged entries that can be removed now. Returns none while any entry with an earlier or equal date
   * waits in memory to be folded: a damaged entry that also waits there would still be folded after its removal from
   * disk.
   */
  #removable(): readonly OrderKey[] {
    const { entryStore, waiting, isServing } = this.#folding;
    const orderKeys = entryStore.damagedUpTo(this.#parts.clock());
    const last = orderKeys.at(-1);
    return last !== undefined && isServing && waiting.hasNoneUpTo(last.at) ? orderKeys : [];
  }

  async #drop(orderKeys: readonly OrderKey[]): Promise<void> {
    const store = this.#parts.openDamagedEntries?.() ?? null;
    const outcomes = await inTurns(this.#copyAll(orderKeys, store), this.#parts);
    const isKept = await isSynced(store);
    if (this.#later.isStopped) return;

    // In the meantime members may have sent some of the entries again, or the daemon may have begun a refold.
    const removable = this.#removable().filter(({ id }) => outcomes.has(id));
    if (removable.length === 0) return;

    const staying = new Map<ByteString, "intact" | "uncopied">();
    for (const orderKey of removable) {
      const outcome = outcomes.get(orderKey.id) as Outcome;
      const stays = outcome.stays === null && outcome.copy !== null && !isKept ? "uncopied" : outcome.stays;
      if (stays !== null) staying.set(orderKey.id, stays);
      this.#report(orderKey, stays === null ? outcome : { stays });
    }

    this.#staying = staying;
    this.#remove(removable);
  }

  /** Copies the remains of the entries as far as possible. */
  *#copyAll(
    orderKeys: readonly OrderKey[],
    store: DamagedEntryStore | null,
  ): Steps<Map<ByteString, Outcome>> {
    const outcomes = new Map<ByteString, Outcome>();
    for (const orderKey of orderKeys) {
      outcomes.set(orderKey.id, this.#outcomeOf(orderKey, store));
      yield;
    }
    return outcomes;
  }

  #outcomeOf(orderKey: OrderKey, store: DamagedEntryStore | null): Outcome {
    const { storage, hash } = this.#parts;
    const stayed = this.#staying.get(orderKey.id);
    // An earlier call has read the entry, and its bytes have not changed since then.
    if (stayed === "intact") return { stays: "intact" };
    const value = storage.get(writeOrderKey(orderKey));
    if (value === null) return { stays: null, copy: null };
    if (stayed === undefined && isUnreadable(orderKey, value, hash)) return { stays: "intact" };
    const copy = store?.store(orderKey, value) ?? null;
    return copy === null && store !== null ? { stays: "uncopied" } : { stays: null, copy };
  }

  /** Logs the outcome of one entry, once. */
  #report({ at, id }: OrderKey, outcome: Outcome): void {
    const { log } = this.#parts;
    const { entryStore } = this.#folding;
    const facts = { at: dateText(at), id: hexOf(id) };
    if (outcome.stays === null) {
      const details = { ...facts, ...(outcome.copy === null ? {} : { copy: outcome.copy }) };
      log.error(details, entryStore.isFolded(id) ? LOST : LOST_BEFORE);
    } else if (!this.#staying.has(id)) log.error(facts, outcome.stays === "intact" ? UNREADABLE : NO_COPY);
  }

  /** Removes the remains that need not stay. */
  #remove(orderKeys: readonly OrderKey[]): void {
    const { entryStore } = this.#folding;
    const [first] = orderKeys.filter(({ id }) => !this.#staying.has(id) || entryStore.isFolded(id));
    if (first === undefined) return;
    // Snapshots that contain any of these entries are no longer valid.
    const removed = orderKeys.filter(({ id }) => !this.#staying.has(id));
    void this.#removeAll(removed, entryStore.making?.invalidateFrom(first.at) ?? null);
  }

  async #removeAll(removed: readonly OrderKey[], mark: Mark | null): Promise<void> {
    try {
      await this.#folding.entryStore.removeDamaged(removed, mark);
    } catch {
      // A disk failure is reported elsewhere.
      return;
    }
    this.#removed(removed);
  }

  /**
   * Drops the entries from the entry store. Starts a refold if the current state, or the state of a refold that began
   * in the meantime, includes any of these entries.
   */
  #removed(orderKeys: readonly OrderKey[]): void {
    const { entryStore, isServing } = this.#folding;
    if (!isServing) return;
    const isInState = [...this.#staying.keys()].some((id) => entryStore.isFolded(id));
    if (entryStore.forgetDamaged(orderKeys) || isInState) this.#late.refoldAll();
  }
}

async function isSynced(store: DamagedEntryStore | null): Promise<boolean> {
  try {
    await store?.synced();
    return true;
  } catch {
    return false;
  }
}

const NOT_READ = "the remains of damaged entries cannot be read now; they stay, and the daemon tries again";
const WRITE_AGAIN = "Its remains are removed. Its signer can check the data and write again";
const LOST =
  "an entry of the timeline is damaged, and no member has a copy: its effect is removed from the state, because most daemons do not " +
  `have it. ${WRITE_AGAIN}`;
const LOST_BEFORE = `an entry of the timeline is damaged, and no member has a copy: its effect is not in the state. ${WRITE_AGAIN}`;
const REMAINS = "Its bytes stay on the disk, it is not in the state, and no snapshot can include it";
const UNREADABLE = `an entry of the timeline is intact, but this version cannot read it; perhaps a later one wrote it. ${REMAINS}: start that version again`;
const NO_COPY =
  "an entry of the timeline is damaged, and no member has a copy; its remains could not be copied. " +
  `${REMAINS}: free space on the disk, and move the files in replaced/damaged elsewhere; the daemon tries again`;
