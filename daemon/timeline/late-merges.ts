/**
 * Merges late entries from members into the serving fold, in order. Works for a few milliseconds in each turn of
 * the event loop, so that clients do not wait long even if many entries arrive together. If an entry belongs before the
 * tail, or if the entries affect too many units, the timeline is refolded instead.
 */
import { BACKGROUND_TURN_MS } from "../../protocol/steps.js";
import type { RefoldingPlan } from "./background-refold.js";
import type { DiskFailure } from "./disk-failure.js";
import type { Entry } from "./entries/entry.js";
import type { Fold } from "./fold/fold.js";
import { appliedOf, hasCode } from "./fold/semantics-standstill.js";
import { REDO_MAX, type ServingFold } from "./serving-fold.js";
import type { TimelineParts } from "./timeline-environment.js";

/**
 * The maximum number of commands to redo for all waiting entries, in all merges together. Above it, a refold costs less
 * and also works in short turns.
 */
const REDO_ALL_MAX = 4 * REDO_MAX;
/** Maximum units of the tail to prepare in one turn (about 2 ms), and between two checks of the clock. */
export const UNITS_PER_TURN = 512;
const UNITS_PER_CHECK = 128;
/**
 * The maximum number of late commands in a merge. A merge of this size takes about one turn. Merges are made as large
 * as a turn allows, because merging many commands together costs less for each command.
 */
const COMMANDS_MAX = 512;
const COMMANDS_MIN = 16;

export class LateMerges {
  readonly #parts: TimelineParts;
  readonly #folding: ServingFold;
  readonly #failure: DiskFailure;
  #isScheduled = false;
  /** The number of late commands in the next merge. */
  #commands = COMMANDS_MAX;
  /** The commands that the last merge redid for each of its entries, or 0 if the waiting entries are new. */
  #redoneEach = 0;

  constructor(parts: TimelineParts, folding: ServingFold, failure: DiskFailure) {
    this.#parts = parts;
    this.#folding = folding;
    this.#failure = failure;
  }

  /** Merges some of the waiting entries now, unless a turn is scheduled, and the remaining entries in later turns. */
  run(): void {
    this.#folding.waiting.noteDelay(this.#parts.uptime());
    // Two batches in one turn of the event loop would delay clients twice as long.
    if (!this.#isScheduled) this.#turn();
  }

  #turn(): void {
    const { fold, isServing, waiting } = this.#folding;
    const startedAt = this.#parts.uptime();
    const first = isServing ? waiting.firstLate(startedAt) : null;
    if (first === null) return;
    const late = waiting.peekLate(this.#commands);
    if (!late.every((entry) => hasCode(fold, entry))) return;
    if (first.envelope.at <= fold.cutAt || this.#redoneEach * waiting.lateSize > REDO_ALL_MAX) this.#refold();
    else if (this.#prepare(fold, first, startedAt + BACKGROUND_TURN_MS)) this.#mergeSome(fold, late);
    else this.#schedule();
  }

  /** @returns whether the fold is ready to merge the first late entry */
  #prepare(fold: Fold, first: Entry, until: number): boolean {
    const { uptime } = this.#parts;
    for (let units = 0; units < UNITS_PER_TURN; units += UNITS_PER_CHECK) {
      if (fold.prepare(first, UNITS_PER_CHECK, REDO_MAX)) return true;
      if (uptime() >= until) break;
    }
    return false;
  }

  #mergeSome(fold: Fold, late: readonly Entry[]): void {
    const { uptime, handlers } = this.#parts;
    const { waiting } = this.#folding;

    const startedAt = uptime();
    const before = fold.redoneCommands;
    const answered = this.#folding.merge(late);
    if (answered === null) {
      this.#refold();
      return;
    }

    waiting.takeLate(late.length);
    const endedAt = uptime();
    const redone = fold.redoneCommands - before;
    if (redone > 0) waiting.merged(startedAt, endedAt);

    handlers.folded(late, appliedOf(fold, answered));
    this.#redoneEach = waiting.lateSize > 0 ? redone / late.length : 0;
    this.#pace(uptime() - startedAt, { commands: commandsOf(late), redone });
    if (waiting.lateSize > 0) this.#schedule();
  }

  /**
   * Adapts the size of the next merge to the duration of the last merge.
   * @param milliseconds  the duration of the last merge
   * @param last  the number of late commands in the last merge, and of the commands that it redid. If it redid at least
   * as many as it merged, a smaller merge would not be faster.
   */
  #pace(milliseconds: number, last: { readonly commands: number; readonly redone: number }): void {
    if (2 * milliseconds < BACKGROUND_TURN_MS || last.redone >= last.commands)
      this.#commands = Math.min(COMMANDS_MAX, this.#commands << 1);
    else if (milliseconds > BACKGROUND_TURN_MS) this.#commands = Math.max(COMMANDS_MIN, this.#commands >> 1);
  }

