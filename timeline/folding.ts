/**
 * The fold that serves: made of what is on disk, extended by entries as they come, cut as time passes, and replaced by one
 * that was made again. Source: docs/architecture.md "How daemons agree".
 */
import type { EnvelopeDate } from "../protocol/version-2/messages-v2.js";
import { Database } from "../store/database.js";
import type { Archive } from "./archive.js";
import type { DigestIndex } from "./compare/digest-index.js";
import { type Entry, readPlace } from "./entries/entry.js";
import { Fold, type FoldedEntry } from "./fold/fold.js";
import { trim } from "./fold/trim.js";
import { Forgotten } from "./forgotten.js";
import { Horizon } from "./horizon.js";
import { Refolding } from "./refolding.js";
import type { TimelineParts } from "./timeline-owner.js";
import { Waiting } from "./waiting.js";
import type { Watermark } from "./watermark.js";

/** Units that are done again in one go, at most: some 10 ms. */
export const REDO_MAX = 5000;

export class Folding {
  readonly archive: Archive;
  readonly waiting = new Waiting();
  readonly forgotten: Forgotten;
  readonly horizon: Horizon;
  readonly refolding: Refolding;
  /** Whether the fold has what is on disk, so that entries are taken. */
  isOpen = false;
  readonly #parts: TimelineParts;
  readonly #watermark: Watermark;
  #fold: Fold;
  #newest: EnvelopeDate = { at: 0, seq: 0 };

  constructor(parts: TimelineParts, archive: Archive, watermark: Watermark) {
    const { databases, genesis } = parts;
    this.#parts = parts;
    this.archive = archive;
    this.#watermark = watermark;
    this.forgotten = new Forgotten(parts);
    this.horizon = new Horizon(parts, watermark);
    this.refolding = new Refolding(parts, archive, (place) => archive.damaged(place, this.isOpen));
    this.#fold = new Fold({ database: new Database({ databases }), ring: genesis(), cutAt: -1 });
  }

  /** The fold that serves. */
  get fold(): Fold {
    return this.#fold;
  }

  /** The greatest date that the fold has, or has had. */
  get newest(): EnvelopeDate {
    return this.#newest;
  }

  /** Whether entries are merged into the fold as they come. */
  get isServing(): boolean {
    return this.isOpen && !this.refolding.isRunning;
  }

  /** Whether the release does not know what commands mean from some date on, so that nothing later is applied. */
  get isStill(): boolean {
    return this.#fold.end !== null;
  }

  /** Raises the watermark, unless the fold is still: then no later date may become final. */
  raise(to: number): void {
    if (!this.isStill) this.#watermark.raise(to);
  }

  /** Folds the entries on disk, in slices. @param index  empty; filled from them */
  async open(index: DigestIndex): Promise<void> {
    const { archive, forgotten, refolding, waiting } = this;
    const { making } = archive;
    const last = this.#parts.storage.last();
    forgotten.opened(last !== null || this.#watermark.value > 0);
    const newest = last === null ? 0 : readPlace(last).at;
    const horizon = Math.max(this.horizon.of(newest), making?.newest ?? -1);
    // What was taken before a restart is folded after it, whatever the clock says now.
    const until = Math.max(horizon, this.horizon.dueUntil, this.#watermark.takenTo);
    const found = (entry: Entry) => {
      if (entry.envelope.at > horizon) archive.found(entry);
      making?.grown(1);
    };
    const fold = await refolding.run({ ...this.#parts.limits, index, horizon, until, found });
    archive.index = index;
    const gaps = refolding.takeGaps();
    if (gaps.size > 0) forgotten.some();
    archive.refolded(gaps, until);
    this.swap(fold, waiting.takeAll());
    waiting.addFuture(archive.findAfter(until));
    this.isOpen = true;
  }

  /** Merges entries. @returns null: too many units would have to be done again, and nothing has been */
  merge(
    entries: readonly Entry[],
    folded = this.#fold.mergeWithin(REDO_MAX, entries),
  ): readonly FoldedEntry[] | null {
    if (folded !== null) this.refolding.missed(entries);
    this.#newest = this.#fold.newest ?? this.#newest;
    return folded === null ? null : this.forgotten.mark(folded);
  }

  /** Serves from a new fold, which has every entry that came while it was made except those below its tail. */
  swap(fold: Fold, late: readonly Entry[]): void {
    this.#fold = fold.inherit(this.#fold);
    this.waiting.addLate(this.refolding.takeBelow());
    this.#newest = fold.newest ?? this.#newest;
    this.#settle(fold.cutAt);
    this.#parts.owner.folded(late, []);
  }

  /** Ends the tail where it should end by now; also during a refold, which may take longer than filling the tail. */
  cut(): void {
    const { cutAt, end } = this.#fold;
    const horizon = this.horizon.of(this.#newest.at);
    this.#fold.cut(horizon);
    // The cut stays where the standstill began, while more and more ids arrive.
    if (end !== null) this.archive.forget(horizon);
    trim(this.#fold, this.#parts.limits.tailBytes, Math.floor(this.#parts.clock()));
    if (this.#fold.cutAt > cutAt) this.#settle(this.#fold.cutAt);
  }

  /** Moves the watermark to a date, up to which ids need not be in memory any more. */
  #settle(cutAt: number): void {
    this.raise(cutAt);
    this.archive.forget(cutAt);
  }
}
