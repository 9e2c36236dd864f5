/**
 * Decides when the gateway signs what waits: at the end of the turn, but not while an envelope is on its way to the
 * disk, which takes one after the other. Each envelope costs every daemon the check of a signature and a write, so it
 * should hold many commands.
 */
import type { Environment } from "../../net/process/environment.js";

/** Commands that are enough for an envelope: its own cost is small compared with what they do. */
const ENOUGH = 256;
/** Milliseconds that some commands wait for more, at most. */
const WAIT_MS = 1;
/** Envelopes that are signed without waiting after a wait was in vain. */
const ENVELOPES_AT_ONCE = 16;

export class SigningPace {
  readonly #environment: Environment;
  readonly #defer: (step: () => void) => void;
  readonly #signAll: () => void;
  #isScheduled = false;
  /** Commands that wait. */
  #waiting = 0;
  /** Envelopes that are not flushed yet. */
  #unflushed = 0;
  /** Commands of the envelopes that were flushed since the last ones were signed. */
  #answered = 0;
  /** The number of commands that are waited for; 0: those that are there are enough. */
  #wanted = 0;
  #atOnce = 0;
  #stopWaiting: () => void = () => {};

  /**
   * @param defer    runs a step in the next turn of the event loop
   * @param signAll  signs all that waits
   */
  constructor(environment: Environment, defer: (step: () => void) => void, signAll: () => void) {
    this.#environment = environment;
    this.#defer = defer;
    this.#signAll = signAll;
  }

  /** Notes that commands have been received. */
  came(commands: number): void {
    this.#waiting += commands;
    this.#schedule();
  }

  /** Notes that an envelope is on its way to the disk. */
  recorded(): void {
    this.#unflushed++;
  }

  /** Notes that an envelope is on disk, or never will be. @param commands  of it, which have been answered */
  flushed(commands: number): void {
    this.#answered += commands;
    if (--this.#unflushed > 0) return;
    if (this.#waiting > 0 && this.#waiting < ENOUGH && --this.#atOnce < 0) this.#wait();
    this.#answered = 0;
    this.#schedule();
  }

  /**
   * Waits for clients that have just been answered: they are likely to send more immediately, as they did before, and
   * it may go with what waits.
   */
  #wait(): void {
    this.#wanted = Math.min(ENOUGH, this.#waiting + this.#answered);
    const some = (this.#waiting + this.#wanted) / 2;
    this.#stopWaiting = this.#environment.setTimer(WAIT_MS, () => {
      this.#wanted = 0;
      if (this.#waiting < some) this.#atOnce = ENVELOPES_AT_ONCE;
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#unflushed > 0 || this.#waiting === 0 || this.#waiting < this.#wanted)
      return;
    this.#isScheduled = true;
    this.#stopWaiting();
    this.#defer(this.#sign);
  }

  readonly #sign = (): void => {
    this.#isScheduled = false;
    this.#waiting = this.#wanted = 0;
    this.#signAll();
  };
}