  /** Starts a refold with all late entries, unless more late entries are expected soon. */
  #refold(): void {
    const { uptime, clock } = this.#parts;
    if (this.#folding.waiting.postponesRefold(uptime(), clock())) return;
    this.refoldAll();
  }

  /** Folds the entries on disk again, together with all late entries, while the current fold serves. */
  refoldAll(): void {
    const { uptime, log } = this.#parts;
    const { refolding, waiting } = this.#folding;
    this.#redoneEach = 0;

    const late = waiting.takeForRefold();
    const startedAt = uptime();
    const { plan, entries } = this.#planRefold(late);
    this.#folding.raise(plan.tailEnd);
    log.info({ entries: late.length }, "late entries: folding again");

    const done = (fold: Fold) => {
      this.#replace(fold, plan, entries);
      waiting.refolded();
      waiting.merged(startedAt, uptime());
      this.run();
    };
    refolding.start(plan, done, this.#failure.report);
  }

  /**
   * Folds the entries on disk again, because the disk has failed, and the state includes entries that it does not have.
   * @param undone  called when the state no longer includes these entries
   */
  undoUnflushed(undone: () => void): void {
    const { soon, log } = this.#parts;
    const { refolding } = this.#folding;

    if (refolding.isRunning) {
      // Its result will include the entries too.
      soon(() => this.undoUnflushed(undone));
      return;
    }

    const { plan, entries } = this.#planRefold([]);
    const done = (fold: Fold) => {
      this.#replace(fold, plan, entries);
      undone();
    };
    refolding.startFlushed(plan, done, ({ message }) => log.error({ reason: message }, NOT_UNDONE));
  }

  #replace(fold: Fold, { until }: RefoldingPlan, entries: readonly Entry[]): void {
    const { entryStore, forgotten, refolding } = this.#folding;
    if (entryStore.refolded(refolding.takeUnreadable(), until)) forgotten.noteLost();
    this.#folding.swap(fold, entries);
  }

  /** Plans a refold. @returns the plan, with the late entries and all entries whose date has been reached */
  #planRefold(late: readonly Entry[]): {
    readonly plan: RefoldingPlan;
    readonly entries: readonly Entry[];
  } {
    const { tailBytes } = this.#parts.limits;
    const { dates, waiting, newest } = this.#folding;
    // The tail must not end before its old end, because the ids before that date are forgotten.
    const end = Math.max(this.#folding.fold.cutAt, dates.tailEnd(newest.at));
    // The new fold must include all entries of the current fold, even if the clock has been set back.
    const until = late.reduce(
      (latest, { envelope: { at } }) => Math.max(latest, at),
      Math.max(end, dates.foldUntil, newest.at),
    );
    const entries = [...late, ...waiting.takeUntil(until)];
    // Clients' entries that arrive in the meantime are dated after the end of the current tail; members' entries wait.
    const cutTo = () => Math.min(this.#folding.fold.cutAt, waiting.lateFrom - 1);
    return { plan: { index: null, tailEnd: end, until, tailBytes, cutTo, found: () => {} }, entries };
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#parts.soon(() => {
      this.#isScheduled = false;
      this.#turn();
    });
  }
}

const commandsOf = (entries: readonly Entry[]): number =>
  entries.reduce((sum, { envelope }) => sum + envelope.commands.length, 0);

const NOT_UNDONE = "the entries on disk cannot be folded again: reads are refused until a restart";
