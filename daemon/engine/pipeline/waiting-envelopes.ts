/**
 * Envelopes that wait for another envelope (`after`). Their number and bytes are limited, in total and for each key
 * (WaitingShares), and so is the time that an envelope waits.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { WaitingShares } from "../backends/fair-shares.js";

/** Maximum number of waiting envelopes. */
const WAITERS_MAX = 1024;
/** Maximum bytes of all waiting envelopes, which stay in memory after their connection has closed. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;
/** The longest deadline of a client, in milliseconds. */
const WAIT_MS_MAX = 20_000;

type Resume = (arrived: boolean) => void;

export class WaitingEnvelopes {
  /** Waiting envelopes by the id that they wait for. */
  readonly #waiting = new Map<ByteString, Set<Resume>>();
  readonly #shares = new WaitingShares(WAITERS_MAX, WAITING_BYTES_MAX);
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /**
   * Waits until the envelope with an id has been applied.
   * @returns false if that takes too long, or if too many envelopes already wait, in total or for this key
   * @param key    the signer of the waiting envelope
   * @param bytes  the length of the waiting envelope
   */
  wait(id: ByteString, key: ByteString, bytes: number): Promise<boolean> {
    if (!this.#shares.take(key, bytes)) return Promise.resolve(false);
    return this.#wait(id, () => this.#shares.give(key, bytes));
  }

  /** Waits until an envelope has been applied that is already limited elsewhere. @returns false if it takes too long */
  waitForAdmitted(id: ByteString): Promise<boolean> {
    return this.#wait(id, () => {});
  }

  #wait(id: ByteString, release: () => void): Promise<boolean> {
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiting);

      const resume: Resume = (arrived) => {
        cancel();
        release();
        waiting.delete(resume);
        if (waiting.size === 0) this.#waiting.delete(id);
        resolve(arrived);
      };

      const cancel = this.#environment.setTimer(WAIT_MS_MAX, () => resume(false));
      waiting.add(resume);
    });
  }

  /** Resumes the envelopes that wait for an envelope that has been applied. */
  applied(id: ByteString): void {
    if (this.#waiting.size > 0) for (const resume of [...(this.#waiting.get(id) ?? [])]) resume(true);
  }

  /** Ends the waits for an envelope that may never be applied here. */
  giveUp(id: ByteString): void {
    for (const resume of [...(this.#waiting.get(id) ?? [])]) resume(false);
  }

  /** Ends all waits. */
  stop(): void {
    for (const waiting of [...this.#waiting.values()]) for (const resume of [...waiting]) resume(false);
  }
}
