/**
 * The list of entries that were found damaged on disk. An undamaged copy from any member replaces such an entry. If no
 * member has one, damaged-entries.ts removes its remains.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { DigestSet } from "./compare/digest-index.js";
import { compareOrderKeys, type OrderKey } from "./entries/entry.js";

/** An entry that was found damaged on disk, and has to be stored again. */
interface Damaged {
  readonly orderKey: OrderKey;
  /** Whether the state includes the entry. */
  readonly isFolded: boolean;
  /**
   * The set in which the index counted the entry before the damage was found, or null if it did not count the entry.
   */
  readonly counted: DigestSet | null;
  /** Whether the entry's remains were removed, and the state is being folded again without the entry. */
  readonly isRemoved: boolean;
}

export class DamageList {
  readonly #damaged = new Map<ByteString, Damaged>();

  get size(): number {
    return this.#damaged.size;
  }

  has(id: ByteString): boolean {
    return this.#damaged.has(id);
  }

  /** Whether the state includes an entry that has to be stored again. */
  isFolded(id: ByteString): boolean {
    return this.#damaged.get(id)?.isFolded === true;
  }

  /** Whether an entry was removed as damaged, and the state is being folded again without it. */
  isRemoved(id: ByteString): boolean {
    return this.#damaged.get(id)?.isRemoved === true;
  }

  add(damaged: Omit<Damaged, "isRemoved">): void {
    this.#damaged.set(damaged.orderKey.id, { ...damaged, isRemoved: false });
  }

  /** Deletes an entry of which an undamaged copy is stored now. */
  delete(id: ByteString): void {
    this.#damaged.delete(id);
  }

  /** Returns the order keys of the entries dated up to a time that no member has sent again, in order. */
  upTo(date: number): OrderKey[] {
    const orderKeys = [...this.#damaged.values()].flatMap(({ orderKey }) =>
      orderKey.at <= date ? orderKey : [],
    );
    return orderKeys.sort(compareOrderKeys);
  }

  /** Returns the latest date of the entries dated up to a time, or null if there are none. */
  lastUpTo(date: number): number | null {
    let last: number | null = null;
    for (const { orderKey } of this.#damaged.values())
      if (orderKey.at <= date && (last === null || orderKey.at > last)) last = orderKey.at;
    return last;
  }

  /** Removes and returns the entries dated up to a time. */
  takeUpTo(date: number): Damaged[] {
    const taken = [...this.#damaged.values()].filter(({ orderKey }) => orderKey.at <= date);
    for (const { orderKey } of taken) this.#damaged.delete(orderKey.id);
    return taken;
  }

  /**
   * Records that a new state, folded from the readable entries, is used from now on.
   * @param unreadable  ids of entries that could not be read
   * @param until       entries dated later were not read
   * @returns whether entries that the previous state included are missing in the new one
   */
  refolded(unreadable: ReadonlySet<ByteString>, until: number): boolean {
    let isMissingMore = false;
    for (const [id, damaged] of this.#damaged) {
      if (damaged.orderKey.at > until) continue;
      isMissingMore ||= damaged.isFolded && (damaged.isRemoved || unreadable.has(id));
      if (damaged.isRemoved) this.#damaged.delete(id);
      else this.#damaged.set(id, { ...damaged, isFolded: !unreadable.has(id) });
    }
    return isMissingMore;
  }

  /**
   * Records that the remains of an entry were removed. It stays in the list while the state includes it.
   * @returns whether the state includes it
   */
  removed(id: ByteString): boolean {
    const damaged = this.#damaged.get(id);
    if (damaged?.isFolded !== true) {
      this.#damaged.delete(id);
      return false;
    }
    this.#damaged.set(id, { ...damaged, isRemoved: true });
    return true;
  }
}
