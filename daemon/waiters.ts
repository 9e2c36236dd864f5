/** Envelopes that wait for another one (`after`): bounded in number, bytes and time. */
import type { ByteString } from "../protocol/byte-string.js";

/** Envelopes that may wait at a time. */
const WAITERS_MOST = 1024;
/** Bytes of theirs, which stay when their connection has gone; one alone may be as long as it likes. */
const WAITING_BYTES_MOST = 64 * 1024 * 1024;
/** Milliseconds: a client's own longest deadline. */
const WAIT_MOST_MS = 20_000;

type Resume = (came: boolean) => void;

export class Waiters {
  /** By the id that is waited for. */
  readonly #waiting = new Map<ByteString, Set<Resume>>();
  #count = 0;
  #bytes = 0;

  /**
   * Whether an envelope was applied in time; at once false if too many wait.
   * @param bytes  of the one that waits
   */
  wait(id: ByteString, bytes: number): Promise<boolean> {
    const isTooMuch = this.#count > 0 && this.#bytes + bytes > WAITING_BYTES_MOST;
    if (this.#count >= WAITERS_MOST || isTooMuch) return Promise.resolve(false);
    this.#count++;
    this.#bytes += bytes;
    return new Promise((resolve) => {
      const waiting = this.#waiting.get(id) ?? new Set();
      this.#waiting.set(id, waiting);
      const resume: Resume = (came) => {
        clearTimeout(timer);
        this.#count--;
        this.#bytes -= bytes;
        waiting.delete(resume);
        if (waiting.size === 0) this.#waiting.delete(id);
        resolve(came);
      };
      const timer = setTimeout(() => resume(false), WAIT_MOST_MS);
      waiting.add(resume);
    });
  }

  /** An envelope was applied. */
  applied(id: ByteString): void {
    if (this.#count > 0) for (const resume of [...(this.#waiting.get(id) ?? [])]) resume(true);
  }

  /** Nobody waits any longer. */
  stop(): void {
    for (const waiting of [...this.#waiting.values()]) for (const resume of [...waiting]) resume(false);
  }
}
