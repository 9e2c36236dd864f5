/**
 * A few neighbouring entries of a stream, in parallel arrays instead of an object for each entry: ids, field names, and
 * all values in a row. Entries with the same fields share one array of names. A complete block is sealed, and opened
 * again if an entry is removed from it.
 */
import { type ByteString, detached } from "../../../../../protocol/byte-string.js";
import {
  type EntryColumns,
  type Names,
  SEALED_VALUES_BYTES_MAX,
  SealedEntries,
} from "./packed-stream-entries.js";
import type { StreamEntry } from "./stream-entry.js";
import type { StreamId } from "./stream-id.js";

/** Maximum number of entries in a block. Finding an entry in the middle means counting the values before it. */
export const BLOCK_MAX = 64;

/** Entries that may be changed. */
class OpenEntries implements EntryColumns {
  ids: StreamId[] = [];
  names: Names[] = [];
  values: ByteString[] = [];

  get size(): number {
    return this.ids.length;
  }

  get first(): StreamId {
    return this.ids[0] as StreamId;
  }

  get last(): StreamId {
    return this.ids[this.ids.length - 1] as StreamId;
  }

  id(index: number): StreamId {
    return this.ids[index] as StreamId;
  }

  countBefore(id: StreamId): number {
    if (id <= this.first) return 0;
    if (id > this.last) return this.size;
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.id(middle) < id) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  get valueBytes(): number {
    return this.values.reduce((sum, value) => sum + value.length, 0);
  }

  *entries(from: number, to: number): Generator<StreamEntry> {
    let start = valuesBefore(this.names, from);
    for (let index = from; index < to; index++) {
      const names = this.names[index] as Names;
      yield { id: this.id(index), fields: fieldsOf(names, this.values, start) };
      start += names.length;
    }
  }

  *reverseEntries(from: number, to: number): Generator<StreamEntry> {
    let end = valuesBefore(this.names, to);
    for (let index = to - 1; index >= from; index--) {
      const names = this.names[index] as Names;
      end -= names.length;
      yield { id: this.id(index), fields: fieldsOf(names, this.values, end) };
    }
  }
}

export class StreamBlock {
  #content: OpenEntries | SealedEntries = new OpenEntries();

  get size(): number {
    return this.#content.size;
  }

  /** The id of the first entry; the block must not be empty. */
  get first(): StreamId {
    return this.#content.first;
  }

  get last(): StreamId {
    return this.#content.last;
  }

  /** Whether the block is stored in its compact form, which lasts until a change. */
  get isSealed(): boolean {
    return this.#content instanceof SealedEntries;
  }

