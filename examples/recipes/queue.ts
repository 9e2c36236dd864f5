/**
 * A work queue. A job may be handed to two workers; what it does here happens once, as its effects and its end are one
 * unit, and that has a condition which is decided in the order of all.
 */
import type { Client, CommandInput } from "dbsyncd";

const DAY_MS = 86_400_000;
const LOOKED_AT = 100;

export interface Job {
  readonly id: string;
  readonly payload: string;
  /**
   * Writes the job's effects and its end together. Use commands that need no reading before, such as INCRBY.
   * @returns false: another worker has finished it, and none of the effects is written
   */
  finish(effects: readonly CommandInput[]): Promise<boolean>;
}

export class Queue {
  readonly #client: Client;
  readonly #name: string;
  readonly #leaseMs: number;

  /** @param leaseMs  for how long a job is left to one worker: longer than jobs take */
  constructor(client: Client, name: string, leaseMs = 120_000) {
    this.#client = client;
    this.#name = name;
    this.#leaseMs = leaseMs;
  }

  /** @param id  of the job: added again within a day, it is still one */
  async add(id: string, payload: string): Promise<void> {
    const unknown = [this.#key("job", id), this.#key("done", id)].map((key) => ({ key, writer: null }));
    const job = ["SET", this.#key("job", id), payload];
    await this.#client.multi([job, ["RPUSH", this.#name, id]], { if: unknown, policy: "first" });
  }

  /** @returns null: every job has a worker */
  async take(): Promise<Job | null> {
    const ids = (await this.#client.call(["LRANGE", this.#name, 0, LOOKED_AT - 1])) as string[];
    const keys = ids.map((id) => this.#key("claim", id));
    const claims = keys.length === 0 ? [] : await this.#client.call(["MGET", ...keys]);
    for (const [index, id] of ids.entries()) {
      if ((claims as (string | null)[])[index] !== null) continue;
      const claim = ["SET", this.#key("claim", id), "1", "NX", "PX", this.#leaseMs];
      // Of two workers that race, one at most receives OK. If neither does, the job waits until that claim ends.
      const answer = await this.#client.call(claim, { policy: "majority" }).catch(() => null);
      const job = answer === "OK" ? await this.#read(id) : null;
      if (job !== null) return job;
    }
    return null;
  }

  /** @returns null: it is done */
  async #read(id: string): Promise<Job | null> {
    const key = this.#key("job", id);
    const commands = ["GET", "WRITERS"].map((name) => [name, key]);
    const read = await this.#client.multi(commands, { buffers: true });
    const [payload, writers] = read as [Buffer | null, (Buffer | null)[]];
    const writer = writers[0] ?? null;
    if (payload === null || writer === null) return null;
    // The condition decides in the order of all whose effects count. One daemon that records the end is enough to go on.
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
