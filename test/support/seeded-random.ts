/**
 * Random numbers for tests: the same seed always yields the same sequence. Tests print their seed. DBSYNC_SEED
 * replays a run, and `npm run explore` draws other seeds.
 */

/** The default seed. It is fixed, so that runs do not fail by chance. */
const SEED_DEFAULT = 1;

/** Returns the seed of this run: DBSYNC_SEED, or the default seed. */
export function seedOfRun(): number {
  const variable = process.env["DBSYNC_SEED"];
  if (variable === undefined || variable === "") return SEED_DEFAULT;
  const seed = Number(variable);
  if (!Number.isSafeInteger(seed)) throw new Error(`DBSYNC_SEED must be a whole number, not "${variable}".`);
  return seed;
}

export class SeededRandom {
  #state: number;

  /**
   * Creates a generator from the lowest 32 bits of `seed`.
   * @param path  numbers that identify a part of the run, so that this part can be replayed alone
   */
  constructor(seed: number, ...path: readonly number[]) {
    this.#state = seed >>> 0;
    for (const number of path) this.#state = (this.#next() ^ Math.imul(number + 1, 0x9e3779b1)) >>> 0;
  }

  /** Returns an integer x with 0 ≤ x < n. */
  below(n: number): number {
    return this.#next() % n;
  }

  /** Returns an integer x with from ≤ x ≤ to. */
  between(from: number, to: number): number {
    return from + this.below(to - from + 1);
  }

  /** Returns true with the given probability. */
  chance(probability: number): boolean {
    return this.#next() < probability * 2 ** 32;
  }

  /** Returns one of the choices, each with the same probability. */
  oneOf<T>(choices: readonly T[]): T {
    return choices[this.below(choices.length)] as T;
  }

  /** Returns the items in a random order, as a new array. */
  shuffled<T>(items: readonly T[]): T[] {
    const result = [...items];
    for (let last = result.length - 1; last > 0; last--) {
      const other = this.below(last + 1);
      const item = result[last] as T;
      result[last] = result[other] as T;
      result[other] = item;
    }
    return result;
  }

  /** Returns 32 random bits (splitmix32). */
  #next(): number {
    this.#state = (this.#state + 0x9e3779b9) >>> 0;
    let bits = this.#state;
    bits = Math.imul(bits ^ (bits >>> 16), 0x21f0aaad);
    bits = Math.imul(bits ^ (bits >>> 15), 0x735a2d97);
    return (bits ^ (bits >>> 15)) >>> 0;
  }
}
