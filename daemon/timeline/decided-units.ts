/** The decisions in the timeline: which units are decided. The members decide in daemon/cluster/peers/decisions. */
import type { ByteString } from "../../protocol/byte-string.js";
import { isDecision, unitIdOf } from "../../protocol/version-2/decision-body.js";
import {
  type Entry,
  firstOrderKeyBytes,
  type OrderKey,
  orderKeyOf,
  readOrderKey,
  type SignedBytes,
} from "./entries/entry.js";
import { readValue } from "./entries/stored-value.js";
import type { TimelineParts } from "./timeline-environment.js";

/**
 * Milliseconds for which a decided unit is remembered after the end of the window of its date. After this time, no
 * member proposes it again.
 */
const REMEMBERED_MS = 60_000;

/** The number of decided units that are remembered for any time, for reads that name one of them in `after`. */
const REMEMBERED_UNITS_MIN = 10_000;

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
  /** The number of decided units that have become part of the state, or were found in it, since the start. */
  unitsDecided = 0;
  /** Called when entries are part of the state, before `onFolded` is called with the decisions among them. */
  onRecorded: (entries: readonly Entry[]) => void = () => {};
  /** Called when decisions are part of the state. */
  onFolded: (entries: readonly Entry[]) => void = () => {};
  readonly #parts: TimelineParts;
  /** Decided units by the id of the client's envelope, in the order in which they became part of the state. */
  readonly #units = new Map<ByteString, DecidedUnit>();

  constructor(parts: TimelineParts) {
    this.#parts = parts;
  }

  /** Returns the position of the decision on a unit, or null if it is not known. @param unit  the envelope's id */
  find(unit: ByteString): OrderKey | null {
    return this.#units.get(unit)?.orderKey ?? null;
  }

  /**
   * Records the decisions among entries that have become part of the state.
   * @returns the decided units, by the ids of the clients' envelopes, which reads name in `after`
   */
  recordDecisions(entries: readonly Entry[]): readonly { readonly id: ByteString }[] {
    this.onRecorded(entries);
    const decisions = entries.filter(({ envelope }) => envelope.decided !== null);
    if (decisions.length === 0) return [];
    const units = decisions.flatMap((entry) => this.#recordDecision(entry) ?? []);
    this.#forget();
    this.onFolded(decisions);
    return units;
  }

  /**
   * Reads the stored decisions from a date on, in order. Yields those of a few entries at a time, so that the caller
   * can continue in a later turn. Entries may be stored in the meantime.
   */
  *readStoredDecisions(from: number): Generator<readonly StoredDecision[], void, undefined> {
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
        const body = Buffer.from(parts.body);
        const signature = Buffer.from(parts.signature);
        found.push({ orderKey: readOrderKey(orderKey), body, signature });
      }
      yield found;
    }
  }

  /** The date from which decided units have to be remembered. */
  get rememberedFrom(): number {
    const { clock, window } = this.#parts;
    return clock() - window.past - window.future - REMEMBERED_MS;
  }

  #recordDecision(entry: Entry): { readonly id: ByteString } | null {
    const id = unitIdOf(entry, this.#parts.hash);
    const signed = entry.envelope.decided?.signed;
    if (id === null || signed == null) return null;
    if (!this.#units.has(id)) this.unitsDecided += entry.envelope.decided?.outcomes.length ?? 0;
    this.#units.set(id, { orderKey: orderKeyOf(entry), signedAt: signed.at });
    return { id };
  }

  #forget(): void {
    const { rememberedFrom } = this;
    for (const [id, { signedAt }] of this.#units) {
      if (signedAt >= rememberedFrom || this.#units.size <= REMEMBERED_UNITS_MIN) return;
      this.#units.delete(id);
    }
  }
}
