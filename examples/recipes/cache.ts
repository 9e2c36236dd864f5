/**
 * A cache in front of something slow. One caller at a time makes a value while the remaining ones wait for it; if two do after all, nothing
 * is harmed. A value made from data that have changed since is never stored.
 */
import { randomUUID } from "node:crypto";
import { setTimeout as pause } from "node:timers/promises";
import type { Client } from "dbsyncd";

/** A maker has so long; what changed is remembered for longer. */
const FLIGHT_MS = 10_000;
const CHANGE_KEPT_MS = 20 * FLIGHT_MS;
const LOOK_MS = 25;

export interface CacheTimes {
  readonly ttlMs: number;
  /** Lifetime of "there is no such value": short, and even that is asked for only once. */
  readonly missingMs: number;
}

export class Cache<Value> {
  readonly #client: Client;
  readonly #make: (name: string) => Promise<Value | null>;
  readonly #times: CacheTimes;

  /** @param make  what is slow; null: there is nothing of that name */
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
      // In one transaction: a caller that may make the value because another has just finished finds its value.
      const [mayFly, made] = (await this.#client.multi([flight, ["GET", `cache:${name}`]])) ?? [];
      if (mayFly === "OK" && made === null) return await this.#fill(name);
      if (mayFly === "OK") await this.#client.call(["DEL", `flight:${name}`]);
      else await pause(LOOK_MS * (1 + Math.random()));
    }
    return await this.#make(name);
  }

  /** To be called when the source of the value has changed, and not before. */
  async changed(name: string): Promise<void> {
    const change = ["SET", `changed:${name}`, randomUUID(), "PX", CHANGE_KEPT_MS];
    await this.#client.multi([change, ["DEL", `cache:${name}`, `flight:${name}`]]);
  }

  async #fill(name: string): Promise<Value | null> {
    const since = performance.now();
    const key = `changed:${name}`;
    const [writer = null] = (await this.#client.call(["WRITERS", key])) as (string | null)[];
    const value = await this.#make(name).catch(async (problem) => {
      await this.#client.call(["DEL", `flight:${name}`]); // the next one may try
      throw problem;
    });
    const { ttlMs, missingMs } = this.#times;
    // Spreads the ends of values that were stored together.
    const ms = Math.ceil((value === null ? missingMs : ttlMs) * (0.9 + 0.2 * Math.random()));
    // One daemon is enough to keep a value: what counts is the condition in the order of all, not the answer.
    const keep = ["SET", `cache:${name}`, JSON.stringify(value), "PX", ms];
    if (performance.now() - since < FLIGHT_MS)
      await this.#client.multi([keep, ["DEL", `flight:${name}`]], { if: [{ key, writer }], policy: "first" });
    return value;
  }
}
