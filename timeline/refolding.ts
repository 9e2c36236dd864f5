/**
 * Runs a refold beside the fold that serves: waits until the disk has what it needs, goes on in slices, and remembers
 * what comes meanwhile.
 */
import type { ByteString } from "../protocol/byte-string.js";
import { Database } from "../store/database.js";
import type { DigestIndex } from "./digest-index.js";
import type { Entry, Place } from "./entry.js";
import { Fold } from "./fold.js";
import { Refold, type RefoldParts } from "./refold.js";
import { DamagedSnapshot } from "./snapshot.js";
import type { SnapshotMaking } from "./snapshot-making.js";
import type { Storage } from "./storage.js";
import type { TimelineLog } from "./timeline-log.js";

/** Milliseconds of one slice; others are served between two. */
const SLICE_MS = 2;
/** Entries that came meanwhile, and are merged in one turn; or twice as many as came in the last one, so that it ends. */
const MISSED_A_TURN = 256;
/** Milliseconds between two lines of the log. */
const PROGRESS_EVERY_MS = 5000;

export interface RefoldingParts extends Pick<RefoldParts, "hash" | "genesis" | "databases" | "damaged"> {
  readonly storage: Storage;
  readonly uptime: () => number;
  readonly soon: (step: () => void) => void;
  readonly making: SnapshotMaking | null;
  readonly log: TimelineLog;
}

export interface RefoldingPlan {
  /** Entries dated up to it get no undo records. */
  readonly horizon: number;
  /** Later ones are left out. */
  readonly until: number;
  /** Bytes that undo records may take: beyond them the fold is cut later. */
  readonly tailBytes: number;
  /** Filled from what is found; null: it is filled already. */
  readonly index: DigestIndex | null;
  readonly found: (entry: Entry) => void;
}

export class Refolding {
  readonly #parts: RefoldingParts;
  #arrived = new Set<ByteString>();
  #missed: Entry[] = [];
  /** Those of the missed ones that belong below the new fold's tail. */
  #below: Entry[] = [];
  /** Damaged ones that it came across. */
  #gaps = new Set<ByteString>();
  #refold: Refold | null = null;
  #isRunning = false;
  #isStopped = false;

  constructor(parts: RefoldingParts) {
    this.#parts = parts;
  }

  get isRunning(): boolean {
    return this.#isRunning;
  }

  /** A fold of nothing. */
  empty(): Fold {
    const { databases, genesis } = this.#parts;
    return new Fold({ database: new Database({ databases }), ring: genesis(), cutAt: -1 });
  }

  /** Notes entries that were not there when it started: whether it would find them is chance, so it does not look. */
  arrived(entries: readonly Entry[]): void {
    if (this.#isRunning) for (const { id } of entries) this.#arrived.add(id);
  }

  /** Notes those of them that the fold that serves has got, and the new one has to get. */
  missed(entries: readonly Entry[]): void {
    if (this.#isRunning) this.#missed.push(...entries);
  }

  /** Whether the new fold has an entry that was there when it started. */
  hasFolded(place: Place): boolean {
    return this.#refold?.isPast(place) === true && !this.#gaps.has(place.id);
  }

  /** Ids of entries that it could not read; called once it is done. */
  takeGaps(): ReadonlySet<ByteString> {
    const gaps = this.#gaps;
    this.#gaps = new Set();
    return gaps;
  }

  /** What came while it ran, and the new fold could not take; called once it is done. */
  takeBelow(): Entry[] {
    this.#arrived = new Set();
    return this.#below.splice(0);
  }

  /** Folds what is on disk, and what has been put before. */
  start(plan: RefoldingPlan, done: (fold: Fold) => void, failed: (problem: Error) => void): void {
    this.#isRunning = true;
    this.#parts.storage.flushed().then(() => this.#begin(plan, done, failed), failed);
  }

  stop(): void {
    this.#isStopped = true;
  }

  #begin(plan: RefoldingPlan, done: (fold: Fold) => void, failed: (problem: Error) => void): void {
    const { storage, uptime, soon, making, log } = this.#parts;
    const from = making?.best(plan.horizon) ?? null;
    if (from === null && storage.mark("pruned") !== null) {
      failed(new Error(NO_BEGINNING));
      return;
    }
    const refold = new Refold({
      ...this.#parts,
      ...plan,
      snapshots: making?.snapshots ?? null,
      from,
      skips: (id) => this.#arrived.has(id),
      damaged: (place) => {
        this.#gaps.add(place.id);
        this.#parts.damaged(place);
      },
    });
    this.#refold = refold;
    let reportAt = uptime() + PROGRESS_EVERY_MS;
    const step = (): void => {
      if (this.#isStopped) return;
      try {
        const fold = refold.step(SLICE_MS, uptime);
        if (fold !== null) {
          this.#mergeMissed(fold, 0, done);
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

  /** Merges what came meanwhile into the new fold, in slices. @param before  how many of them were left by the last one */
  #mergeMissed(fold: Fold, before: number, done: (fold: Fold) => void): void {
    if (this.#isStopped) return;
    const came = this.#missed.length - before;
    const slice = this.#missed.splice(0, Math.max(MISSED_A_TURN, before === 0 ? 0 : 2 * came));
    this.#below.push(...slice.filter(({ envelope: { at } }) => at <= fold.cutAt));
    fold.merge(slice.filter(({ envelope: { at } }) => at > fold.cutAt));
    const left = this.#missed.length;
    if (left > 0) {
      this.#parts.soon(() => this.#mergeMissed(fold, left, done));
      return;
    }
    this.#isRunning = false;
    this.#refold = null;
    done(fold);
  }
}

const NO_BEGINNING =
  "no snapshot can be read, and what was before it is not kept any more: take another member's data, with a new folder";
const DAMAGED = "a snapshot is damaged: folding from an older one, or from the beginning";
