/**
 * Learns whether a daemon closes the connection after each answer (`-c` of the original). What is written
 * into such a close is lost without a word, so a connection to that daemon is not used for a second call.
 * Command errors that come as second commands look the same; so one connection at a time is left on trial.
 */

/** So many connections in a row that ended behind their first answer show the habit. */
const CLOSES_TO_LEARN = 2;

export class CloseHabit {
  #closes = 0;

  get isKnown(): boolean {
    return this.#closes >= CLOSES_TO_LEARN;
  }

  /** @param answers  how many have come on that connection; a second one disproves the habit for good */
  answered(answers: number): void {
    if (answers > 1) this.#closes = Number.NEGATIVE_INFINITY;
  }

  /** The daemon left a connection open behind its answer: what looked like the habit was something else. */
  leftOpen(): void {
    if (this.isKnown) this.#closes = 0;
  }

  /** A connection was closed in the regular way, with nothing of an answer. */
  closed(answers: number): void {
    if (answers === 1) this.#closes++;
  }
}
