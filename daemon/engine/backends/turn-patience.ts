/**
 * How long a daemon waits for another one to use its turn. It follows from the time that the members' decisions take,
 * because a turn is used by a command or program on which they decide.
 */

/** The milliseconds of a decision before one was measured. */
const DECISION_MS = 50;
/** The share of a new time in the mean of the measured times. */
const NEW_SHARE = 1 / 8;
/** The patience: this multiple of a decision, between a minimum and a maximum. */
const PATIENCE = 2;
const PATIENCE_MS = 20;
const PATIENCE_MS_MAX = 1_000;

export class TurnPatience {
  /** The mean time of a decision in milliseconds. */
  #decisionMs = DECISION_MS;

  get milliseconds(): number {
    return Math.min(Math.max(PATIENCE_MS, PATIENCE * this.#decisionMs), PATIENCE_MS_MAX);
  }

  /** Records how many milliseconds a decision has taken. One that was delayed by a fault counts as a slow one. */
  took(milliseconds: number): void {
    const counted = Math.min(milliseconds, PATIENCE_MS_MAX / PATIENCE);
    this.#decisionMs += (counted - this.#decisionMs) * NEW_SHARE;
  }
}
