/** A limited resource that callers share. No caller may hold more of the resource than remains free. */
import type { ByteString } from "../../../protocol/byte-string.js";

export class FairShares {
  readonly #held = new Map<ByteString, number>();
  /** The amount that all callers hold together. Only this class changes it. */
  total = 0;

  /**
   * Whether a caller may reserve an amount.
   * @param max  the size of the complete resource
   */
  has(key: ByteString, amount: number, max: number): boolean {
    return (this.#held.get(key) ?? 0) + amount <= max - this.total - amount;
  }

  /**
   * Reserves an amount for a caller.
   * @param max  the size of the complete resource
   * @returns false if the caller would hold too much
   */
  acquire(key: ByteString, amount: number, max: number): boolean {
    if (!this.has(key, amount, max)) return false;
    this.#held.set(key, (this.#held.get(key) ?? 0) + amount);
    this.total += amount;
    return true;
  }

  /** Releases an amount that was reserved. */
  release(key: ByteString, amount: number): void {
    const held = (this.#held.get(key) as number) - amount;
    if (held > 0) this.#held.set(key, held);
    else this.#held.delete(key);
    this.total -= amount;
  }
}

/** The number and the bytes of the bodies that wait. The signers share both. */
export class WaitingShares {
  readonly #countMax: number;
  readonly #bytesMax: number;
  readonly #counts = new FairShares();
  readonly #bytes = new FairShares();

  constructor(countMax: number, bytesMax: number) {
    this.#countMax = countMax;
    this.#bytesMax = bytesMax;
  }

  /** Whether a further body of a key may wait. @param bytes  its length */
  has(key: ByteString, bytes: number): boolean {
    return (
      this.#counts.has(key, 1, this.#countMax) && this.#bytes.has(key, this.#counted(bytes), this.#bytesMax)
    );
  }

  /** Reserves what a body uses. @returns false if it may not wait */
  acquire(key: ByteString, bytes: number): boolean {
    if (!this.has(key, bytes)) return false;
    this.#counts.acquire(key, 1, this.#countMax);
    this.#bytes.acquire(key, this.#counted(bytes), this.#bytesMax);
    return true;
  }

  /** Releases what a body has used. */
  release(key: ByteString, bytes: number): void {
    this.#counts.release(key, 1);
    this.#bytes.release(key, this.#counted(bytes));
  }

  /**
   * Returns the bytes that are counted for a body: at most what a single key may hold, so that a longer body can still
   * wait while no other one does.
   */
  #counted(bytes: number): number {
    return Math.min(bytes, this.#bytesMax / 2);
  }
}
