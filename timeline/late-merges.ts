/**
 * Merges late entries of members into the fold that serves: in their order, some a turn of the event loop, so that
 * nobody waits long however many come at once. What belongs below the tail, or affects too much, makes a refold.
 */
import type { Entry } from "./entry.js";
import type { Fold, FoldedEntry } from "./fold.js";
import type { Waiting } from "./waiting.js";

/** Late commands that are merged in one turn, and units of the tail that are got ready for them: a few milliseconds. */
const COMMANDS_A_TURN = 512;

export interface LateMergesParts {
  readonly uptime: () => number;
  readonly soon: (step: () => void) => void;
  readonly waiting: Waiting;
  /** The one that serves; null: nothing is merged now. */
  readonly fold: () => Fold | null;
  /** @returns null: too much would have to be done again, and nothing has been */
  readonly merge: (entries: readonly Entry[]) => readonly FoldedEntry[] | null;
  readonly merged: (entries: readonly Entry[], answered: readonly FoldedEntry[]) => void;
  /** Folds anew, with these among the rest. */
  readonly refold: (late: readonly Entry[]) => void;
}

export class LateMerges {
  readonly #parts: LateMergesParts;
  #isScheduled = false;

  constructor(parts: LateMergesParts) {
    this.#parts = parts;
  }

  /** Merges some of what waits, if it is time, and the rest in later turns. */
  run(): void {
    const { uptime, waiting } = this.#parts;
    const fold = this.#parts.fold();
    const first = fold === null ? null : waiting.firstLate(uptime());
    if (fold === null || first === null) return;
    if (first.envelope.at <= fold.cutAt) this.#refold();
    else if (!fold.prepare(first, COMMANDS_A_TURN)) this.#schedule();
    else this.#mergeSome(fold);
  }

  #mergeSome(fold: Fold): void {
    const { uptime, waiting, merge, merged } = this.#parts;
    const startedAt = uptime();
    const { redone } = fold;
    const late = waiting.late(COMMANDS_A_TURN);
    const answered = merge(late);
    if (answered === null) {
      this.#refold();
      return;
    }
    waiting.takeLate(late.length);
    if (fold.redone > redone) waiting.merged(startedAt, uptime());
    merged(late, answered);
    if (waiting.lateSize > 0) this.#schedule();
  }

  /** Of all that is late. */
  #refold(): void {
    const { uptime, waiting, refold } = this.#parts;
    if (!waiting.putsOffRefold(uptime())) refold(waiting.takeLate(waiting.lateSize));
  }

  #schedule(): void {
    if (this.#isScheduled) return;
    this.#isScheduled = true;
    this.#parts.soon(() => {
      this.#isScheduled = false;
      this.run();
    });
  }
}
