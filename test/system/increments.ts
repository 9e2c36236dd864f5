/**
 * Increments a counter with WATCH, GET, MULTI, SET (or a script) and EXEC, as many libraries do, and counts the
 * acknowledged increments.
 */
import assert from "node:assert/strict";
import type { RedisConnection } from "../support/redis-connection.js";

const ADD_ONE = "return redis.call('SET', KEYS[1], (redis.call('GET', KEYS[1]) or 0) + 1)";

export class Increments {
  /** The number of EXECs with an answer other than nil. */
  acknowledged = 0;
  /** The number of EXECs without an answer or with an error. Each such EXEC may have been applied. */
  unknown = 0;
  /** Reads that returned a lower value than an acknowledged increment of the same connection. */
  readonly stale: string[] = [];
  readonly #key: string;
  /** The highest acknowledged value of each connection. */
  readonly #highest = new WeakMap<RedisConnection, number>();

  constructor(key: string) {
    this.#key = key;
  }

  /**
   * Increments the counter once.
   * @param how  `script`: a script reads and sets the value in the transaction
   * @returns whether the EXEC was acknowledged, or null if this is unknown
   * @throws Error  if the connection is closed before EXEC is sent
   */
  async add(line: RedisConnection, how: "set" | "script" = "set"): Promise<boolean | null> {
    if ((await line.value("WATCH", this.#key)) instanceof Error) return false;
    const read = await line.value("GET", this.#key);
    if (read instanceof Error) {
      await line.value("UNWATCH");
      return false;
    }

    const before = Number(read ?? 0);
    const highest = this.#highest.get(line) ?? 0;
    if (before < highest) this.stale.push(`${before} after ${highest}`);

    await line.value("MULTI");
    if (how === "set") await line.value("SET", this.#key, before + 1);
    else await line.value("EVAL", ADD_ONE, 1, this.#key);
    const done = await line.value("EXEC").catch((reason: Error) => reason);
    if (done instanceof Error) {
      const isCertain = /^(NOTAPPLIED|EXECABORT)/.test(done.message);
      if (!isCertain) this.unknown++;
      return isCertain ? false : null;
    }

    if (done === null) return false;
    this.acknowledged++;
    this.#highest.set(line, before + 1);
    return true;
  }

  /**
   * Checks the final value of the counter.
   * @throws AssertionError  if an acknowledged EXEC has no effect, an EXEC answered with nil has an effect, or a
   *   connection has read an old value
   */
  check(counter: number): void {
    const { acknowledged, unknown } = this;
    const summary = `the counter is ${counter} after ${acknowledged} acknowledged EXECs and ${unknown} of unknown effect`;
    assert.ok(counter >= acknowledged && counter <= acknowledged + unknown, summary);
    assert.deepEqual(this.stale, [], "connections read their own acknowledged writes");
  }
}
