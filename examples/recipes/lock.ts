/**
 * A lock with at most one owner at any time. Acquiring it requires most daemons. Each turn has a number. A client
 * tries a number only after the previous turn has ended: its owner has released it, or its lease is over.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Client, DbsyncError } from "dbsyncd";

/** The factor by which the speeds of two clocks may differ, and the maximum pause between two attempts. */
const CLOCK_RATES = 1.05;
const PAUSE_MS = 100;

export interface Turn {
  /** Greater than the numbers of all earlier turns. The protected resource should refuse outdated numbers. */
  readonly number: number;
  /** Returns the remaining milliseconds of the lease. Uses two clocks: one stops while the machine is suspended. */
  left(): number;
  release(): Promise<void>;
}

export class Lock {
  readonly #client: Client;
  readonly #key: string;
  readonly #leaseMs: number;
  #over = 0; // the last turn that has ended; all earlier ones have also ended
  #tried = { number: 0, at: 0 }; // the last failed attempt; after `at` no client can acquire this number

  /** @param client  a client of all daemons  @param leaseMs  the lease, equal for all users of this lock */
  constructor(client: Client, name: string, leaseMs = 10_000) {
    this.#client = client;
    this.#key = `lock:${name}`;
    this.#leaseMs = leaseMs;
  }

  /** Acquires the lock. @returns null if other owners had it all the time, or too few daemons agreed */
  async acquire(patienceMs: number): Promise<Turn | null> {
    const end = performance.now() + patienceMs;
    do {
      const [taken, released] = await this.#read();
      const isPast = performance.now() > this.#tried.at + this.#leaseMs * CLOCK_RATES;
      this.#over = Math.max(this.#over, released, isPast ? this.#tried.number : 0);
      const number = Math.max(taken, this.#tried.number, this.#over + 1);
      if (number !== this.#tried.number) {
        const [since, date] = [performance.now(), Date.now()];
        const won = await this.#try(number);
        if (won) return this.#turn(number, since, date);
        if (won === false) this.#tried = { number, at: performance.now() };
      }
      await pause(PAUSE_MS * Math.random());
    } while (performance.now() < end);
    return null;
  }

  /** Returns the highest tried and the highest released number. An outdated answer is harmless: both only increase. */
  async #read(): Promise<[number, number]> {
    const scores = await this.#client.call(["ZMSCORE", this.#key, "taken", "released"]);
    const [taken, released] = scores as [string | null, string | null];
    return [Number(taken ?? 0), Number(released ?? 0)];
  }

  /** Tries a number. @returns true if acquired, false if another client may have acquired it, null if not acquired */
  async #try(number: number): Promise<boolean | null> {
    try {
      const command = ["ZADD", this.#key, "GT", "CH", number, "taken"];
      return (await this.#client.call(command, { policy: "majority" })) === 1;
    } catch (problem) {
      if (problem instanceof DbsyncError && problem.outcomes.length > 0) return null;
      throw problem;
    }
  }

  #turn(number: number, since: number, date: number): Turn {
    const passed = () => Math.max(performance.now() - since, Date.now() - date);
    const release = ["ZADD", this.#key, "GT", number, "released"];
    return {
      number,
      left: () => this.#leaseMs - passed(),
      release: async () => void (await this.#client.call(release)),
    };
  }
}
