/**
 * Envelopes that wait for another envelope (`after`). Their number and bytes are limited, in total and for each key
 * (FairShares), and so is the time that an envelope waits.
 */

import type { ByteString } from "../../../protocol/byte-string.js";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { FairShares } from "../backends/fair-shares.js";

/** Maximum number of waiting envelopes. */
const WAITERS_MAX = 1024;
/** Maximum bytes of all waiting envelopes, which stay in memory after their connection has closed. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;
/**
 * The maximum number of bytes that are counted for one envelope. It is the most that a single key may hold, so that a
 * longer envelope can still wait while no other envelope does.
 */
const COUNTED_BYTES_MAX = WAITING_BYTES_MAX / 2;
/** The longest deadline of a client, in milliseconds. */
export const WAIT_MS_MAX = 20_000;

type Resume = (arrived: boolean) => void;

export class WaitingEnvelopes {
  /** Waiting envelopes by the id that they wait for. */
  readonly #waiting = new Map<ByteString, Set<Resume>>();
  readonly #counts = new FairShares();
  readonly #bytes = new FairShares();
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
    const counted = Math.min(bytes, COUNTED_BYTES_MAX);
    if (!this.#counts.take(key, 1, WAITERS_MAX)) return Promise.resolve(false);
    if (!this.#bytes.take(key, counted, WAITING_BYTES_MAX)) {
      this.#counts.give(key, 1);
      return Promise.resolve(false);
    }
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiting);
      const resume: Resume = (arrived) => {
        cancel();
        this.#counts.give(key, 1);
        this.#bytes.give(key, counted);
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
    if (this.#counts.total > 0) for (const resume of [...(this.#waiting.get(id) ?? [])]) resume(true);
  }

  /** Ends all waits. */
  stop(): void {
    for (const waiting of [...this.#waiting.values()]) for (const resume of [...waiting]) resume(false);
  }
}
