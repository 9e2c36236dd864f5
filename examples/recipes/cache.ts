/**
 * A cache for a slow function. One caller at a time computes a value while the remaining ones wait for it. If two
 * callers compute it, no harm is done. A value that was computed from data that has changed since then is never
 * stored.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "dbsyncd";

/** The maximum time in milliseconds for computing a value, and the longer time for which changes are remembered. */
const FLIGHT_MS = 10_000;
const CHANGE_KEPT_MS = 20 * FLIGHT_MS;
const RETRY_MS = 25;

export interface CacheTimes {
  readonly ttlMs: number;
  /**
   * The lifetime of the result "no such value". It should be short, because the function is not called again within
   * this time.
   */
  readonly missingMs: number;
}

export class Cache<Value> {
  readonly #client: Client;
  readonly #make: (name: string) => Promise<Value | null>;
  readonly #times: CacheTimes;

  /** @param make  the slow function, which returns null if the value does not exist */
  constructor(client: Client, make: (name: string) => Promise<Value | null>, times: CacheTimes) {
    this.#client = client;
    this.#make = make;
    this.#times = times;
  }

  async get(name: string): Promise<Value | null> {
    const end = performance.now() + FLIGHT_MS;
    while (performance.now() < end) {
      const kept = await this.#client.call(["GET", `cache:${name}`]);
      if (kept !== null) return JSON.parse(kept as string);
      const flight = ["SET", `flight:${name}`, "1", "NX", "PX", FLIGHT_MS];
      // Both commands are one transaction. If another caller has just stored the value, this caller receives it
      // instead of computing it again.
      const [mayFly, made] = (await this.#client.multi([flight, ["GET", `cache:${name}`]])) ?? [];
      if (mayFly === "OK" && made === null) return await this.#fill(name);
      if (mayFly === "OK") await this.#client.call(["DEL", `flight:${name}`]);
      else await pause(RETRY_MS * (1 + Math.random()));
    }
    return await this.#make(name);
  }

  /** Call this after the source of the value has changed, and not before. */
  async changed(name: string): Promise<void> {
    const change = ["SET", `changed:${name}`, randomUUID(), "PX", CHANGE_KEPT_MS];
    await this.#client.multi([change, ["DEL", `cache:${name}`, `flight:${name}`]]);
  }

  async #fill(name: string): Promise<Value | null> {
    const since = performance.now();
    const key = `changed:${name}`;
    const [writer = null] = (await this.#client.call(["WRITERS", key])) as (string | null)[];
    const value = await this.#make(name).catch(async (problem) => {
      await this.#client.call(["DEL", `flight:${name}`]); // another caller may try
      throw problem;
    });
    const { ttlMs, missingMs } = this.#times;
    // Randomizes the expiry of values that were stored together.
    const ms = Math.ceil((value === null ? missingMs : ttlMs) * (0.9 + 0.2 * Math.random()));
    // The answer of one daemon is sufficient: all daemons decide the condition in the same order, so either all of
    // them store the value or none does.
    const keep = ["SET", `cache:${name}`, JSON.stringify(value), "PX", ms];
    if (performance.now() - since < FLIGHT_MS)
      await this.#client.multi([keep, ["DEL", `flight:${name}`]], { if: [{ key, writer }], policy: "first" });
    return value;
  }
}
