/**
 * Runs a refold while the current fold answers commands: waits until the disk has all entries, works in slices, and
 * remembers entries that arrive in the meantime.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import { BACKGROUND_TURN_MS, runTurn } from "../../protocol/steps.js";
import type { DigestIndex } from "./compare/digest-index.js";
import type { Entry, OrderKey } from "./entries/entry.js";
import type { EntryStore } from "./entry-store.js";
import { type Fold, trim } from "./fold/fold.js";
import { Refold } from "./snapshots/refold.js";
import { DamagedSnapshot } from "./snapshots/snapshot.js";
import type { TimelineParts } from "./timeline-environment.js";

/**
 * The minimum number of missed commands to merge in one turn. If commands arrive faster, each turn merges twice as many
 * as have arrived since the last turn, so that merging catches up.
 */
const MISSED_PER_TURN = 256;
/** Milliseconds between two progress lines in the log. */
const PROGRESS_EVERY_MS = 5000;

export interface RefoldingPlan {
  /** Entries dated up to this date have no undo records. */
  readonly tailEnd: number;
  /** The date after which entries are left out. */
  readonly until: number;
  /**
   * The maximum bytes of undo records. If there are more, the fold is cut at a later date, but not after the result of
   * `cutTo`.
   */
  readonly tailBytes: number;
  /**
   * Returns the latest date at which the fold may be cut: all entries that are still to be merged into it are dated
   * later. Absent if no entries will arrive.
   */
  readonly cutTo?: () => number;
  /** The index to fill with the entries that the refold finds, or null if it is already filled. */
  readonly index: DigestIndex | null;
  readonly found: (entry: Entry) => void;
}

export class BackgroundRefold {
  readonly #parts: TimelineParts;
  readonly #entryStore: EntryStore;
  readonly #onDamaged: (orderKey: OrderKey) => void;
  #arrived = new Set<ByteString>();
  #missed: Entry[] = [];
  /** The number of commands in the missed entries, and the entries' earliest date. */
  #missedCommands = 0;
  #missedFrom = Number.POSITIVE_INFINITY;
  /** The missed entries that belong before the new fold's tail. */
  #below: Entry[] = [];
  /** The ids of the damaged entries that the refold found. */
  #unreadable = new Set<ByteString>();
  #refold: Refold | null = null;
  #isRunning = false;
  #isStopped = false;

