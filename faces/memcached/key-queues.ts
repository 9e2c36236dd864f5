/** Runs the competing changes of an item one after the other. */

import type { ByteString } from "../../protocol/byte-string.js";

/**
 * The changes of each item that have failed because of each other, and then run one after the other. If the members
 * decide on each attempt, only one of those that are made at the same time takes effect, so many clients would need
 * very many attempts.
 */
export class KeyQueues {
  /** The changes of each key that wait for the running one. */
  readonly #queues = new Map<ByteString, (() => void)[]>();

  /**
   * Runs a change after the earlier ones of the key. After a failed one, all that wait run immediately: if the members
   * make no decision, each change takes as long as its time limit.
   */
  async run<Result>(
    key: ByteString,
    change: () => Promise<Result>,
    hasFailed: (result: Result) => boolean,
  ): Promise<Result> {
    const queue = this.#queues.get(key) ?? [];
    if (this.#queues.has(key)) await new Promise<void>((resolve) => queue.push(resolve));
    else this.#queues.set(key, queue);

    let mayContinue = false;
    try {
      const result = await change();
      mayContinue = !hasFailed(result);
      return result;
    } finally {
      const next = queue.splice(0, mayContinue ? 1 : queue.length);
      const isEnd = !mayContinue || next.length === 0;
      if (isEnd && this.#queues.get(key) === queue) this.#queues.delete(key);
      for (const begin of next) begin();
    }
  }
}
