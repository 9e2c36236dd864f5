/**
 * The fold that answers commands. It is built from the entries on disk, extended as entries arrive, cut as time passes,
 * and replaced after a refold. Source: docs/architecture.md "How daemons agree".
 */
import type { EnvelopeDate } from "../../protocol/version-2/messages-v2.js";
import { Database } from "../store/database.js";
import { BackgroundRefold } from "./background-refold.js";
import type { DigestIndex } from "./compare/digest-index.js";
import { type Entry, readOrderKey } from "./entries/entry.js";
import type { EntryStore } from "./entry-store.js";
import { Fold, type FoldedEntry, trim } from "./fold/fold.js";
import { appliesAt } from "./fold/semantics-standstill.js";
import type { TimelineParts } from "./timeline-environment.js";
import { FOLD_AHEAD_MS, UnfoldedEntries } from "./unfolded-entries.js";
import type { Watermark } from "./watermark.js";

/** Maximum commands to redo in one step: about 10 ms. A longer unit is redone in a step of its own. */
export const REDO_MAX = 5000;

export class ServingFold {
  readonly entryStore: EntryStore;
  readonly waiting = new UnfoldedEntries();
  readonly forgotten: ForgottenAnswers;
  readonly dates: FoldDates;
  readonly refolding: BackgroundRefold;
  /** Whether the fold contains everything on disk, so that it accepts entries. */
  isOpen = false;
  /**
   * The fold that answers commands. It is a field, because each request uses it many times; only this class sets it.
   */
  fold: Fold;
  /** The date and number of the newest entry that this daemon has folded. Only this class sets it. */
  newest: EnvelopeDate = { at: 0, seq: 0 };
  readonly #parts: TimelineParts;
  readonly #watermark: Watermark;

  constructor(parts: TimelineParts, entryStore: EntryStore, watermark: Watermark) {
    const { databases, genesis } = parts;
    this.#parts = parts;
    this.entryStore = entryStore;
    this.#watermark = watermark;
    this.forgotten = new ForgottenAnswers(parts);
    this.dates = new FoldDates(parts, watermark);
    this.refolding = new BackgroundRefold(parts, entryStore, (orderKey) =>
      entryStore.damaged(orderKey, this.isOpen),
    );
    this.fold = new Fold({ database: new Database({ databases }), ring: genesis(), cutAt: -1 });
  }

  /** Whether entries are merged into the fold as they arrive. */
  get isServing(): boolean {
    return this.isOpen && !this.refolding.isRunning && this.fold.missingCode === null;
  }

  /** Whether the state includes everything that is stored and dated up to a time. */
  isFolded(at: number): boolean {
    return this.isServing && this.waiting.hasNoneUpTo(at) && appliesAt(this.fold, at);
  }

  /**
   * Whether this release does not know the semantics version after some date, or this build does not contain the code
   * of an entry, so that nothing later is applied.
   */
  get isAtStandstill(): boolean {
    return this.fold.end !== null || this.fold.missingCode !== null;
  }

  /** Raises the watermark, except at a standstill, because then no later date may become final. */
  raise(to: number): void {
    if (!this.isAtStandstill) this.#watermark.raise(to);
  }

