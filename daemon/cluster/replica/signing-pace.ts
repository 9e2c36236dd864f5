/**
 * Decides when the gateway signs the waiting commands: at the end of the turn, but not while an envelope is being
 * flushed, because the disk would not write the next envelope earlier anyway. Each envelope costs every daemon one
 * signature check and one write, so it should contain many commands. Programs do not wait for the disk: they run at the
 * end of the turn, together with the commands that wait.
 */
import type { Environment } from "../../net/process/clock-and-randomness.js";

/**
 * The number of waiting commands that are signed without waiting for more commands: executing them costs much more than
 * their envelope.
 */
const ENOUGH_COMMANDS = 256;
/** The maximum time in milliseconds that received commands wait for more commands. */
const WAIT_MS = 1;
/**
 * The number of envelopes that are signed without waiting for more commands, after a wait in which too few commands
 * arrived.
 */
const ENVELOPES_WITHOUT_WAIT = 16;

export class SigningPace {
  readonly #environment: Environment;
  readonly #defer: (step: () => void) => void;
  readonly #signAll: () => void;
  #isScheduled = false;
  /** The number of commands that wait to be signed. */
  #waiting = 0;
  /** The number of envelopes that are not flushed yet. */
  #unflushed = 0;
  /** The number of commands in the envelopes that were flushed since the disk was last idle. */
  #answered = 0;
  /** The number of commands to wait for, or 0 if no wait is needed. */
  #awaited = 0;
  #withoutWait = 0;
  #stopWaiting: () => void = () => {};

  /**
   * @param defer    runs a step in the next turn of the event loop
   * @param signAll  signs all waiting commands
   */
  constructor(environment: Environment, defer: (step: () => void) => void, signAll: () => void) {
    this.#environment = environment;
    this.#defer = defer;
    this.#signAll = signAll;
  }

  /** Records that commands have been received, which now wait to be signed. */
  received(commands: number): void {
    this.#waiting += commands;
    this.#schedule();
  }

  /**
   * Records that commands wait that are signed in the next turn, without waiting for the disk: a program has been
   * received, or the turn has ended before all waiting commands were signed.
   */
  continues(commands: number): void {
    this.#waiting += commands;
    if (!this.#isScheduled) this.#signSoon();
  }

  /** Records that an envelope was passed to the disk. */
  recorded(): void {
    this.#unflushed++;
  }

  /** Records that an envelope is on disk, or has failed. @param commands  the number of its commands, now answered */
  flushed(commands: number): void {
    this.#answered += commands;
    if (--this.#unflushed > 0) return;
    if (this.#waiting > 0 && this.#waiting < ENOUGH_COMMANDS && --this.#withoutWait < 0) this.#wait();
    this.#answered = 0;
    this.#schedule();
  }

  /**
   * Waits for the clients that have just been answered. They are likely to send their next commands immediately, and
   * these commands can then go into the same envelope as the waiting ones.
   */
  #wait(): void {
    this.#awaited = Math.min(ENOUGH_COMMANDS, this.#waiting + this.#answered);
    const halfway = (this.#waiting + this.#awaited) / 2;
    this.#stopWaiting = this.#environment.setTimer(WAIT_MS, () => {
      this.#awaited = 0;
      if (this.#waiting < halfway) this.#withoutWait = ENVELOPES_WITHOUT_WAIT;
      this.#schedule();
    });
  }

  #schedule(): void {
    if (this.#isScheduled || this.#unflushed > 0 || this.#waiting === 0 || this.#waiting < this.#awaited)
      return;
    this.#signSoon();
  }

  #signSoon(): void {
    this.#isScheduled = true;
    this.#stopWaiting();
    this.#defer(this.#sign);
  }

  readonly #sign = (): void => {
    this.#isScheduled = false;
    this.#waiting = this.#awaited = 0;
    this.#signAll();
  };
}
