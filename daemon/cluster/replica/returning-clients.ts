/**
 * The wait for clients that have just been answered. They are likely to send their next commands immediately, so that
 * these can share an envelope with the commands that already wait. Without it, the clients divide into two halves: one
 * sends its commands while those of the other one are recorded.
 */
import type { Environment } from "../../net/process/clock-and-randomness.js";

/** The number of commands that do not wait for more: executing them costs much more than their envelope. */
const ENOUGH_COMMANDS = 256;
/** The number of envelopes without a wait, after a wait in which too few commands arrived. */
const ENVELOPES_WITHOUT_WAIT = 16;

/** A wait that is under way. */
export interface ReturnWait {
  /** The number of commands at which the caller ends it. */
  readonly awaited: number;
  readonly end: () => void;
}

export class ReturningClients {
  readonly #environment: Pick<Environment, "setTimer">;
  /** The number of next envelopes that do not wait; 0 or less: the next one may wait. */
  #withoutWait = 0;

  constructor(environment: Pick<Environment, "setTimer">) {
    this.#environment = environment;
  }

  /**
   * Begins a wait, unless too few commands arrived in the last one.
   * @param waiting   returns the number of commands that wait
   * @param answered  the number of commands that have just been answered
   * @param maxMs     milliseconds
   * @param isOver    called when the time is over, unless the caller has ended the wait
   * @returns null if the commands need not wait
   */
  begin(waiting: () => number, answered: number, maxMs: number, isOver: () => void): ReturnWait | null {
    const before = waiting();
    const awaited = Math.min(ENOUGH_COMMANDS, before + answered);
    if (before >= awaited || --this.#withoutWait >= 0) return null;
    const end = this.#environment.setTimer(maxMs, () => {
      // Half of them is not enough: of two clients, the fast one would wait for the slow one again and again.
      if (waiting() <= (before + awaited) / 2) this.#withoutWait = ENVELOPES_WITHOUT_WAIT;
      isOver();
    });
    return { awaited, end };
  }
}
