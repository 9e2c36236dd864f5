/**
 * A work queue. Two workers may receive the same job, but its effects on this database happen once. The effects and
 * the end of a job form one unit with a condition, which all daemons decide in the same order.
 */
import type { Client, CommandInput } from "dbsyncd";

const DAY_MS = 86_400_000;
/** The number of waiting jobs that a worker reads to find a free one. */
const JOBS_CHECKED = 100;

export interface Job {
  readonly id: string;
  readonly payload: string;
  /**
   * Writes the effects and the end of the job as one unit. Use commands without an earlier read, such as INCRBY.
   * @returns false if another worker has completed the job; then none of the effects is written
   */
  finish(effects: readonly CommandInput[]): Promise<boolean>;
}

export class Queue {
  readonly #client: Client;
  readonly #name: string;
  readonly #leaseMs: number;

  /** @param leaseMs  the time in milliseconds for which one worker has a job, longer than any job takes */
  constructor(client: Client, name: string, leaseMs = 120_000) {
    this.#client = client;
    this.#name = name;
    this.#leaseMs = leaseMs;
  }

  /** Adds a job. @param id  the id of the job: if it is added again within a day, it is still one job */
  async add(id: string, payload: string): Promise<void> {
    const unknown = [this.#key("job", id), this.#key("done", id)].map((key) => ({ key, writer: null }));
    const job = ["SET", this.#key("job", id), payload];
    await this.#client.multi([job, ["RPUSH", this.#name, id]], { if: unknown, policy: "first" });
  }

  /** Claims a job. @returns null if every job has a worker */
  async take(): Promise<Job | null> {
    const ids = (await this.#client.call(["LRANGE", this.#name, 0, JOBS_CHECKED - 1])) as string[];
    const keys = ids.map((id) => this.#key("claim", id));
    const claims = keys.length === 0 ? [] : await this.#client.call(["MGET", ...keys]);
    for (const [index, id] of ids.entries()) {
      if ((claims as (string | null)[])[index] !== null) continue;
      const claim = ["SET", this.#key("claim", id), "1", "NX", "PX", this.#leaseMs];
      // At most one of two concurrent workers receives OK. If neither does, the job waits until the claim expires.
      const answer = await this.#client.call(claim, { policy: "majority" }).catch(() => null);
      const job = answer === "OK" ? await this.#read(id) : null;
      if (job !== null) return job;
    }
    return null;
  }

  /** Reads a job. @returns null if the job is done */
  async #read(id: string): Promise<Job | null> {
    const key = this.#key("job", id);
    const commands = ["GET", "WRITERS"].map((name) => [name, key]);
    const read = await this.#client.multi(commands, { buffers: true });
    const [payload, writers] = read as [Buffer | null, (Buffer | null)[]];
    const writer = writers[0] ?? null;
    if (payload === null || writer === null) return null;
    // The condition decides which worker's effects count, in the same order on all daemons. Therefore one daemon that
    // records the end is sufficient.
    const end = [
      ["SET", this.#key("done", id), "1", "PX", DAY_MS],
      ["DEL", key, this.#key("claim", id)],
      ["LREM", this.#name, 0, id],
    ];
    const once = { if: [{ key, writer }], policy: "first" } as const;
    const finish = async (effects: readonly CommandInput[]) =>
      (await this.#client.multi([...effects, ...end], once)) !== null;
    return { id, payload: payload.toString(), finish };
  }

  #key(kind: "job" | "done" | "claim", id: string): string {
    return `${this.#name}:${kind}:${id}`;
  }
}