  /** Folds the entries on disk, in slices. @param index  empty; it is filled from these entries */
  async open(index: DigestIndex): Promise<void> {
    const { entryStore, forgotten, refolding, waiting } = this;
    const { making } = entryStore;
    const last = this.#parts.storage.last();
    forgotten.opened(last !== null || this.#watermark.value > 0);

    const newest = last === null ? 0 : readOrderKey(last).at;
    const tailEnd = Math.max(this.dates.tailEnd(newest), making?.newest ?? -1);
    // Entries that were accepted before a restart are folded after it, even if the clock now shows an earlier time.
    const until = Math.max(tailEnd, this.dates.foldUntil, this.#watermark.takenTo);

    const found = (entry: Entry) => {
      if (entry.envelope.at > tailEnd) entryStore.found(entry);
      making?.grown(1);
    };

    const fold = await refolding.run({ ...this.#parts.limits, index, tailEnd, until, found });

    entryStore.index = index;
    const unreadable = refolding.takeUnreadable();
    if (unreadable.size > 0) forgotten.noteLost();
    entryStore.refolded(unreadable, until);
    this.swap(fold, waiting.takeAll());
    waiting.addFuture(entryStore.findAfter(until));
    this.isOpen = true;
  }

  /** Merges entries. @returns null if too many units would have to be redone, so nothing was merged */
  merge(
    entries: readonly Entry[],
    folded = this.fold.mergeWithin(REDO_MAX, entries),
  ): readonly FoldedEntry[] | null {
    if (folded !== null) this.refolding.missed(entries);
    this.newest = this.fold.newest ?? this.newest;
    return folded === null ? null : this.forgotten.mark(folded);
  }

  /** Switches to a new fold. It has all entries that arrived while it was built, except entries before its tail. */
  swap(fold: Fold, late: readonly Entry[]): void {
    this.fold = fold.inherit(this.fold);
    this.waiting.addLate(this.refolding.takeBelow());
    this.newest = fold.newest ?? this.newest;
    this.#settle(fold.cutAt);
    this.#parts.handlers.folded(late, []);
  }

  /** Cuts the tail at its current end, even during a refold, because the tail may fill up before the refold ends. */
  cut(): void {
    const { cutAt, end } = this.fold;
    const tailEnd = this.dates.tailEnd(this.newest.at);
    this.fold.cut(tailEnd);
    // During a standstill the cut does not advance, but entries keep arriving, so their old ids are dropped here.
    if (end !== null) this.entryStore.forget(tailEnd);
    trim(this.fold, this.#parts.limits.tailBytes, Math.floor(this.#parts.clock()));
    if (this.fold.cutAt > cutAt) this.#settle(this.fold.cutAt);
  }

  /** Moves the watermark to a date. Ids up to that date no longer need to be in memory. */
  #settle(cutAt: number): void {
    this.raise(cutAt);
    this.entryStore.forget(cutAt);
  }
}

/**
 * The date at which the tail ends, and the date up to which entries are folded. Both follow the clock, as far as it is
 * trusted.
 */
export class FoldDates {
  readonly #parts: TimelineParts;
  readonly #watermark: Watermark;

  constructor(parts: TimelineParts, watermark: Watermark) {
    this.#parts = parts;
    this.#watermark = watermark;
  }

  /**
   * Returns the date at which the tail should end now. It also depends on the newest entry, so that a wrong clock
   * cannot end a part of the tail that other members may still change.
   */
  tailEnd(newest: number): number {
    return Math.floor(Math.min(this.#watermark.now(), newest) - this.#parts.limits.tailMs);
  }

  /**
   * The date at which the tail would end if an entry dated now existed, or the published watermark if that is earlier.
   */
  get finalTo(): number {
    const watermark = this.#watermark;
    return Math.min(Math.floor(watermark.now() - this.#parts.limits.tailMs), watermark.published);
  }

  /** The date up to which entries are folded now. */
  get foldUntil(): number {
    return Math.floor(this.#parts.clock()) + FOLD_AHEAD_MS;
  }
}

/**
 * The estimate whether this daemon has answered units that it no longer has. A daemon loses units at a restart if they
 * were only in memory, were not yet on disk or are damaged, and when a member's snapshot replaces them. A unit that
 * arrives now and comes before a lost unit should have been answered first. Therefore a unit counts as late unless it
 * is dated after the latest date that a lost unit can have. Source: docs/consistency.md, "What `late` means".
 */
export class ForgottenAnswers {
  readonly #parts: TimelineParts;
  /** The latest date of units that may have been answered before the start; milliseconds since 1970. */
  #untilAtStart = Number.NEGATIVE_INFINITY;
  /** The latest date of units that were lost after the start; milliseconds since 1970. */
  #until = Number.NEGATIVE_INFINITY;
  #isOpened = false;

  constructor(parts: TimelineParts) {
    this.#parts = parts;
  }

  /**
   * Called at startup, and again when a member's snapshot replaces the entries here.
   * @param isBegun  whether the storage already had entries
   */
  opened(isBegun: boolean): void {
    const { storage, isAlone } = this.#parts;
    if (this.#isOpened || storage.lostGroups > 0 || (isBegun ? !storage.isSafe : !isAlone())) {
      if (this.#isOpened) this.noteLost();
      else this.#untilAtStart = this.#end;
    }
    this.#isOpened = true;
  }

  /** Records that some answered units are lost. The lost units may be dated ahead of the clock. */
  noteLost(): void {
    this.#until = Math.max(this.#until, this.#end);
  }

  /** Called if this daemon and its members all began without data, so no earlier process can have answered units. */
  clear(): void {
    this.#untilAtStart = Number.NEGATIVE_INFINITY;
  }

  /**
   * Marks as late each unit that a lost unit may have followed in the order.
   * @param folded  units that were just folded
   * @returns all given entries, with the marks
   */
  mark(folded: readonly FoldedEntry[]): readonly FoldedEntry[] {
    const until = Math.max(this.#untilAtStart, this.#until);
    for (const { entry } of folded)
      if (entry.envelope.at <= until)
        return folded.map((one) => (one.entry.envelope.at <= until ? marked(one) : one));
    return folded;
  }

  /** The latest date that clients may have used by now. */
  get #end(): number {
    const { clock, window } = this.#parts;
    return clock() + window.future;
  }
}

function marked({ entry, answers }: FoldedEntry): FoldedEntry {
  return { entry, answers: answers.map((answer) => ({ ...answer, late: true })) };
}
