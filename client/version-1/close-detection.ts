/**
 * Detects whether a daemon closes the connection after each answer (`-c` of the original daemon). A command that is
 * written while the daemon closes the connection is lost without an answer, so a connection to such a daemon is used
 * for only one call. Version 1 also closes the connection if a command fails. To distinguish the two cases, one
 * connection at a time stays open without a second command.
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
  stayedOpen(): void {
    if (this.isKnown) this.#closes = 0;
  }

  /** Records that the daemon closed a connection normally, without an answer to the current command. */
  closed(answers: number): void {
    if (answers === 1) this.#closes++;
  }
}
