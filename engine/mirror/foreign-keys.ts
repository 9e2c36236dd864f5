/** Keys that others are heard to have changed in Redis: looked at, since a key whose time is over is told of as well. */
import type { MirrorKey } from "./dirty-keys.js";
import { lookAt, type MirrorScene } from "./looking.js";
import type { RedisLine } from "./redis-line.js";

const SLICE_NAMES = 50;

export class ForeignKeys {
  readonly #names = new Set<string>();
  /** Kept, as a new one would look at the places of all that were taken. */
  #waiting = this.#names.values();
  readonly #most: number;

  /** @param most  of which it keeps */
  constructor(most: number) {
    this.#most = most;
  }

  get size(): number {
    return this.#names.size;
  }

  /** @returns false: there are too many, and none of them is known any more */
  add(names: readonly Buffer[]): boolean {
    for (const name of names) {
      if (this.#names.size < this.#most) this.#names.add(name.toString("latin1"));
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

  /** Looks at some. @returns those that are not as they should be, which are dirty now. @throws Error  the line has ended */
  async look(line: RedisLine, scene: MirrorScene): Promise<readonly MirrorKey[]> {
    const names = this.#take();
    const dbs = await usedDatabases(line, scene);
    // In which database it was is not told.
    const keys = names.flatMap((key) => dbs.map((db) => ({ db, key })));
    const { different, unreadable } = await lookAt(line, keys, scene);
    scene.dirty.add([...different, ...unreadable]);
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

async function usedDatabases(line: RedisLine, { database }: MirrorScene): Promise<readonly number[]> {
  const { keyspaces } = database();
  const theirs = new Set((await line.keyCounts()).map(({ db }) => db));
  return [...keyspaces.keys()].filter((db) => theirs.has(db) || (keyspaces[db]?.size ?? 0) > 0);
}
