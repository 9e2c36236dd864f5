/**
 * Increments a counter by WATCH, GET, MULTI, SET and EXEC, as many libraries do, and counts the acknowledged
 * increments.
 */
import assert from "node:assert/strict";
import type { RedisLine } from "./redis-line.js";

export class Increments {
  /** EXECs that were answered with something other than nil. */
  acknowledged = 0;
  /** EXECs whose answer was an error, or did not come: each may have been applied. */
  unknown = 0;
  /** Reads of less than had been acknowledged to the same connection. */
  readonly stale: string[] = [];
  readonly #key: string;
  /** The highest value that was acknowledged, by connection. */
  readonly #seen = new WeakMap<RedisLine, number>();

  constructor(key: string) {
    this.#key = key;
  }

  /**
   * Increments once.
   * @returns whether the EXEC was acknowledged; null: unknown.
   * @throws Error  the connection was closed before EXEC was sent
   */
  async add(line: RedisLine): Promise<boolean | null> {
    if ((await line.call("WATCH", this.#key)) instanceof Error) return false;
    const read = await line.call("GET", this.#key);
    if (read instanceof Error) {
      await line.call("UNWATCH");
      return false;
    }
    const before = Number(read ?? 0);
    const seen = this.#seen.get(line) ?? 0;
    if (before < seen) this.stale.push(`${before} after ${seen}`);
    await line.call("MULTI");
    await line.call("SET", this.#key, before + 1);
    const done = await line.call("EXEC").catch((reason: Error) => reason);
    if (done instanceof Error) {
      const isCertain = /^(NOTAPPLIED|EXECABORT)/.test(done.message);
      if (!isCertain) this.unknown++;
      return isCertain ? false : null;
    }
    if (done === null) return false;
    this.acknowledged++;
    this.#seen.set(line, before + 1);
    return true;
  }

  /**
   * Checks the result.
   * @throws AssertionError  an acknowledged EXEC has no effect, one that was answered nil has one, or a connection
   *   read an old value
   */
  check(counter: number): void {
    const { acknowledged, unknown } = this;
    const told = `the counter is ${counter} after ${acknowledged} acknowledged EXECs and ${unknown} of unknown effect`;
    assert.ok(counter >= acknowledged && counter <= acknowledged + unknown, told);
    assert.deepEqual(this.stale, [], "connections read what was acknowledged to them");
  }
}
