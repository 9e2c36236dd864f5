/** The operations that are in the log but not yet in LMDB, sorted by order key. */
import { type ByteString, bytesOf } from "../../../protocol/byte-string.js";
import { firstFrom } from "../entries/ascending-search.js";
import type { OperationGroup } from "../entries/storage-operation.js";
import type { Slice } from "./lmdb-reader.js";

/** The last change at an order key. */
interface Change {
  readonly orderKey: Buffer;
  /** The new value, or null if the entry was removed. */
  readonly value: Buffer | null;
  /** The group that contains the change. */
  readonly sequence: number;
}

/** An entry that exists. */
export type UnfiledEntry = Change & { readonly value: Buffer };

export class UnfiledOperations {
  readonly #changes = new Map<ByteString, Change>();
  /** The keys of the changes in ascending order. */
  #order: ByteString[] = [];
  readonly #marks = new Map<string, { readonly value: Buffer; readonly sequence: number }>();

  add({ sequence, operations }: OperationGroup): void {
    for (const operation of operations) {
      if (operation.kind === "mark") this.#marks.set(operation.name, { value: operation.value, sequence });
      else {
        const { orderKey } = operation;
        this.#change({ orderKey, value: operation.kind === "put" ? operation.value : null, sequence });
      }
    }
  }

  /** Drops all groups up to the given number, because LMDB has them. */
  filed(sequence: number): void {
    this.#order = this.#order.filter((key) => {
      const stays = (this.#changes.get(key) as Change).sequence > sequence;
      if (!stays) this.#changes.delete(key);
      return stays;
    });
    for (const [name, mark] of this.#marks) if (mark.sequence <= sequence) this.#marks.delete(name);
  }

  /** Returns the value of an entry, null if it was removed, or undefined if LMDB has its last change. */
  get(orderKey: Buffer): Buffer | null | undefined {
    return this.#changes.size === 0 ? undefined : this.#changes.get(bytesOf(orderKey))?.value;
  }

  mark(name: string): Buffer | null {
    return this.#marks.get(name)?.value ?? null;
  }

  /** Returns the greatest order key of an existing entry, or null if there is none. */
  last(): Buffer | null {
    const key = this.#order.findLast((key) => this.#changes.get(key)?.value !== null);
    return key === undefined ? null : (this.#changes.get(key) as Change).orderKey;
  }

  /**
   * Returns the items in a range of order keys: LMDB's items with all changes that LMDB does not have yet.
   * @param slice  LMDB's items in the range
   * @param itemOf  creates an item like LMDB's for an entry that LMDB does not have
   */
  merge<T>(
    { from, to, items }: Slice<T>,
    orderKeyOf: (item: T) => Buffer,
    itemOf: (entry: UnfiledEntry) => T,
  ): readonly T[] {
    const order = this.#order;
    const end = to === null ? order.length : firstFrom(order, bytesOf(to));
    let next = from === null ? 0 : firstFrom(order, bytesOf(from));
    if (next >= end) return items;
    const merged: T[] = [];
    const add = (key: ByteString): void => {
      const change = this.#changes.get(key) as Change;
      if (exists(change)) merged.push(itemOf(change));
    };
    for (const item of items) {
      const key = bytesOf(orderKeyOf(item));
      while (next < end && (order[next] as ByteString) < key) add(order[next++] as ByteString);
      if (next === end || order[next] !== key) merged.push(item);
    }
    while (next < end) add(order[next++] as ByteString);
    return merged;
  }

  #change(change: Change): void {
    const key = bytesOf(change.orderKey);
    if (!this.#changes.has(key)) this.#order.splice(firstFrom(this.#order, key), 0, key);
    this.#changes.set(key, change);
  }
}

const exists = (change: Change): change is UnfiledEntry => change.value !== null;
