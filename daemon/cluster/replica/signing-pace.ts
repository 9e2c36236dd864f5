/**
 * The time at which the gateway signs the waiting commands: at the end of the turn, but not while an envelope is being
 * flushed, because the disk would not write the next envelope earlier anyway. Each envelope costs every daemon one
 * signature check and one write, so it should contain many commands. Programs do not wait for the disk: they run at the
 * end of the turn, together with the commands that wait.
 */
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { ReturningClients, type ReturnWait } from "./returning-clients.js";

/** The maximum time in milliseconds that received commands wait for more commands. */
const WAIT_MS = 1;

export class SigningPace {
  readonly #returning: ReturningClients;
  readonly #defer: (step: () => void) => void;
  readonly #signAll: () => void;
  #isScheduled = false;
  /** The number of commands that wait to be signed. */
  #waiting = 0;
  /** The number of envelopes that are not flushed yet. */
  #unflushed = 0;
  /** The number of commands in the envelopes that were flushed since the disk was last idle. */
  #answered = 0;
  /** The wait for the clients that have just been answered, or null if none is under way. */
  #wait: ReturnWait | null = null;

  /**
   * @param defer    runs a step in the next turn of the event loop
   * @param signAll  signs all waiting commands
   */
  constructor(environment: Environment, defer: (step: () => void) => void, signAll: () => void) {
    this.#returning = new ReturningClients(environment);
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
    if (this.#waiting > 0)
      this.#wait = this.#returning.begin(this.#count, this.#answered, WAIT_MS, this.#isOver);
    this.#answered = 0;
    this.#schedule();
  }

  readonly #count = (): number => this.#waiting;

  readonly #isOver = (): void => {
    this.#wait = null;
    this.#schedule();
  };

  #schedule(): void {
    const isAwaiting = this.#wait !== null && this.#waiting < this.#wait.awaited;
    if (this.#isScheduled || this.#unflushed > 0 || this.#waiting === 0 || isAwaiting) return;
    this.#signSoon();
  }

  #signSoon(): void {
    this.#isScheduled = true;
    this.#wait?.end();
    this.#defer(this.#sign);
  }

  readonly #sign = (): void => {
    this.#isScheduled = false;
    this.#waiting = 0;
    this.#wait = null;
    this.#signAll();
  };
}
