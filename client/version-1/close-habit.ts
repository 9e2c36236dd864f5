/**
 * Learns whether a daemon closes the connection after each answer (`-c` of the original). What is written
 * into such a close is lost without a word, so a connection to that daemon is not used for a second call.
 * Command errors that come as second commands look the same; so one connection at a time is left on trial.
 */

/** The number of consecutive connections closed after their first answer that show the habit. */
const CLOSES_TO_LEARN = 2;

export class CloseHabit {
  #closes = 0;

  get isKnown(): boolean {
    return this.#closes >= CLOSES_TO_LEARN;
  }

  /** @param answers  number of answers on that connection; a second one disproves the habit permanently */
  answered(answers: number): void {
    if (answers > 1) this.#closes = Number.NEGATIVE_INFINITY;
  }

  /** Records that the daemon left a connection open after its answer, so it does not have the habit. */
  leftOpen(): void {
    if (this.isKnown) this.#closes = 0;
  }

  /** A connection was closed in the regular way, with nothing of an answer. */
  closed(answers: number): void {
    if (answers === 1) this.#closes++;
  }
}
