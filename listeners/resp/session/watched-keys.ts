/**
 * What WATCH has seen. A key that is there is known by the unit that changed it last. One that is absent may come and go again,
 * and nothing tells it from one that never was: so those who watch absent keys are told when these come.
 */

import type { CommandPath } from "../../../engine/users/command-path.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import type { Condition } from "../../../protocol/version-2/envelope.js";
import type { Command } from "../../../store/rows/command.js";
import { touchesOf } from "../../../store/rows/key-spec.js";

/** What one connection watches. */
export class WatchedKeys {
  readonly #absent: AbsentKeys;
  /** By database and key. */
  readonly #conditions = new Map<string, Condition>();
  /** Whether a key has come that was absent, though it may have gone since. */
  #hasChanged = false;

  constructor(absent: AbsentKeys) {
    this.#absent = absent;
  }

  get size(): number {
    return this.#conditions.size;
  }

  /** As they were when they were first watched. */
  get conditions(): readonly Condition[] {
    return [...this.#conditions.values()];
  }

  /** Whether it is certain that one of them is no longer what it was. */
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

  /** An absent key has come. */
  came(): void {
    this.#hasChanged = true;
  }

  clear(): void {
    if (this.#conditions.size === 0) return;
    for (const [name, { writer }] of this.#conditions) if (writer === "") this.#absent.remove(name, this);
    this.#conditions.clear();
    this.#hasChanged = false;
  }
}

/** The keys that somebody watches while they are absent, of all connections. */
export class AbsentKeys {
  readonly #path: CommandPath;
  /** By database and key. */
  readonly #watchers = new Map<string, Set<WatchedKeys>>();

  constructor(path: CommandPath) {
    this.#path = path;
  }

  add(name: string, watcher: WatchedKeys): void {
    const watchers = this.#watchers.get(name);
    if (watchers === undefined) this.#watchers.set(name, new Set([watcher]));
    else watchers.add(watcher);
  }

  remove(name: string, watcher: WatchedKeys): void {
    const watchers = this.#watchers.get(name);
    watchers?.delete(watcher);
    if (watchers?.size === 0) this.#watchers.delete(name);
  }

  /** A command that writes has been run. */
  written(command: Command, argv: readonly ByteString[], db: number): void {
    if (this.#watchers.size === 0) return;
    for (const touch of touchesOf(command.keys, argv)) {
      if (touch.access === "read") continue;
      if (touch.key === null) this.changed();
      else this.#look(nameOf(touch.db ?? db, touch.key));
    }
  }

  /** Nobody knows which keys have changed. */
  changed(): void {
    if (this.#watchers.size > 0) for (const name of [...this.#watchers.keys()]) this.#look(name);
  }

  #look(name: string): void {
    const watchers = this.#watchers.get(name);
    if (watchers === undefined) return;
    const db = Number.parseInt(name, 10);
    const key = name.slice(name.indexOf(" ") + 1);
    if (this.#path.hold([{ db, key, writer: "" }])) return;
    this.#watchers.delete(name);
    for (const watcher of watchers) watcher.came();
  }
}

function nameOf(db: number, key: ByteString): string {
  return `${db} ${key}`;
}
