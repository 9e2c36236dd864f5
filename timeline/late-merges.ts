/**
 * Merges late entries of members into the fold that serves: in their order, for some milliseconds a turn of the event
 * loop, so that nobody waits long however many come at once. What belongs below the tail, or affects too much, at once or
 * all together, makes a refold.
 */
import { BACKGROUND_TURN_MS } from "../protocol/steps.js";
import type { Entry } from "./entries/entry.js";
import type { Fold, FoldedEntry } from "./fold/fold.js";
import type { Waiting } from "./waiting.js";

/** More units than this are not done again in one go: some 10 ms. */
export const REDO_MOST = 5000;
/** Nor more than this for all that waits, merge by merge: a refold is cheaper then, and its turns are short. */
const REDO_ALL_MOST = 4 * REDO_MOST;
/** Units of the tail that are got ready in one turn at most: some 2 ms; and between two looks at the clock. */
export const UNITS_A_TURN = 512;
const UNITS_A_LOOK = 128;
/** Late commands of one merge: the more, the less each of them costs; as many as take about a turn. */
const COMMANDS_MOST = 512;
const COMMANDS_LEAST = 16;

export interface LateMergesParts {
  readonly uptime: () => number;
  /** Milliseconds since 1970; may jump. */
  readonly clock: () => number;
  readonly soon: (step: () => void) => void;
  readonly waiting: Waiting;
  /** The one that serves; null: nothing is merged now. */
  readonly fold: () => Fold | null;
  /** @returns null: more than `REDO_MOST` would have to be done again, and nothing has been */
  readonly merge: (entries: readonly Entry[]) => readonly FoldedEntry[] | null;
  readonly merged: (entries: readonly Entry[], answered: readonly FoldedEntry[]) => void;
  /** Folds anew, with these among the rest. */
  readonly refold: (late: readonly Entry[]) => void;
}

export class LateMerges {
  readonly #parts: LateMergesParts;
  #isScheduled = false;
  /** Late commands of the next merge. */
  #commands = COMMANDS_MOST;
  /** Units that the last merge did again for each of its entries, of those that wait; 0: they have just come. */
  #redoneEach = 0;

  constructor(parts: LateMergesParts) {
    this.#parts = parts;
  }

  /** Merges some of what waits, if it is time, and the rest in later turns. */
  run(): void {
    const { waiting, uptime } = this.#parts;
    waiting.look(uptime());
    // That turn comes, and two in one would hold others up twice as long.
    if (!this.#isScheduled) this.#turn();
  }

  #turn(): void {
    const { uptime, waiting } = this.#parts;
    const fold = this.#parts.fold();
    const startedAt = uptime();
    const first = fold === null ? null : waiting.firstLate(startedAt);
    if (fold === null || first === null) return;
    if (first.envelope.at <= fold.cutAt || this.#redoneEach * waiting.lateSize > REDO_ALL_MOST)
      this.#refold();
    else if (this.#prepares(fold, first, startedAt + BACKGROUND_TURN_MS)) this.#mergeSome(fold);
    else this.#schedule();
  }

  /** @returns whether the fold is ready for an entry */
  #prepares(fold: Fold, first: Entry, until: number): boolean {
    const { uptime } = this.#parts;
    for (let units = 0; units < UNITS_A_TURN; units += UNITS_A_LOOK) {
      if (fold.prepare(first, UNITS_A_LOOK, REDO_MOST)) return true;
      if (uptime() >= until) break;
    }
    return false;
  }

  #mergeSome(fold: Fold): void {
    const { uptime, waiting, merge, merged } = this.#parts;
    const startedAt = uptime();
    const before = fold.redone;
    const late = waiting.late(this.#commands);
    const answered = merge(late);
    if (answered === null) {
      this.#refold();
      return;
    }
    waiting.takeLate(late.length);
    const endedAt = uptime();
    const redone = fold.redone - before;
    if (redone > 0) waiting.merged(startedAt, endedAt);
    merged(late, answered);
    this.#redoneEach = waiting.lateSize > 0 ? redone / late.length : 0;
    this.#pace(uptime() - startedAt, { commands: commandsOf(late), redone });
    if (waiting.lateSize > 0) this.#schedule();
  }

  /**
   * @param took  milliseconds of the last merge
   * @param last  its late commands, and units that it did again: where these are more, fewer commands take as long
   */
  #pace(took: number, last: { readonly commands: number; readonly redone: number }): void {
    if (2 * took < BACKGROUND_TURN_MS || last.redone >= last.commands)
      this.#commands = Math.min(COMMANDS_MOST, this.#commands << 1);
    else if (took > BACKGROUND_TURN_MS) this.#commands = Math.max(COMMANDS_LEAST, this.#commands >> 1);
  }

  /** Of all that is late. */
  #refold(): void {
    const { uptime, clock, waiting } = this.#parts;
    if (waiting.putsOffRefold(uptime(), clock())) return;
    this.refoldAll();
  }

  /** At once, with all that is late. */
  refoldAll(): void {
    const { waiting, refold } = this.#parts;
    this.#redoneEach = 0;
    refold(waiting.takeForRefold());
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
