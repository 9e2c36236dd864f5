/** A storage in memory whose writes wait like those of a disk, until the test completes them, or makes them fail. */
import type { Mark } from "../../../../daemon/timeline/entries/storage.js";
import { MemoryStorage } from "../../../../daemon/timeline/memory-storage.js";

type Puts = Parameters<MemoryStorage["put"]>[0];

export class HeldStorage extends MemoryStorage {
  override readonly isDurable = true as never;
  override readonly isSafe = true as never;
  /** Whether writes wait; otherwise they are complete immediately. */
  #isHeld = false;
  #failure: Error | null = null;
  #pending: { readonly entries: Puts; readonly marks: readonly Mark[] }[] = [];
  #flushing: PromiseWithResolvers<void> | null = null;

  /** The number of entries that are not written yet. */
  get pending(): number {
    return this.#pending.reduce((sum, { entries }) => sum + entries.length, 0);
  }

  override put(entries: Puts, marks: readonly Mark[] = []): void {
    if (this.#failure !== null) return;
    if (this.#isHeld) this.#pending.push({ entries, marks });
    else super.put(entries, marks);
  }

  override flushNow(): boolean {
    return this.#failure === null && this.#pending.length === 0;
  }

  override flushed(): Promise<void> {
    if (this.#failure !== null) return Promise.reject(this.#failure);
    if (this.#pending.length === 0) return Promise.resolve();
    this.#flushing ??= withResolvers();
    return this.#flushing.promise;
  }

  /** Makes all later writes wait. */
  hold(): void {
    this.#isHeld = true;
  }

  /**
   * Completes all waiting writes. Later writes do not wait. A write of the node itself may wait although the test has
   * not written.
   */
  release(): void {
    this.#isHeld = false;
    this.complete();
  }

  /** Completes all waiting writes. Whether later writes wait does not change. */
  complete(): void {
    const [pending, flushing] = [this.#pending, this.#flushing];
    this.#pending = [];
    this.#flushing = null;
    for (const { entries, marks } of pending) super.put(entries, marks);
    flushing?.resolve();
  }

  /** Makes all waiting writes fail, and all later writes. */
  fail(): void {
    this.#failure = new Error("the disk is full");
    this.#pending = [];
    this.#flushing?.reject(this.#failure);
  }
}

interface PromiseWithResolvers<Value> {
  readonly promise: Promise<Value>;
  readonly resolve: (value: Value) => void;
  readonly reject: (problem: Error) => void;
}

function withResolvers(): PromiseWithResolvers<void> {
  let resolve: () => void = () => {};
  let reject: (problem: Error) => void = () => {};
  const promise = new Promise<void>((yes, no) => {
    resolve = yes;
    reject = no;
  });
  promise.catch(() => {});
  return { promise, resolve, reject };
}
