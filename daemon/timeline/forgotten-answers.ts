/**
 * Determines whether this daemon may have answered units that it no longer has. A daemon loses units at a restart if
 * they were only in memory, were not yet on disk or are damaged, and when a member's snapshot replaces them. A unit
 * that arrives now and comes before a lost unit should have been answered first. Therefore a unit counts as late unless
 * it is dated after the latest date that a lost unit can have. Source: docs/consistency.md, "What `late` means".
 */
import type { FoldedEntry } from "./fold/entry-batch.js";
import type { TimelineParts } from "./timeline-environment.js";

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
