/**
 * Runs a refold while the present fold serves: waits until the disk has what it needs, goes on in slices, and
 * remembers entries that arrive meanwhile.
 */
import type { ByteString } from "../protocol/byte-string.js";
import { BACKGROUND_TURN_MS, turnOf } from "../protocol/steps.js";
import type { Archive } from "./archive.js";
import type { DigestIndex } from "./compare/digest-index.js";
import type { Entry, Place } from "./entries/entry.js";
import type { Fold } from "./fold/fold.js";
import { trim } from "./fold/trim.js";
import { Refold } from "./snapshots/refold.js";
import { DamagedSnapshot } from "./snapshots/snapshot.js";
import type { TimelineParts } from "./timeline-owner.js";

/**
 * Commands that arrived meanwhile and are merged in one turn; or twice as many as arrived in the last turn, so that
 * it ends.
 */
const MISSED_A_TURN = 256;
/** Milliseconds between two lines of the log. */
const PROGRESS_EVERY_MS = 5000;

export interface RefoldingPlan {
  /** Entries dated up to it get no undo records. */
  readonly horizon: number;
  /** The date after which entries are left out. */
  readonly until: number;
  /** Bytes that undo records may take: beyond them the fold is cut later, as far as `cutTo` lets it. */
  readonly tailBytes: number;
  /**
   * Returns the latest date up to which the fold will have nothing to merge; left out: nothing is going to arrive.
   */
  readonly cutTo?: () => number;
  /** Filled from what is found; null: it is filled already. */
  readonly index: DigestIndex | null;
  readonly found: (entry: Entry) => void;
}

export class Refolding {
  readonly #parts: TimelineParts;
  readonly #archive: Archive;
  readonly #onDamaged: (place: Place) => void;
  #arrived = new Set<ByteString>();
  #missed: Entry[] = [];
  /** Their commands, and the least of their dates. */
  #missedCommands = 0;
  #missedFrom = Number.POSITIVE_INFINITY;
  /** The missed entries that belong below the new fold's tail. */
  #below: Entry[] = [];
  /** Ids of damaged entries that it found. */
  #gaps = new Set<ByteString>();
  #refold: Refold | null = null;
  #isRunning = false;
  #isStopped = false;

  /** @param onDamaged  called with each entry that it cannot read */
  constructor(parts: TimelineParts, archive: Archive, onDamaged: (place: Place) => void) {
    this.#parts = parts;
    this.#archive = archive;
    this.#onDamaged = onDamaged;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** Notes entries that arrived after the start: whether the refold would find them is chance, so it skips them. */
  arrived(entries: readonly Entry[]): void {
    if (this.#isRunning) for (const { id } of entries) this.#arrived.add(id);
  }

  /** Notes those of them that the fold that serves has got, and the new one has to get. */
  missed(entries: readonly Entry[]): void {
    if (!this.#isRunning) return;
    for (const entry of entries) {
      this.#missed.push(entry);
      this.#countMissed(entry);
    }
  }

  /** Whether the new fold has an entry that was there when it started. */
  hasFolded(place: Place): boolean {
    const isFound = !this.#gaps.has(place.id) && !this.#archive.isGone(place.id);
    return this.#refold?.isPast(place) === true && isFound;
  }

  /** Ids of entries that it could not read; called once it is done. */
  takeGaps(): ReadonlySet<ByteString> {
    const gaps = this.#gaps;
    this.#gaps = new Set();
    return gaps;
  }

  /** Returns the entries that came while it ran and that the new fold could not take; called once it is done. */
  takeBelow(): Entry[] {
    this.#arrived = new Set();
    return this.#below.splice(0);
  }

  /** Folds what is on disk, and what has been put before. */
  start(plan: RefoldingPlan, done: (fold: Fold) => void, failed: (problem: Error) => void): void {
    this.#isRunning = true;
    this.#parts.storage.flushed().then(() => this.#begin(plan, done, failed), failed);
  }

  /** The same, as a promise of the fold. */
  run(plan: RefoldingPlan): Promise<Fold> {
    return new Promise((resolve, reject) => this.start(plan, resolve, reject));
  }

  stop(): void {
    this.#isStopped = true;
  }

  #begin(plan: RefoldingPlan, done: (fold: Fold) => void, failed: (problem: Error) => void): void {
    const { storage, uptime, soon, log } = this.#parts;
    const { making } = this.#archive;
    const from = making?.best(plan.horizon) ?? null;
    if (from === null && storage.mark("pruned") !== null) {
      failed(new Error(NO_BEGINNING));
      return;
    }
    const refold = new Refold({
      ...this.#parts,
      ...plan,
      cutTo: () => this.#cutTo(plan),
      snapshots: making?.snapshots ?? null,
      from,
      skips: (id) => this.#arrived.has(id),
      damaged: (place) => {
        this.#gaps.add(place.id);
        this.#onDamaged(place);
      },
    });
    this.#refold = refold;
    let reportAt = uptime() + PROGRESS_EVERY_MS;
    const step = (): void => {
      if (this.#isStopped) return;
      try {
        const folded = turnOf(refold.steps, uptime, BACKGROUND_TURN_MS);
        if (folded !== null) {
          this.#mergeMissed(folded.value, plan, 0, done);
          return;
        }
      } catch (problem) {
        if (!(problem instanceof DamagedSnapshot) || from === null) failed(problem as Error);
        else {
          log.error({ snapshot: from, reason: problem.message }, DAMAGED);
          making?.forget(from);
          plan.index?.clear();
          this.#gaps.clear();
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

  /** Returns the latest date to cut at, so that entries which came meanwhile can still be merged. */
  #cutTo({ cutTo }: RefoldingPlan): number {
    return Math.min(cutTo?.() ?? Number.POSITIVE_INFINITY, this.#missedFrom - 1);
  }

  /**
   * Merges entries that arrived meanwhile into the new fold, in slices.
   * @param before  their commands that the last slice has left
   */
  #mergeMissed(fold: Fold, plan: RefoldingPlan, before: number, done: (fold: Fold) => void): void {
    if (this.#isStopped) return;
    const came = before === 0 ? 0 : this.#missedCommands - before;
    const slice = this.#takeMissed(Math.max(MISSED_A_TURN, 2 * came));
    const above = slice.filter(({ envelope: { at } }) => at > fold.cutAt);
    // What the fold has left out counts now: it has to be folded once more, with these.
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

  /** @param max  commands, but one entry at least */
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
