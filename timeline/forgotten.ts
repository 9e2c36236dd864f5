/**
 * Whether this daemon may have answered units that it does not have any more: before a restart, when they were in memory or
 * not yet on the disk, or are damaged; or with what a member's snapshot has replaced. An earlier unit that comes now would
 * have been answered behind them, so it counts as late, as far as they may be dated.
 * Source: docs/consistency.md, "What `late` means".
 */
import type { FoldedEntry } from "./fold/batch.js";
import type { TimelineParts } from "./timeline-owner.js";

export class Forgotten {
  readonly #parts: TimelineParts;
  /** Of what may have been answered before the start; milliseconds since 1970. */
  #untilAtStart = Number.NEGATIVE_INFINITY;
  /** Of what is known to be gone since; milliseconds since 1970. */
  #until = Number.NEGATIVE_INFINITY;
  #isOpened = false;

  constructor(parts: TimelineParts) {
    this.#parts = parts;
  }

  /** At a start; once more, where a member's snapshot replaces what was here. @param isBegun  whether there was something */
  opened(isBegun: boolean): void {
    const { storage, isAlone } = this.#parts;
    if (this.#isOpened || storage.lostGroups > 0 || (isBegun ? !storage.isSafe : !isAlone())) {
      if (this.#isOpened) this.some();
      else this.#untilAtStart = this.#end;
    }
    this.#isOpened = true;
  }

  /** Some of what was answered by now is gone: it may be dated ahead of the clock. */
  some(): void {
    this.#until = Math.max(this.#until, this.#end);
  }

  /** The members of a daemon that begins with nothing have nothing either: so it has not been there before. */
  clear(): void {
    this.#untilAtStart = Number.NEGATIVE_INFINITY;
  }

  /** @param folded  just now. @returns them, those marked that may stand before such a unit */
  mark(folded: readonly FoldedEntry[]): readonly FoldedEntry[] {
    for (const { entry } of folded) if (this.#isLate(entry)) return folded.map((one) => this.#marked(one));
    return folded;
  }

  #marked(folded: FoldedEntry): FoldedEntry {
    const { entry, answers } = folded;
    if (!this.#isLate(entry)) return folded;
    return { entry, answers: answers.map((answer) => ({ ...answer, late: true })) };
  }

  #isLate({ envelope }: FoldedEntry["entry"]): boolean {
    return envelope.at <= Math.max(this.#untilAtStart, this.#until);
  }

  /** The latest date that clients may have given by now. */
  get #end(): number {
    const { clock, window } = this.#parts;
    return clock() + window.future;
  }
}
