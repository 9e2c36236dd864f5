/**
 * Keys that have changed in the fold but were not written to Redis yet. Keys are added while a change is being applied,
 * and removed in the order in which they were added. Their number is limited.
 */

import type { KeyObserver } from "../../daemon/engine/backends/key-change-observers.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { isMark } from "./mirror-mark.js";

export interface MirrorKey {
  readonly db: number;
  readonly key: ByteString;
}

/** Maximum bytes of all names. Above it all names are dropped, and a comparison of all keys finds the changed ones. */
const NAME_BYTES_MAX = 64 * 1024 * 1024;

export class DirtyKeys implements KeyObserver {
  readonly #keys = new Map<string, MirrorKey>();
  /**
   * A single iterator is used for many calls, because each new iterator would have to skip the slots of all removed
   * keys again.
   */
  #waiting = this.#keys.entries();
  readonly #max: number;
  readonly #wake: () => void;
  #bytes = 0;
  #lost: string | null = null;

  /** @param max  maximum number of keys @param wake  called when there are keys to write */
  constructor(max: number, wake: () => void) {
    this.#max = max;
    this.#wake = wake;
  }

  get size(): number {
    return this.#keys.size;
  }

  /**
   * The reason why it is unknown which keys have changed, or null if it is known. If it is unknown, all keys must be
   * compared.
   */
  get lost(): string | null {
    return this.#lost;
  }

  has({ db, key }: MirrorKey): boolean {
    return this.#lost !== null || this.#keys.has(nameOf(db, key));
  }

  keyChanged(db: number, key: ByteString): void {
    if (this.#lost !== null || isMark(db, key)) return;
    this.#insert(nameOf(db, key), { db, key });
    if (this.#keys.size > this.#max || this.#bytes > NAME_BYTES_MAX)
      this.lose("more keys changed than --mirror-keys before they could be written");
  }

  allChanged(dbs: ReadonlySet<number> | null): void {
    this.lose(dbs === null ? "the daemon adopted another state" : "a complete database changed");
  }

  /** Removes and returns the key that has waited longest. */
  shift(): MirrorKey | undefined {
    if (this.#keys.size === 0) return undefined;
    let next = this.#waiting.next();
    if (next.done) {
      this.#waiting = this.#keys.entries();
      next = this.#waiting.next();
    }
    const [name, key] = next.value as [string, MirrorKey];
    this.#keys.delete(name);
    this.#bytes -= name.length;
    return key;
  }

  /**
   * Adds keys that the mirror has found to differ, a few at a time. These keys may exceed the limit: otherwise a
   * comparison that finds many differing keys would start again and again.
   */
  add(keys: Iterable<MirrorKey>): void {
    if (this.#lost === null) for (const key of keys) this.#insert(nameOf(key.db, key.key), key);
  }

  lose(reason: string): void {
    this.#forgetKeys();
    this.#lost = reason;
    this.#wake();
  }

  /** Starts recording changed keys again, after they were lost. */
  begin(): void {
    this.#lost = null;
  }

  #insert(name: string, key: MirrorKey): void {
    if (this.#keys.has(name)) return;
    this.#keys.set(name, key);
    this.#bytes += name.length;
    if (this.#keys.size === 1) this.#wake();
  }

  #forgetKeys(): void {
    this.#keys.clear();
    this.#bytes = 0;
  }
}

const nameOf = (db: number, key: ByteString): string => `${db} ${key}`;