  /** Seals the block, to which nothing will be added. Long values remain separate strings. */
  seal(): void {
    if (this.#content instanceof SealedEntries) return;
    const { valueBytes } = this.#content;
    if (valueBytes <= SEALED_VALUES_BYTES_MAX) this.#content = new SealedEntries(this.#content, valueBytes);
  }

  /** Counts the entries before the given id. */
  countBefore(id: StreamId): number {
    return this.#content.countBefore(id);
  }

  id(index: number): StreamId {
    return this.#content.id(index);
  }

  /** Finds an entry. The caller must not store it, since it may keep its neighbours alive. */
  find(id: StreamId): StreamEntry | undefined {
    const content = this.#content;
    const index = content.countBefore(id);
    if (index === content.size || content.id(index) !== id) return undefined;
    for (const entry of content.entries(index, index + 1)) return entry;
    return undefined;
  }

  /** @param neighbour  a block whose last entry may have the same names */
  push({ id, fields }: StreamEntry, neighbour: StreamBlock = this): void {
    const known = neighbour.#lastNames;
    const names = known !== undefined && hasNames(fields, known) ? known : namesOf(fields);
    const open = this.#open();
    if (open.size === 0) {
      // `push` would reserve room for 17 elements, and many streams are short.
      open.ids = [id];
      open.names = [names];
      open.values = valuesOf(fields);
      return;
    }
    open.names.push(names);
    open.ids.push(id);
    for (let i = 1; i < fields.length; i += 2) open.values.push(fields[i] as ByteString);
  }

  pop(): void {
    const { ids, names, values } = this.#open();
    ids.pop();
    values.length -= (names.pop() as Names).length;
  }

  insertAt(index: number, { id, fields }: StreamEntry): void {
    const open = this.#open();
    const start = valuesBefore(open.names, index);
    const values = valuesOf(fields);
    // A spread would put all fields on the stack, which has no room for a very large entry.
    open.values = open.values.slice(0, start).concat(values, open.values.slice(start));
    const known = open.names[index] ?? open.names[index - 1];
    open.names.splice(index, 0, known !== undefined && hasNames(fields, known) ? known : namesOf(fields));
    open.ids.splice(index, 0, id);
  }

  removeAt(index: number): void {
    const { ids, names, values } = this.#open();
    values.splice(valuesBefore(names, index), (names[index] as Names).length);
    names.splice(index, 1);
    ids.splice(index, 1);
  }

  /** Removes the first entries. @returns the removed entries as a block */
  takeFirst(count: number): StreamBlock {
    const { ids, names, values } = this.#open();
    const removed = new StreamBlock();
    const takenValues = values.splice(0, valuesBefore(names, count));
    removed.#add({ ids: ids.splice(0, count), names: names.splice(0, count), values: takenValues });
    return removed;
  }

  /** Adds all entries of the following block. */
  append(other: StreamBlock): void {
    this.#add(other.#open());
  }

  clone(): StreamBlock {
    const copy = new StreamBlock();
    // Sealed entries never change.
    if (this.#content instanceof SealedEntries) copy.#content = this.#content;
    else copy.append(this);
    return copy;
  }

  /**
   * Yields the entries `from` ≤ index < `to`, in order. The caller must not store them, since they may keep their
   * neighbours alive.
   */
  entries(from: number, to: number): Generator<StreamEntry> {
    return this.#content.entries(from, to);
  }

  /** Yields the same entries, the last one first. */
  reverseEntries(from: number, to: number): Generator<StreamEntry> {
    return this.#content.reverseEntries(from, to);
  }

  /** Number of bytes in the values of all entries, without their names. */
  get valueBytes(): number {
    return this.#content.valueBytes;
  }

  get #lastNames(): Names | undefined {
    const content = this.#content;
    return content instanceof SealedEntries ? content.names(content.size - 1) : content.names.at(-1);
  }

  /** Returns the entries in a form that can be changed. */
  #open(): OpenEntries {
    const content = this.#content;
    if (content instanceof OpenEntries) return content;
    const open = new OpenEntries();
    let index = 0;
    for (const { id, fields } of content.entries(0, content.size)) {
      open.ids.push(id);
      open.names.push(content.names(index++));
      for (let i = 1; i < fields.length; i += 2) open.values.push(detached(fields[i] as ByteString));
    }
    this.#content = open;
    return open;
  }

  #add({ ids, names, values }: EntryColumns): void {
    const open = this.#open();
    for (const id of ids) open.ids.push(id);
    for (const each of names) open.names.push(each);
    for (const value of values) open.values.push(value);
  }
}

function fieldsOf(names: Names, values: readonly ByteString[], start: number): ByteString[] {
  const fields: ByteString[] = [];
  for (let i = 0; i < names.length; i++) fields.push(names[i] as ByteString, values[start + i] as ByteString);
  return fields;
}

/** Counts the values of the entries before the given index. */
function valuesBefore(names: readonly Names[], index: number): number {
  let count = 0;
  for (let i = 0; i < index; i++) count += (names[i] as Names).length;
  return count;
}

function namesOf(fields: readonly ByteString[]): ByteString[] {
  return fields.length === 2 ? [fields[0] as ByteString] : fields.filter((_, i) => i % 2 === 0);
}

function valuesOf(fields: readonly ByteString[]): ByteString[] {
  return fields.length === 2 ? [fields[1] as ByteString] : fields.filter((_, i) => i % 2 === 1);
}

function hasNames(fields: readonly ByteString[], names: Names): boolean {
  return 2 * names.length === fields.length && names.every((name, i) => fields[2 * i] === name);
}
