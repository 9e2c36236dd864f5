/**
 * Two kinds of unique numbers. `UniqueNumbers` returns numbers immediately, from reserved blocks and with gaps.
 * `positionOf` returns numbers without gaps, but waits until all daemons agree on their order.
 */
import { type Client, DbsyncError } from "dbsyncd";

const BLOCK = 1000;
/** The maximum time in milliseconds to wait for a final order. */
const STABLE_MS = 60_000;

/** Numbers of which each is returned only once, in all programs that use the same name. */
export class UniqueNumbers {
  readonly #client: Client;
  readonly #key: string;
  #block = 0; // the last block that this program has tried
  #next = 0;
  #end = 0;
  #reserving: Promise<void> | null = null;

  /** @param client  a client of all daemons */
  constructor(client: Client, name: string) {
    this.#client = client;
    this.#key = `numbers:${name}`;
  }

  async next(): Promise<number> {
    while (this.#next === this.#end) {
      this.#reserving ??= this.#reserve().finally(() => {
        this.#reserving = null;
      });
      await this.#reserving;
    }
    return this.#next++;
  }

  /**
   * Reserves a block. The block belongs to this program if most daemons confirm it. The program never tries the same
   * block twice.
   */
  async #reserve(): Promise<void> {
    const highest = Number((await this.#client.call(["ZSCORE", this.#key, "block"])) ?? 0);
    this.#block = Math.max(highest, this.#block) + 1;
    const command = ["ZADD", this.#key, "GT", "CH", this.#block, "block"];
    const answer = await this.#client.call(command, { policy: "majority" }).catch(lost);
    if (answer !== 1) return;
    this.#next = this.#block * BLOCK;
    this.#end = this.#next + BLOCK;
  }
}

/**
 * Handles a failed attempt. If two programs try the same block, both may fail to reserve it, and then try the next
 * block. If too few daemons answer, the error is thrown.
 */
function lost(problem: unknown): null {
  const isRace = problem instanceof DbsyncError && ["answers-differ", "late-answers"].includes(problem.code);
  if (!isRace) throw problem;
  return null;
}

/**
 * Returns 1, 2, 3, … without gaps. The result is final, and always the same for the same id. After an error, call the
 * function again with the same id.
 * @param client  a client of all daemons
 * @param id  the id of the item to number, for example of an order
 */
export async function positionOf(client: Client, list: string, id: string): Promise<number> {
  const mark = `${list}:${id}`;
  const once = [{ key: mark, writer: null }];
  await client.multi(
    [
      ["SET", mark, "1"],
      ["RPUSH", list, id],
    ],
    { if: once, stable: true, timeout: STABLE_MS },
  );
  // `all-equal` requires the same answer from every daemon, including the one that reported the unit as final.
  const index = await client.call(["LPOS", list, id], { policy: "all-equal" });
  return Number(index) + 1;
}
