/** A hash value: distinct fields in a dense order, each with a value. */
import type { ByteString } from "../../protocol/byte-string.js";
import { DenseIndex } from "./dense-index.js";

export class Hash {
  readonly #index = new DenseIndex();
  readonly #values: ByteString[] = [];

  get size(): number {
    return this.#index.size;
  }

  /** The fields in dense order; not to be changed. */
  get fields(): readonly ByteString[] {
    return this.#index.members;
  }

  /** The values, each at its field's place; not to be changed. */
  get values(): readonly ByteString[] {
    return this.#values;
  }

  /** The field's place, or -1. */
  find(field: ByteString): number {
    return this.#index.find(field);
  }

  get(field: ByteString): ByteString | undefined {
    const place = this.#index.find(field);
    return place < 0 ? undefined : this.#values[place];
  }

  /** Appends a field that is absent. Inverse: `pop`. */
  push(field: ByteString, value: ByteString): void {
    this.#index.push(field);
    this.#values.push(value);
  }

  pop(): void {
    this.#index.pop();
    this.#values.pop();
  }

  /** Replaces the value at a place. Inverse: the same with the old value. */
  setAt(place: number, value: ByteString): void {
    this.#values[place] = value;
  }

  /** Removes the field at a place; the last one moves there. Inverse: `restoreAt`. */
  removeAt(place: number): void {
    this.#index.removeAt(place);
    const last = this.#values.pop() as ByteString;
    if (place < this.#values.length) this.#values[place] = last;
  }

  restoreAt(place: number, field: ByteString, value: ByteString): void {
    this.#index.restoreAt(place, field);
    if (place === this.#values.length) {
      this.#values.push(value);
      return;
    }
    this.#values.push(this.#values[place] as ByteString);
    this.#values[place] = value;
  }

  clone(): Hash {
    const copy = new Hash();
    for (let place = 0; place < this.size; place++) {
      copy.push(this.fields[place] as ByteString, this.#values[place] as ByteString);
    }
    return copy;
  }
}