  /** @param onDamaged  called for each entry that cannot be read */
  constructor(parts: TimelineParts, entryStore: EntryStore, onDamaged: (orderKey: OrderKey) => void) {
    this.#parts = parts;
    this.#entryStore = entryStore;
    this.#onDamaged = onDamaged;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Records entries that arrived after the start. The refold skips them, because it may or may not find them. */
  arrived(entries: readonly Entry[]): void {
    if (this.#isRunning) for (const { id } of entries) this.#arrived.add(id);
  }

  /** Records entries that were merged into the current fold, and still have to be merged into the new fold. */
  missed(entries: readonly Entry[]): void {
    if (!this.#isRunning) return;
    for (const entry of entries) {
      this.#missed.push(entry);
      this.#countMissed(entry);
    }
  }

  /** Whether the new fold already includes an entry that was stored when the refold started. */
  hasFolded(orderKey: OrderKey): boolean {
    const isFound = !this.#unreadable.has(orderKey.id) && !this.#entryStore.isRemoved(orderKey.id);
    return this.#refold?.isPast(orderKey) === true && isFound;
  }

  /** Returns the ids of entries that could not be read; called when the refold is done. */
  takeUnreadable(): ReadonlySet<ByteString> {
    const unreadable = this.#unreadable;
    this.#unreadable = new Set();
    return unreadable;
  }

  /**
   * Returns the entries that arrived during the refold and could not be merged into the new fold. Called when the
   * refold is done.
   */
  takeBelow(): Entry[] {
    this.#arrived = new Set();
    return this.#below.splice(0);
  }

  /** Folds all entries that are on disk or were already passed to the storage. */
  start(plan: RefoldingPlan, done: (fold: Fold) => void, failed: (problem: Error) => void): void {
    this.#isRunning = true;
    this.#parts.storage.flushed().then(
      () => this.#begin(plan, done, failed),
      (problem: Error) => this.#fail(problem, failed),
    );
  }

  /** Folds all entries that are on disk, after the disk has failed. */
  startFlushed(plan: RefoldingPlan, done: (fold: Fold) => void, failed: (problem: Error) => void): void {
    this.#isRunning = true;
    this.#begin(plan, done, failed);
  }

  /** Does the same as `start`, and returns a promise of the fold. */
  run(plan: RefoldingPlan): Promise<Fold> {
    return new Promise((resolve, reject) => this.start(plan, resolve, reject));
  }

  stop(): void {
    this.#isStopped = true;
  }

  #fail(problem: Error, failed: (problem: Error) => void): void {
    this.#isRunning = false;
    this.#refold = null;
    failed(problem);
  }

  #begin(plan: RefoldingPlan, done: (fold: Fold) => void, failed: (problem: Error) => void): void {
    const { storage, uptime, soon, log } = this.#parts;
    const { making } = this.#entryStore;
    const from = making?.newestUpTo(plan.tailEnd) ?? null;
    if (from === null && storage.mark("pruned") !== null) {
      this.#fail(new Error(NO_BEGINNING), failed);
      return;
    }

    const refold = new Refold({
      ...this.#parts,
      ...plan,
      cutTo: () => this.#cutTo(plan),
      snapshots: making?.snapshots ?? null,
      from,
      endsWithoutCode: true,
      skips: (id) => this.#arrived.has(id),
      damaged: (orderKey) => {
        this.#unreadable.add(orderKey.id);
        this.#onDamaged(orderKey);
      },
    });

    this.#refold = refold;

    let reportAt = uptime() + PROGRESS_EVERY_MS;
    const step = (): void => {
      if (this.#isStopped) return;
      try {
        const folded = runTurn(refold.steps, uptime, BACKGROUND_TURN_MS);
        if (folded !== null) {
          this.#mergeMissed(folded.value, plan, 0, done);
          return;
        }
      } catch (problem) {
        if (!(problem instanceof DamagedSnapshot) || from === null) this.#fail(problem as Error, failed);
        else {
          log.error({ snapshot: from, reason: problem.message }, DAMAGED);
          making?.forget(from);
          plan.index?.clear();
          this.#unreadable.clear();
          this.#begin(plan, done, failed);
        }
        return;
      }

      if (uptime() >= reportAt) {
        reportAt = uptime() + PROGRESS_EVERY_MS;
        log.info({ entries: refold.entries }, "folding the timeline");
      }
      soon(step);
    };
    step();
  }

  /**
   * Returns the latest date at which the fold can be cut so that entries that arrived in the meantime can still be
   * merged.
   */
  #cutTo({ cutTo }: RefoldingPlan): number {
    return Math.min(cutTo?.() ?? Number.POSITIVE_INFINITY, this.#missedFrom - 1);
  }

  /**
   * Merges entries that arrived in the meantime into the new fold, in slices.
   * @param before  the number of missed commands that were left after the last slice
   */
  #mergeMissed(fold: Fold, plan: RefoldingPlan, before: number, done: (fold: Fold) => void): void {
    if (this.#isStopped) return;

    const newCommands = before === 0 ? 0 : this.#missedCommands - before;
    const slice = this.#takeMissed(Math.max(MISSED_PER_TURN, 2 * newCommands));
    const above = slice.filter(({ envelope: { at } }) => at > fold.cutAt);
    // The result is null if commands that the fold left out would now take effect. Then the entries of this slice have
    // to be folded again together with those commands.
    const isMerged = fold.mergeWithin(Number.POSITIVE_INFINITY, above) !== null;
    for (const entry of slice) if (!isMerged || entry.envelope.at <= fold.cutAt) this.#below.push(entry);
    trim(fold, plan.tailBytes, this.#cutTo(plan));
    const left = this.#missedCommands;
    if (this.#missed.length > 0) {
      this.#parts.soon(() => this.#mergeMissed(fold, plan, left, done));
      return;
    }

    this.#isRunning = false;
    this.#refold = null;
    done(fold);
  }

  /** @param max  maximum commands, but at least one entry is taken */
  #takeMissed(max: number): Entry[] {
    let commands = 0;
    const beyond = this.#missed.findIndex(({ envelope }, i) => {
      commands += envelope.commands.length;
      return i > 0 && commands > max;
    });

    const taken = this.#missed.splice(0, beyond < 0 ? this.#missed.length : beyond);

    this.#missedCommands = 0;
    this.#missedFrom = Number.POSITIVE_INFINITY;
    for (const entry of this.#missed) this.#countMissed(entry);
    return taken;
  }

  #countMissed({ envelope: { at, commands } }: Entry): void {
    this.#missedCommands += commands.length;
    this.#missedFrom = Math.min(this.#missedFrom, at);
  }
}

const NO_BEGINNING =
  "no snapshot can be read, and earlier entries are no longer stored: start with a new folder, so that another member sends its data";
const DAMAGED = "a snapshot is damaged: folding from an older one, or from the beginning";
