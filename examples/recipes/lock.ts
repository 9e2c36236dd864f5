/**
 * A lock that one holder at most has at a time, as long as most daemons are there. Each turn has a number. A number is
 * tried only when the one before it is over: its holder has said so, or everybody has waited for its lease.
 */
import { setTimeout as pause } from "node:timers/promises";
import { type Client, DbsyncError } from "dbsyncd";

/** Clocks of two machines may run so much faster or slower; how long to wait before looking again. */
const CLOCK_RATES = 1.05;
const LOOK_MS = 100;

export interface Turn {
  /** Greater than that of every turn before: whatever the lock protects is to refuse a lower one than it has seen. */
  readonly number: number;
  /** Milliseconds left of the lease, by whichever clock says less: one does not run while the machine sleeps. */
  left(): number;
  release(): Promise<void>;
}

export class Lock {
  readonly #client: Client;
  readonly #key: string;
  readonly #leaseMs: number;
  #over = 0; // it and all before it
  #tried = { number: 0, at: 0 }; // in vain; from `at` on no caller can receive it

  /** @param client  of all daemons  @param leaseMs  the same for all users of this lock */
  constructor(client: Client, name: string, leaseMs = 10_000) {
    this.#client = client;
    this.#key = `lock:${name}`;
    this.#leaseMs = leaseMs;
  }

  /** @returns null: another holder has had it all the time, or too few daemons agreed */
  async acquire(patienceMs: number): Promise<Turn | null> {
    const end = performance.now() + patienceMs;
    do {
      const [taken, released] = await this.#look();
      const isPast = performance.now() > this.#tried.at + this.#leaseMs * CLOCK_RATES;
      this.#over = Math.max(this.#over, released, isPast ? this.#tried.number : 0);
      const number = Math.max(taken, this.#tried.number, this.#over + 1);
      if (number !== this.#tried.number) {
        const [since, date] = [performance.now(), Date.now()];
        const won = await this.#try(number);
        if (won) return this.#turn(number, since, date);
        if (won === false) this.#tried = { number, at: performance.now() };
      }
      await pause(LOOK_MS * Math.random());
    } while (performance.now() < end);
    return null;
  }

  /** Returns the highest number that was tried, and the highest that was returned. An old answer is harmless: both only rise. */
  async #look(): Promise<[number, number]> {
    const scores = await this.#client.call(["ZMSCORE", this.#key, "taken", "released"]);
    const [taken, released] = scores as [string | null, string | null];
    return [Number(taken ?? 0), Number(released ?? 0)];
  }

  /** @returns true: ours alone; false: another caller's, or not known to be any caller's yet; null: not ours, the rest is unknown */
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
