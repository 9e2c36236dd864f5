/**
 * The keys that other clients have changed, as Redis reports them. Each key is compared with the fold, because Redis
 * also reports keys that have merely expired.
 */

import { type ComparisonContext, compareKeys } from "./compare-keys.js";
import type { MirrorKey } from "./dirty-keys.js";
import type { RedisConnections } from "./redis-connections.js";

const SLICE_NAMES = 50;

export class ForeignKeys {
  readonly #names = new Set<string>();
  /**
   * A single iterator is used for many calls, because each new iterator would have to skip the slots of all removed
   * names again.
   */
  #waiting = this.#names.values();
  readonly #max: number;

  /** @param max  maximum number of keys */
  constructor(max: number) {
    this.#max = max;
  }

  get size(): number {
    return this.#names.size;
  }

  /** Adds names. @returns false if there are too many names; in that case all names are dropped */
  add(names: readonly Buffer[]): boolean {
    for (const name of names) {
      if (this.#names.size < this.#max) this.#names.add(name.toString("latin1"));
      else {
        this.clear();
        return false;
      }
    }
    return true;
  }

  clear(): void {
    this.#names.clear();
  }

  /**
   * Compares some of the keys, and marks the keys that differ as dirty.
   * @returns these keys
   * @throws Error  the connections have closed
   */
  async compareSample(
    connections: RedisConnections,
    context: ComparisonContext,
  ): Promise<readonly MirrorKey[]> {
    const names = this.#take();
    const dbs = await usedDatabases(connections, context);
    // Redis does not report the database of a changed key, so the key is compared in every database in use.
    const keys = names.flatMap((key) => dbs.map((db) => ({ db, key })));
    const { different, unreadable } = await compareKeys(connections, keys, context);
    context.dirty.add([...different, ...unreadable]);
    return different;
  }

  #take(): string[] {
    const names: string[] = [];
    while (names.length < SLICE_NAMES && this.#names.size > 0) {
      const next = this.#waiting.next();
      if (next.done) this.#waiting = this.#names.values();
      else {
        this.#names.delete(next.value);
        names.push(next.value);
      }
    }
    return names;
  }
}

async function usedDatabases(
  connections: RedisConnections,
  { fold }: ComparisonContext,
): Promise<readonly number[]> {
  const { keyspaces } = fold.database;
  const theirs = new Set((await connections.keyCounts()).map(({ db }) => db));
  return [...keyspaces.keys()].filter((db) => theirs.has(db) || (keyspaces[db]?.size ?? 0) > 0);
}
