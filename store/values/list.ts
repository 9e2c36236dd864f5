/**
 * A list value: a ring of elements. O(1) at both ends and by index; O(n) to splice in the middle.
 */
import type { ByteString } from "../../protocol/byte-string.js";

export type End = "left" | "right";

const CAPACITY_MIN = 4;

export class List {
  /** The ring; its length is a power of two. Free slots hold "". */
  #ring: ByteString[] = new Array<ByteString>(CAPACITY_MIN).fill("");
  #first = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** The element at an index from the left, 0 ≤ index < size. */
  at(index: number): ByteString {
    return this.#ring[this.#slot(index)] as ByteString;
  }

  push(end: End, element: ByteString): void {
    if (this.#size === this.#ring.length) this.#resize(this.#size * 2);
    if (end === "left") this.#first = this.#slot(this.#ring.length - 1);
    this.#size++;
    this.#ring[this.#slot(end === "left" ? 0 : this.#size - 1)] = element;
  }

  /** Takes an element off; the list is not empty. */
  pop(end: End): ByteString {
    const slot = this.#slot(end === "left" ? 0 : this.#size - 1);
    const element = this.#ring[slot] as ByteString;
    this.#ring[slot] = "";
    if (end === "left") this.#first = this.#slot(1);
    this.#size--;
    if (this.#ring.length > CAPACITY_MIN && this.#size * 4 <= this.#ring.length)
      this.#resize(this.#ring.length / 2);
    return element;
  }

  /** Elements `from` ≤ index < `to`, as a new array. */
  slice(from = 0, to = this.#size): ByteString[] {
    const elements: ByteString[] = [];
    for (let index = from; index < to; index++) elements.push(this.at(index));
    return elements;
  }

  /** Replaces `count` elements from an index on by others. Inverse: the same, the other way round. */
  splice(index: number, count: number, inserted: readonly ByteString[]): void {
    if (count === inserted.length) {
      for (let i = 0; i < count; i++) this.#ring[this.#slot(index + i)] = inserted[i] as ByteString;
      return;
    }
    // Not spread into arguments: a long list has more elements than the stack has room for.
    this.#fill(this.slice(0, index).concat(inserted, this.slice(index + count)));
  }

  clone(): List {
    const copy = new List();
    copy.#fill(this.slice());
    return copy;
  }

  #slot(index: number): number {
    return (this.#first + index) & (this.#ring.length - 1);
  }

  #resize(capacity: number): void {
    const elements = this.slice();
    while (elements.length < capacity) elements.push("");
    this.#ring = elements;
    this.#first = 0;
  }

  #fill(elements: ByteString[]): void {
    this.#size = elements.length;
    let capacity = CAPACITY_MIN;
    while (capacity < elements.length) capacity *= 2;
    while (elements.length < capacity) elements.push("");
    this.#ring = elements;
    this.#first = 0;
  }
}
