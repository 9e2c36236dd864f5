/**
 * Envelopes that wait for another one (`after`): bounded in number, bytes and time, in total and for each key (Shares).
 */

import type { Environment } from "../../net/process/environment.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { Shares } from "./shares.js";

/** Maximum envelopes that wait. */
const WAITERS_MAX = 1024;
/** Maximum bytes of them, which stay in memory after their connection has closed. */
const WAITING_BYTES_MAX = 64 * 1024 * 1024;
/**
 * Maximum bytes that one envelope counts as: what a single key may hold, so that a longer one can wait while no other
 * does.
 */
const COUNTED_BYTES_MAX = WAITING_BYTES_MAX / 2;
/** Milliseconds: the longest deadline of a client. */
const WAIT_MS_MAX = 20_000;

type Resume = (came: boolean) => void;

export class Waiters {
  /** Waiting envelopes by the id that they wait for. */
  readonly #waiting = new Map<ByteString, Set<Resume>>();
  readonly #counts = new Shares();
  readonly #bytes = new Shares();
  readonly #environment: Environment;

  constructor(environment: Environment) {
    this.#environment = environment;
  }

  /**
   * Waits until an envelope was applied; false: not in time, or too many wait, in total or of this key.
   * @param key    signer of the one that waits
   * @param bytes  of it
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
      const resume: Resume = (came) => {
        cancel();
        this.#counts.give(key, 1);
        this.#bytes.give(key, counted);
        waiting.delete(resume);
        if (waiting.size === 0) this.#waiting.delete(id);
        resolve(came);
      };
      const cancel = this.#environment.setTimer(WAIT_MS_MAX, () => resume(false));
      waiting.add(resume);
    });
  }

  /** Resumes those that wait for an envelope, which was applied. */
  applied(id: ByteString): void {
    if (this.#counts.total > 0) for (const resume of [...(this.#waiting.get(id) ?? [])]) resume(true);
  }

  /** Ends all waiting. */
  stop(): void {
    for (const waiting of [...this.#waiting.values()]) for (const resume of [...waiting]) resume(false);
  }
}
