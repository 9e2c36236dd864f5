/**
 * Folds the timeline again from a snapshot or from the beginning, in slices: at startup; when an entry belongs before
 * the tail; when too many units would have to be redone in one step; and to make a snapshot.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Steps } from "../../../protocol/steps.js";
import { Database } from "../../store/database.js";
import { MissingCode } from "../../store/rows/command-families.js";
import type { DigestIndex } from "../compare/digest-index.js";
import {
  type Entry,
  firstOrderKeyBytes,
  type OrderKey,
  readOrderKey,
  writeOrderKey,
} from "../entries/entry.js";
import { isRingEntry } from "../entries/recorded-envelopes.js";
import type { EntrySource } from "../entries/storage.js";
import { copiedEntry, viewEntry } from "../entries/stored-value.js";
import { Fold, type FoldedEntry, trim, type UnitAnswer } from "../fold/fold.js";
import { hasCode } from "../fold/semantics-standstill.js";
import { type Beginning, concernsRing } from "./ring-entries.js";
import { readSnapshot } from "./snapshot.js";
import type { SnapshotSource } from "./snapshot-stores.js";

/** Entries between two readings of the clock. */
const ENTRIES_PER_STEP = 64;

export interface RefoldParts extends Beginning {
  readonly storage: EntrySource;
  /** The available snapshots, or null if there are none. */
  readonly snapshots: SnapshotSource | null;
  /** The snapshot to begin with, or null if the fold begins empty. */
  readonly from: number | null;
  /** Entries dated up to this date are folded without undo records. */
  readonly tailEnd: number;
  /**
   * The maximum bytes of undo records. If there are more, the oldest are dropped, and the fold is cut at a later date.
   */
  readonly tailBytes: number;
  /** Returns the latest possible date of that cut. Defaults to the date of the entries folded so far. */
  readonly cutTo?: () => number;
  /** The date after which entries are left out; not before `tailEnd`. */
  readonly until: number;
  /**
   * The index that receives the entries after the snapshot's date, and the snapshot's sums for the earlier entries.
   * Null if there is no index to fill.
   */
  readonly index: DigestIndex | null;
  /** Whether to leave out an entry because the caller merges it. */
  readonly skips: (id: ByteString) => boolean;
  readonly damaged: (orderKey: OrderKey) => void;
  /** Receives the fold at the beginning. */
  readonly begun?: (fold: Fold) => void;
  /** Receives the entries that concern the key ring in order, beginning with the entries in the snapshot. */
  readonly foundRing?: (entry: Entry) => void;
  /**
   * Receives each folded entry and the answers of its units. The entry's buffers are views, valid only until the next
   * entry.
   */
  readonly found: (entry: Entry, answers: readonly UnitAnswer[]) => void;
  /**
   * Whether the fold ends before the first entry whose code this build does not contain; `found` then receives the
   * remaining entries without answers. Default: the refold fails with MissingCode.
   */
  readonly endsWithoutCode?: boolean;
}

export class Refold {
  readonly #parts: RefoldParts;
  /** Folds a few entries in each step. */
  readonly steps: Steps<Fold>;
  /** Entries folded so far. */
  entries = 0;
  /** Everything before this order key is folded, or null if nothing is folded yet. */
  #next: Buffer | null = null;

  constructor(parts: RefoldParts) {
    this.#parts = parts;
    this.steps = this.#run();
  }

  /** Whether the refold has passed an order key. */
  isPast(orderKey: OrderKey): boolean {
    return this.#next !== null && writeOrderKey(orderKey).compare(this.#next) < 0;
  }

  *#run(): Steps<Fold> {
    const { until, tailEnd } = this.#parts;
    const fold = yield* this.#begin();
    this.#parts.begun?.(fold);

    const to = firstOrderKeyBytes(until + 1);
    this.#next = firstOrderKeyBytes(fold.cutAt + 1);
    for (let next: Buffer | null = this.#next; next !== null; yield) {
      next = this.#foldSome(fold, next, to);
      this.#next = next ?? to;
    }

    if (fold.cutAt < tailEnd) fold.cut(tailEnd);
    return fold;
  }

  *#begin(): Steps<Fold> {
    const { from, snapshots, genesis, databases, hash, index, foundRing } = this.#parts;
    if (from === null) {
      const ring = genesis();
      return new Fold({ database: new Database({ databases }), ring, cutAt: -1 });
    }

    const chunks = snapshots?.read(from) ?? null;
    if (chunks === null) throw new Error(`the snapshot of ${from} does not exist`);

    const { endsWithoutCode } = this.#parts;
    const read = yield* readSnapshot(chunks, { genesis, databases, hash }, undefined, endsWithoutCode);
    index?.restore(read.sums, read.ringOrderKeys);
    if (foundRing !== undefined) for (const entry of read.ringEntries) foundRing(entry);

    const fold = new Fold(read);
    fold.missingCode = read.missingCode;
    return fold;
  }

  /**
   * Folds some entries. It keeps no storage iterator open from one turn to the next.
   * @returns the order key to continue from, or null if all entries are folded
   * @throws MissingCode  this build does not contain the code of an entry
   */
  #foldSome(fold: Fold, from: Buffer, to: Buffer): Buffer | null {
    const { storage, hash, tailEnd, tailBytes, cutTo, index, skips, damaged, foundRing } = this.#parts;
    const { endsWithoutCode } = this.#parts;
    let count = 0;
    for (const [orderKey, value] of storage.entries(from, to)) {
      if (count === ENTRIES_PER_STEP) return Buffer.from(orderKey);
      count++;

      const found = readOrderKey(orderKey);
      if (skips(found.id)) continue;
      const entry = viewEntry(found, value, hash);
      if (entry === null) {
        damaged(found);
        continue;
      }

      if (!hasCode(fold, entry)) {
        if (endsWithoutCode !== true) throw new MissingCode(fold.missingCode ?? "");
        index?.add(found, isRingEntry(entry.envelope));
        this.#parts.found(entry, []);
        continue;
      }

      let folded: FoldedEntry;
      if (found.at <= tailEnd) folded = fold.replay(entry);
      else {
        [folded] = fold.merge([copiedEntry(entry)]) as [FoldedEntry];
        // Cut before the date of this entry, because more entries with this date may follow.
        trim(fold, tailBytes, Math.min(found.at - 1, cutTo?.() ?? found.at));
      }

      index?.add(found, isRingEntry(entry.envelope));
      if (foundRing !== undefined && concernsRing(entry)) foundRing(copiedEntry(entry));
      this.#parts.found(entry, folded.answers);
      this.entries++;
    }
    return null;
  }
}
