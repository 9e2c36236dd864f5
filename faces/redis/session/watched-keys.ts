/**
 * The keys of WATCH. The id of the unit that last changed a key identifies its value. An absent key may be created and
 * removed again without a trace, so sessions that watch absent keys are notified when the key is created.
 */

import type { CommandPath } from "../../../daemon/engine/backends/command-path.js";
import type { KeyObserver } from "../../../daemon/engine/backends/key-change-observers.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Condition } from "../../../protocol/version-2/envelope.js";

/** The watched keys of one connection. */
export class WatchedKeys {
  readonly #absent: AbsentKeys;
  /** The watched keys by database and name. */
  readonly #conditions = new Map<string, Condition>();
  /** Whether a watched absent key was created, even if it has been removed again. */
  #hasChanged = false;

  constructor(absent: AbsentKeys) {
    this.#absent = absent;
  }

  get size(): number {
    return this.#conditions.size;
  }

  /** The last writers of the keys at the time of WATCH. */
  get conditions(): readonly Condition[] {
    return [...this.#conditions.values()];
  }

  /** Whether a watched key is known to have changed. */
  get hasChanged(): boolean {
    return this.#hasChanged;
  }

  has(db: number, key: ByteString): boolean {
    return this.#conditions.has(nameOf(db, key));
  }

  add(condition: Condition): void {
    const { db, key, writer } = condition;
    const name = nameOf(db, key);
    this.#conditions.set(name, condition);
    if (writer === "") this.#absent.add(name, this);
  }

  /** Records the creation of an absent key. */
  created(): void {
    this.#hasChanged = true;
  }

  clear(): void {
    if (this.#conditions.size === 0) return;
    for (const [name, { writer }] of this.#conditions) if (writer === "") this.#absent.remove(name, this);
    this.#conditions.clear();
    this.#hasChanged = false;
  }
}

/** The absent keys that the sessions of all connections watch. */
export class AbsentKeys implements KeyObserver {
  readonly #path: CommandPath;
  /** The sessions that watch each absent key, by database and name. */
  readonly #watchers = new Map<string, Set<WatchedKeys>>();

  constructor(path: CommandPath) {
    this.#path = path;
  }

  add(name: string, watcher: WatchedKeys): void {
    if (this.#watchers.size === 0) this.#path.changes?.observeKeys(this);
    const watchers = this.#watchers.get(name);
    if (watchers === undefined) this.#watchers.set(name, new Set([watcher]));
    else watchers.add(watcher);
  }

  remove(name: string, watcher: WatchedKeys): void {
    const watchers = this.#watchers.get(name);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#forgetKey(name);
  }

  /**
   * Called after each command that changes a key: several units, or commands of one, may run before anything else does,
   * and remove the key again. An expired key is absent, and remains so when it is removed.
   */
  keyChanged(db: number, key: ByteString): void {
    this.#check(nameOf(db, key));
  }

  allChanged(dbs: ReadonlySet<number> | null): void {
    for (const name of [...this.#watchers.keys()])
      if (dbs?.has(Number.parseInt(name, 10)) !== false) this.#check(name);
  }

  #check(name: string): void {
    const watchers = this.#watchers.get(name);
    if (watchers === undefined) return;
    const db = Number.parseInt(name, 10);
    const key = name.slice(name.indexOf(" ") + 1);
    if (this.#path.areMet([{ db, key, writer: "" }])) return;
    this.#forgetKey(name);
    for (const watcher of watchers) watcher.created();
  }

  #forgetKey(name: string): void {
    this.#watchers.delete(name);
    if (this.#watchers.size === 0) this.#path.changes?.removeObserver(this);
  }
}

function nameOf(db: number, key: ByteString): string {
  return `${db} ${key}`;
}
