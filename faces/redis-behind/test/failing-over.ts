/**
 * Increments counters for many callers of one daemon while its Redis fails, and checks which increments were
 * acknowledged or may have been executed.
 */
import assert from "node:assert/strict";
import { createClient, DbsyncError } from "../../../client/public-api.js";
import type { DaemonProcess } from "../../../test/support/daemon-process.js";
import { until } from "../../../test/support/until.js";

/** Maximum milliseconds that a client waits. */
const TIMEOUT_MS = 20_000;

interface Counter {
  acknowledged: number;
  unknown: number;
}

export class CountingLoad implements AsyncDisposable {
  readonly #client;
  readonly #counters = new Map<string, Counter>();
  readonly #callers: Promise<void>[];
  #isStopped = false;
  #acknowledged = 0;

  constructor(daemon: DaemonProcess, callers: number) {
    this.#client = createClient({ servers: `127.0.0.1:${daemon.port}`, timeout: TIMEOUT_MS });
    this.#callers = Array.from({ length: callers }, (_, i) => this.#call(`n:${i}`));
  }

  /** Waits until the given number of additional increments is acknowledged. */
  async more(count: number): Promise<void> {
    const goal = this.#acknowledged + count;
    await until(`${count} more increments are acknowledged`, async () => this.#acknowledged >= goal);
  }

  /** Waits until each key can be written. */
  async servesAgain(): Promise<void> {
    for (const key of this.#counters.keys())
      await until(
        `again:${key} is written`,
        async () => (await this.#client.send(["INCR", `again:${key}`])) !== null,
        { mayFail: true },
      );
  }

  /** Stops the callers, and checks each counter. */
  async check(): Promise<void> {
    this.#isStopped = true;
    await Promise.all(this.#callers);
    const wrong: string[] = [];
    for (const [key, { acknowledged, unknown }] of this.#counters) {
      const count = Number(await this.#client.send(["GET", key]));
      const most = acknowledged + unknown;
      if (count < acknowledged || count > most)
        wrong.push(`${key}: ${count}, not ${acknowledged} to ${most}`);
    }
    assert.deepEqual(wrong, []);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    this.#isStopped = true;
    await this.#client.close();
    await Promise.all(this.#callers);
  }

  async #call(key: string): Promise<void> {
    const counter: Counter = { acknowledged: 0, unknown: 0 };
    this.#counters.set(key, counter);
    while (!this.#isStopped) {
      try {
        await this.#client.send(["INCR", key]);
        counter.acknowledged++;
        this.#acknowledged++;
      } catch (problem) {
        assert.ok(problem instanceof DbsyncError, String(problem));
        if (problem.effect === "unknown") counter.unknown++;
      }
    }
  }
}
