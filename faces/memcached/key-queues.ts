/** Runs the competing changes of an item one after the other. */

import type { ByteString } from "../../protocol/byte-string.js";

/**
 * The changes of each item that have failed because of each other, and then run one after the other. If the members
 * decide on each attempt, one of those that are made at the same time takes effect, and many clients would need very
 * many attempts.
 */
export class KeyQueues {
  /** The last change of each key. */
  readonly #last = new Map<ByteString, Promise<unknown>>();

  /** Runs a change after the earlier ones of the key. */
  async run<Result>(key: ByteString, change: () => Promise<Result>): Promise<Result> {
    const before = this.#last.get(key);
    const ran = before === undefined ? change() : before.then(change, change);
    this.#last.set(key, ran);
    try {
      return await ran;
    } finally {
      if (this.#last.get(key) === ran) this.#last.delete(key);
    }
  }
}
