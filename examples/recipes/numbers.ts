/**
 * Unique numbers, in two kinds. `UniqueNumbers`: immediately, from blocks, with gaps. `placeOf`: without gaps and in an order that all
 * daemons agree on, when that order is final.
 */
import { type Client, DbsyncError } from "dbsyncd";

const BLOCK = 1000;
/** The longest that may be waited for what is final. */
const STABLE_MS = 60_000;

/** Hands out each number once, by one of all the programs that use this name. */
export class UniqueNumbers {
  readonly #client: Client;
  readonly #key: string;
  #block = 0; // the last that we tried to get
  #next = 0;
  #end = 0;
  #reserving: Promise<void> | null = null;

  /** @param client  of all daemons */
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

  /** A block is ours if most daemons say so; whether or not, it is never tried again. */
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

/** If two callers try one block, each may lose it and tries the next. If too few daemons answer, the error is reported. */
function lost(problem: unknown): null {
  const isRace = problem instanceof DbsyncError && ["answers-differ", "late-answers"].includes(problem.code);
  if (!isRace) throw problem;
  return null;
}

/**
 * Returns 1, 2, 3, … without gaps, final, and permanently the same for the same id. If it fails, call it again with the same id.
 * @param client  of all daemons
 * @param id  of what is to be numbered: an order's, say
 */
export async function placeOf(client: Client, list: string, id: string): Promise<number> {
  const mark = `${list}:${id}`;
  const once = [{ key: mark, writer: null }];
  await client.multi(
    [
      ["SET", mark, "1"],
      ["RPUSH", list, id],
    ],
    { if: once, stable: true, timeout: STABLE_MS },
  );
  // The daemon that called it final has it in its state; what all say alike, it says too.
  const place = await client.call(["LPOS", list, id], { policy: "all-equal" });
  return Number(place) + 1;
}
