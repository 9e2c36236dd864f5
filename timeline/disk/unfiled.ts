/** The operations that the log has and LMDB does not have yet, found by place and in the order of places. */
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { firstFrom } from "../entries/ascending.js";
import type { OperationGroup } from "../entries/operation.js";
import type { Slice } from "./lmdb-reader.js";

/** The last change of a place. */
interface Change {
  readonly place: Buffer;
  /** null: it was removed. */
  readonly value: Buffer | null;
  /** The group that the change came with. */
  readonly sequence: number;
}

/** An entry that is there. */
export type UnfiledEntry = Change & { readonly value: Buffer };

export class Unfiled {
  readonly #changes = new Map<ByteString, Change>();
  /** Its keys, ascending. */
  #order: ByteString[] = [];
  readonly #marks = new Map<string, { readonly value: Buffer; readonly sequence: number }>();

  add({ sequence, operations }: OperationGroup): void {
    for (const operation of operations) {
      if (operation.kind === "mark") this.#marks.set(operation.name, { value: operation.value, sequence });
      else {
        const { place } = operation;
        this.#change({ place, value: operation.kind === "put" ? operation.value : null, sequence });
      }
    }
  }

  /** LMDB has all groups up to this one. */
  filed(sequence: number): void {
    this.#order = this.#order.filter((key) => {
      const stays = (this.#changes.get(key) as Change).sequence > sequence;
      if (!stays) this.#changes.delete(key);
      return stays;
    });
    for (const [name, mark] of this.#marks) if (mark.sequence <= sequence) this.#marks.delete(name);
  }

  /** null: it was removed; undefined: it has not changed. */
  get(place: Buffer): Buffer | null | undefined {
    return this.#changes.size === 0 ? undefined : this.#changes.get(bytesOf(place))?.value;
  }

  mark(name: string): Buffer | null {
    return this.#marks.get(name)?.value ?? null;
  }

  /** Returns the greatest place of an entry that exists; null: there is none. */
  last(): Buffer | null {
    const key = this.#order.findLast((key) => this.#changes.get(key)?.value !== null);
    return key === undefined ? null : (this.#changes.get(key) as Change).place;
  }

  /**
   * Yields what is in a range of places.
   * @param slice   LMDB's part of it
   * @param itemOf  makes an item as LMDB's are of an entry that is not there yet
   */
  merge<T>(
    { from, to, items }: Slice<T>,
    placeOf: (item: T) => Buffer,
    itemOf: (entry: UnfiledEntry) => T,
  ): readonly T[] {
    const order = this.#order;
    const end = to === null ? order.length : firstFrom(order, bytesOf(to));
    let next = from === null ? 0 : firstFrom(order, bytesOf(from));
    if (next >= end) return items;
    const merged: T[] = [];
    const add = (key: ByteString): void => {
      const change = this.#changes.get(key) as Change;
      if (isThere(change)) merged.push(itemOf(change));
    };
    for (const item of items) {
      const key = bytesOf(placeOf(item));
      while (next < end && (order[next] as ByteString) < key) add(order[next++] as ByteString);
      if (next === end || order[next] !== key) merged.push(item);
    }
    while (next < end) add(order[next++] as ByteString);
    return merged;
  }

  #change(change: Change): void {
    const key = bytesOf(change.place);
    if (!this.#changes.has(key)) this.#order.splice(firstFrom(this.#order, key), 0, key);
    this.#changes.set(key, change);
  }
}

const isThere = (change: Change): change is UnfiledEntry => change.value !== null;
