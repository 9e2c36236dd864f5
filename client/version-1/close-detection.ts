/**
 * Detects whether a daemon closes the connection after each answer (`-c` of the original). A command written during
 * such a close is lost without an answer, so a connection to that daemon is not used for a second call. An error of a
 * second command looks the same, so one connection at a time stays open as a trial.
 */

/** The number of consecutive connections that the daemon must close after their first answer to be detected. */
const CLOSES_TO_LEARN = 2;

export class CloseDetection {
  #closes = 0;

  get isKnown(): boolean {
    return this.#closes >= CLOSES_TO_LEARN;
  }

  /**
   * Records an answer. If a connection receives a second one, the daemon never counts as closing connections again.
   * @param answers  the number of answers on that connection
   */
  answered(answers: number): void {
    if (answers > 1) this.#closes = Number.NEGATIVE_INFINITY;
  }

  /** Records that the daemon left a connection open after its answer. */
  leftOpen(): void {
    if (this.isKnown) this.#closes = 0;
  }

  /** Records that the daemon closed a connection normally, without an answer to the current command. */
  closed(answers: number): void {
    if (answers === 1) this.#closes++;
  }
}
