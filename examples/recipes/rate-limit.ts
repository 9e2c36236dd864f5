/** A rate limiter: N calls per time slot and name. Most daemons must agree that the limit is not reached. */
import type { Client, Outcome } from "dbsyncd";

/**
 * The time for which a count is stored after its slot. It is twice the maximum age of dates, so that no late call
 * begins a new count.
 */
const COUNT_LINGER_MS = 60_000;
/** The timeout in milliseconds after which a daemon counts as down. */
const PATIENCE_MS = 250;

export class RateLimit {
  readonly #client: Client;
  readonly #limit: number;
  readonly #slotMs: number;
  readonly #calls: { readonly timeout: number };

  /** @param client  a client of all daemons */
  constructor(client: Client, limit: number, slotMs: number, patienceMs = PATIENCE_MS) {
    this.#client = client;
    this.#limit = limit;
    this.#slotMs = slotMs;
    this.#calls = { timeout: patienceMs };
  }

  /**
   * Returns whether one more call is admitted. Refused calls are counted too. Without most daemons no call is
   * admitted.
   */
  async admit(name: string): Promise<boolean> {
    const key = `rate:${name}:${Math.floor(Date.now() / this.#slotMs)}`;
    const begin = ["SET", key, "0", "PX", String(this.#slotMs + COUNT_LINGER_MS), "NX"];
    this.#client.send(begin, this.#calls).catch(() => {}); // arrives before the following commands
    const counted = await this.#client.sendAll(["INCR", key], this.#calls);
    // INCR returns the position in the final order. GET returns the number of calls that have arrived so far.
    const seen = await this.#client.sendAll(["GET", key], this.#calls);
    const hasRoom = (daemon: Outcome, index: number) =>
      counted.outcomes[index]?.status === "ok" &&
      daemon.status === "ok" &&
      daemon.value !== null &&
      Number(daemon.value) <= this.#limit;
    return 2 * seen.outcomes.filter(hasRoom).length > seen.outcomes.length;
  }
}
