/**
 * Some neighbouring entries of a stream, side by side instead of an object each: ids, names of fields, and all values in
 * a row. Entries of the same fields share one array of names.
 */
import type { ByteString } from "../../protocol/byte-string.js";
import type { StreamId } from "./stream-id.js";

/** Entries of a block at most. A middle entry is found by counting the values before it. */
export const BLOCK_MAX = 64;

export interface StreamEntry {
  readonly id: StreamId;
  /** Name, value, name, value, … */
  readonly fields: readonly ByteString[];
}

export class StreamBlock {
  readonly ids: StreamId[] = [];
  readonly #names: (readonly ByteString[])[] = [];
  /** Of all entries; each has as many as it has names. */
  #values: ByteString[] = [];

  get size(): number {
    return this.ids.length;
  }

  /** The id of its first entry; it has one. */
  get first(): StreamId {
    return this.ids[0] as StreamId;
  }

  get last(): StreamId {
    return this.ids[this.ids.length - 1] as StreamId;
  }

  /** How many of its entries come before an id. */
  countBefore(id: StreamId): number {
    let low = 0;
    let high = this.ids.length;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((this.ids[middle] as StreamId) < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  /** @param neighbour  a block whose last entry may have the same names */
  push({ id, fields }: StreamEntry, neighbour: StreamBlock = this): void {
    const known = neighbour.#names.at(-1);
    this.#names.push(known !== undefined && hasNames(fields, known) ? known : namesOf(fields));
    this.ids.push(id);
    for (let i = 1; i < fields.length; i += 2) this.#values.push(fields[i] as ByteString);
  }

  pop(): void {
    this.ids.pop();
    const names = this.#names.pop() as readonly ByteString[];
    this.#values.length -= names.length;
  }

  insertAt(place: number, { id, fields }: StreamEntry): void {
    const start = this.#valuesBefore(place);
    const values = fields.filter((_, i) => i % 2 === 1);
    // Not spread into arguments: an entry can have more fields than the stack has room for.
    this.#values = this.#values.slice(0, start).concat(values, this.#values.slice(start));
    const known = this.#names[place] ?? this.#names[place - 1];
    this.#names.splice(place, 0, known !== undefined && hasNames(fields, known) ? known : namesOf(fields));
    this.ids.splice(place, 0, id);
  }

  removeAt(place: number): void {
    const names = this.#names[place] as readonly ByteString[];
    this.#values.splice(this.#valuesBefore(place), names.length);
    this.#names.splice(place, 1);
    this.ids.splice(place, 1);
  }

  /** Takes off its first entries. @returns they, as a block */
  takeFirst(count: number): StreamBlock {
    const taken = new StreamBlock();
    const values = this.#values.splice(0, this.#valuesBefore(count));
    taken.#add(this.ids.splice(0, count), this.#names.splice(0, count), values);
    return taken;
  }

  /** Adds all entries of a block that comes behind it. */
  append(other: StreamBlock): void {
    this.#add(other.ids, other.#names, other.#values);
  }

  clone(): StreamBlock {
    const copy = new StreamBlock();
    copy.append(this);
    return copy;
  }

  /** Entries `from` ≤ place < `to`, in order. */
  *entries(from: number, to: number): Generator<StreamEntry> {
    let start = this.#valuesBefore(from);
    for (let place = from; place < to; place++) {
      yield this.#entry(place, start);
      start += (this.#names[place] as readonly ByteString[]).length;
    }
  }

  /** The same, the last one first. */
  *reverseEntries(from: number, to: number): Generator<StreamEntry> {
    let end = this.#valuesBefore(to);
    for (let place = to - 1; place >= from; place--) {
      end -= (this.#names[place] as readonly ByteString[]).length;
      yield this.#entry(place, end);
    }
  }

  /** What its entries hold, in bytes, names not counted. */
  get valueBytes(): number {
    return this.#values.reduce((sum, value) => sum + value.length, 0);
  }

  #entry(place: number, start: number): StreamEntry {
    const names = this.#names[place] as readonly ByteString[];
    const fields: ByteString[] = [];
    for (let i = 0; i < names.length; i++)
      fields.push(names[i] as ByteString, this.#values[start + i] as ByteString);
    return { id: this.ids[place] as StreamId, fields };
  }

  #valuesBefore(place: number): number {
    if (place === this.#names.length) return this.#values.length;
    let count = 0;
    for (let i = 0; i < place; i++) count += (this.#names[i] as readonly ByteString[]).length;
    return count;
  }

  #add(
    ids: readonly StreamId[],
    names: readonly (readonly ByteString[])[],
    values: readonly ByteString[],
  ): void {
    for (const id of ids) this.ids.push(id);
    for (const each of names) this.#names.push(each);
    for (const value of values) this.#values.push(value);
  }
}

function namesOf(fields: readonly ByteString[]): ByteString[] {
  return fields.filter((_, i) => i % 2 === 0);
}

function hasNames(fields: readonly ByteString[], names: readonly ByteString[]): boolean {
  return 2 * names.length === fields.length && names.every((name, i) => fields[2 * i] === name);
}
