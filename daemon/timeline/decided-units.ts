/**
 * The decisions of the timeline: which units are decided, and what this daemon has promised and voted. The members
 * decide in daemon/cluster/peers/decisions.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { isDecision, unitIdOf } from "../../protocol/version-2/decision-body.js";
import { signedBytes } from "../../protocol/version-2/envelope.js";
import {
  type Entry,
  firstOrderKeyBytes,
  type OrderKey,
  orderKeyOf,
  readOrderKey,
  type SignedBytes,
} from "./entries/entry.js";
import { readPromisesMark, writePromisesMark } from "./entries/stored-promises.js";
import { readValue } from "./entries/stored-value.js";
import type { TimelineParts } from "./timeline-environment.js";

/**
 * Milliseconds for which a decided unit is known after the end of the window of its date. After this time, no member
 * proposes it again.
 */
const KNOWN_MS = 60_000;

/** The number of decided units that are known longer, for reads that name one of them in `after`. */
const KNOWN_LONGER = 10_000;

/** The number of entries to read between two turns of the event loop. */
const ENTRIES_PER_STEP = 64;

interface StoredDecision extends SignedBytes {
  readonly orderKey: OrderKey;
}

interface DecidedUnit {
  readonly orderKey: OrderKey;
  /** The date that the client has signed. */
  readonly signedAt: number;
}

export class DecidedUnits {
  /**
   * The date of a decision that may have been made, although it is not part of the state. Nothing from this date on may
   * become final.
   */
  openDate = Number.POSITIVE_INFINITY;
  /** The number of decided units that have become part of the state, or were found in it, since the start. */
  count = 0;
  /** Called when entries are part of the state, before `folded` is called with the decisions among them. */
  recorded: (entries: readonly Entry[]) => void = () => {};
  /** Called when decisions are part of the state. */
  folded: (entries: readonly Entry[]) => void = () => {};
  /** The positions of the decisions for which this daemon had voted last before it was started. */
  readonly storedVote: readonly OrderKey[];
  readonly #parts: TimelineParts;
  /** Whether promises may have been lost. */
  #isIncomplete: boolean;
  /** Decided units by the id of the client's envelope, in the order in which they became part of the state. */
  readonly #units = new Map<ByteString, DecidedUnit>();

  constructor(parts: TimelineParts) {
    this.#parts = parts;
    const { storage } = parts;
    const stored = storage.mark("decisions");
    const mark = stored === null ? null : readPromisesMark(stored);
    if (stored !== null && mark === null) parts.log.error({}, DAMAGED);
    const isLost = stored !== null && mark?.isComplete !== true;
    this.#isIncomplete = isLost || storage.mayHaveForgotten;
    // The next start must know it, too.
    if (storage.mayHaveForgotten)
      storage.put([], [["decisions", writePromisesMark(mark?.promises ?? null, false)]]);
    this.storedVote = (mark?.accepted ?? []).map((decision) => this.#positionOf(decision));
    this.openDate = this.storedVote[0]?.at ?? Number.POSITIVE_INFINITY;
  }

  #positionOf({ at, seq, body }: { at: number; seq: number; body: Buffer }): OrderKey {
    return { at, seq, id: this.#parts.hash(signedBytes(body)) };
  }

  /** What this daemon has promised and voted, as it was stored; null if it was lost. */
  get promises(): Buffer | null {
    const stored = this.#isIncomplete ? null : this.#parts.storage.mark("decisions");
    return stored === null ? null : (readPromisesMark(stored)?.promises ?? null);
  }

  /**
   * @param stored  called when the promises are on the disk; not called after a failure, which is reported elsewhere
   */
  storePromises(promises: Buffer, stored: () => void): void {
    const { storage } = this.#parts;
    this.#isIncomplete = false;
    storage.put([], [["decisions", writePromisesMark(promises)]]);
    // Other members, and clients, wait for it.
    storage.flushNow();
    storage.synced().then(stored, () => {});
  }

  /** Returns the position of the decision on a unit, or null if it is not known. @param unit  the envelope's id */
  find(unit: ByteString): OrderKey | null {
    return this.#units.get(unit)?.orderKey ?? null;
  }

  /**
   * Records the decisions among entries that have become part of the state.
   * @returns the decided units, by the ids of the clients' envelopes, which reads name in `after`
   */
  note(entries: readonly Entry[]): readonly { readonly id: ByteString }[] {
    this.recorded(entries);
    const decisions = entries.filter(({ envelope }) => envelope.decided !== null);
    if (decisions.length === 0) return decisions;
    const units = decisions.flatMap((entry) => this.#note(entry) ?? []);
    this.#forget();
    this.folded(decisions);
    return units;
  }

  /**
   * Finds the stored decisions from a date on, in order. Yields those of a few entries at a time, so that the caller
   * can continue in a later turn. Entries may be stored in the meantime.
   */
  *stored(from: number): Generator<readonly StoredDecision[], void, undefined> {
    let next: Buffer | null = firstOrderKeyBytes(from);
    while (next !== null) {
      const first: Buffer = next;
      next = null;
      const found: StoredDecision[] = [];
      let count = 0;
      for (const [orderKey, value] of this.#parts.storage.entries(first, null)) {
        if (count++ === ENTRIES_PER_STEP) {
          next = Buffer.from(orderKey);
          break;
        }

        const parts = readValue(value);
        if (parts === null || !isDecision(parts.body)) continue;
        const [body, signature] = [Buffer.from(parts.body), Buffer.from(parts.signature)];
        found.push({ orderKey: readOrderKey(orderKey), body, signature });
      }
      yield found;
    }
  }

  /** The date from which decided units have to be known. */
  get knownFrom(): number {
    const { clock, window } = this.#parts;
    return clock() - window.past - window.future - KNOWN_MS;
  }

  #note(entry: Entry): { readonly id: ByteString } | null {
    const id = unitIdOf(entry, this.#parts.hash);
    const signed = entry.envelope.decided?.signed;
    if (id === null || signed == null) return null;
    if (!this.#units.has(id)) this.count += entry.envelope.decided?.outcomes.length ?? 0;
    this.#units.set(id, { orderKey: orderKeyOf(entry), signedAt: signed.at });
    return { id };
  }

  #forget(): void {
    const { knownFrom } = this;
    for (const [id, { signedAt }] of this.#units) {
      if (signedAt >= knownFrom || this.#units.size <= KNOWN_LONGER) return;
      this.#units.delete(id);
    }
  }
}

const DAMAGED =
  "the stored promises for decisions are damaged: this daemon does not vote until all other members of the list have " +
  "answered what it may have promised";
