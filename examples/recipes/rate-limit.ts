/** A rate limiter: N calls in each slot of time, for each name. Most daemons must agree that there is room. */
import type { Client, Outcome } from "dbsyncd";

/** Counts outlive their slot by twice as far as dates may lie back, so that no late call begins a count again. */
const KEPT_MS = 60_000;
/** A daemon that says nothing for so long counts as one that is away. */
const PATIENCE_MS = 250;

export class RateLimit {
  readonly #client: Client;
  readonly #limit: number;
  readonly #slotMs: number;
  readonly #calls: { readonly timeout: number };

  /** @param client  of all daemons */
  constructor(client: Client, limit: number, slotMs: number, patienceMs = PATIENCE_MS) {
    this.#client = client;
    this.#limit = limit;
    this.#slotMs = slotMs;
    this.#calls = { timeout: patienceMs };
  }

  /** Whether there is room for one more, which is counted either way. Without most daemons there is none. */
  async admit(name: string): Promise<boolean> {
    const key = `rate:${name}:${Math.floor(Date.now() / this.#slotMs)}`;
    const begin = ["SET", key, "0", "PX", String(this.#slotMs + KEPT_MS), "NX"];
    this.#client.send(begin, this.#calls).catch(() => {}); // arrives before what follows
    const counted = await this.#client.sendAll(["INCR", key], this.#calls);
    // INCR has answered its index among all, and some of those may still come. GET answers how many have come.
    const seen = await this.#client.sendAll(["GET", key], this.#calls);
    const hasRoom = (daemon: Outcome, index: number) =>
      counted.outcomes[index]?.status === "ok" &&
      daemon.status === "ok" &&
      daemon.value !== null &&
      Number(daemon.value) <= this.#limit;
    return 2 * seen.outcomes.filter(hasRoom).length > seen.outcomes.length;
  }
}
