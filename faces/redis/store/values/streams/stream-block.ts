/**
 * A few neighbouring entries of a stream, in parallel arrays instead of an object for each entry: ids, field names, and
 * all values in a row. Entries with the same fields share one array of names. A complete block is sealed, and opened
 * again if an entry is removed from it.
 */
import { type ByteString, bytesOf, detached } from "../../../../../protocol/byte-string.js";
import { msOf, type StreamEntry, type StreamId, seqOf, streamId } from "./stream-id.js";

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

/** Names of an entry's fields. */
type Names = readonly ByteString[];

/**
 * Entries as parallel columns: `values` contains the values of all entries in a row, one for each of an entry's names.
 */
interface EntryColumns {
  readonly ids: readonly StreamId[];
  readonly names: readonly Names[];
  readonly values: readonly ByteString[];
}

/**
 * Maximum number of bytes of a sealed value. Longer values are stored as separate strings, because a long string should
 * not be created again for each read.
 */
const SEALED_VALUES_BYTES_MAX = 64 * 1024;

/** Number of bits of a length in one byte; the highest bit means that another byte follows. */
const LENGTH_BITS = 7;
const MORE = 1 << LENGTH_BITS;

/** Maximum number of bytes that are read and written as a number; longer ones are written as a bigint. */
const NUMBER_BYTES_MAX = 6;
/** Bytes of each part of an id. */
const PART_BYTES = 8;
/** Bytes of the second number when a bigint is read as two numbers. */
const LOW_BYTES = 4;
/** The two parts of an id that is written or searched, and their bytes. */
const PARTS = new DataView(new ArrayBuffer(2 * PART_BYTES));
const PARTS_BYTES = new Uint8Array(PARTS.buffer);
const LENGTHS: readonly ByteString[] = Array.from({ length: MORE }, (_, length) =>
  String.fromCharCode(length),
);

/**
 * Stream entries that are expected not to change, in two byte strings: the ids as fixed-width differences from the
 * first entry's time, and the values, each preceded by its length. Separate objects would cost more than the entries
 * themselves.
 */
class SealedEntries {
  readonly size: number;
  readonly first: StreamId;
  readonly last: StreamId;
  /** Number of bytes in all values. */
  readonly valueBytes: number;
  /** Number of bytes in each id for the time since the first entry, and for the sequence number. */
  readonly #msBytes: number;
  readonly #seqBytes: number;
  readonly #ids: ByteString;
  /** The names of each entry, or only one list if all entries have the same names. */
  readonly #names: Names | readonly Names[];
  readonly #hasSameNames: boolean;
  readonly #values: ByteString;

  /** @param valueBytes number of bytes in all values together */
  constructor({ ids, names, values }: EntryColumns, valueBytes: number) {
    this.size = ids.length;
    this.first = ids[0] as StreamId;
    this.last = ids[ids.length - 1] as StreamId;
    this.valueBytes = valueBytes;
    const ms = msOf(this.first);
    this.#msBytes = widthOf(msOf(this.last) - ms);
    // All bits that are set in at least one of the sequence numbers.
    this.#seqBytes = widthOf(ids.reduce((bits, id) => bits | seqOf(id), 0n));
    const width = this.#msBytes + this.#seqBytes;
    const bytes = Buffer.alloc(width * ids.length);
    for (const [index, id] of ids.entries()) {
      writeUint(bytes, index * width, this.#msBytes, msOf(id) - ms);
      writeUint(bytes, index * width + this.#msBytes, this.#seqBytes, seqOf(id));
    }

    this.#ids = bytesOf(bytes);
    this.#hasSameNames = names.every((each) => each === names[0]);
    this.#names = this.#hasSameNames ? (names[0] as Names) : names.slice();
    const pieces: ByteString[] = [];
    for (const value of values) pieces.push(lengthBytes(value.length), value);
    this.#values = pieces.join("");
  }

  id(index: number): StreamId {
    const at = index * (this.#msBytes + this.#seqBytes);
    const ms = msOf(this.first) + uintAt(this.#ids, at, this.#msBytes);
    return streamId(ms, uintAt(this.#ids, at + this.#msBytes, this.#seqBytes));
  }

  /** Counts the entries before the given id. */
  countBefore(id: StreamId): number {
    if (id <= this.first) return 0;
    if (id > this.last) return this.size;

    this.#writeSearched(id);
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >> 1;
      if (this.#isBeforeSearched(middle)) low = middle + 1;
      else high = middle;
    }

    return low;
  }

  /**
   * Writes an id to `PARTS`, as it is stored; if its sequence number is too long for the stored form, the next id that
   * fits. The id must not be after the last one.
   */
  #writeSearched(id: StreamId): void {
    const seq = seqOf(id);
    const isOver = this.#seqBytes < PART_BYTES && seq >> BigInt(8 * this.#seqBytes) > 0n;
    PARTS.setBigUint64(0, msOf(id) - msOf(this.first) + (isOver ? 1n : 0n));
    PARTS.setBigUint64(PART_BYTES, isOver ? 0n : seq);
  }

  #isBeforeSearched(index: number): boolean {
    const [msBytes, seqBytes] = [this.#msBytes, this.#seqBytes];
    const at = index * (msBytes + seqBytes);
    for (let i = 0; i < msBytes; i++) {
      const difference = this.#ids.charCodeAt(at + i) - (PARTS_BYTES[PART_BYTES - msBytes + i] as number);
      if (difference !== 0) return difference < 0;
    }

    for (let i = 0; i < seqBytes; i++) {
      const stored = this.#ids.charCodeAt(at + msBytes + i);
      const difference = stored - (PARTS_BYTES[2 * PART_BYTES - seqBytes + i] as number);
      if (difference !== 0) return difference < 0;
    }

    return false;
  }

  names(index: number): Names {
    return (this.#hasSameNames ? this.#names : this.#names[index]) as Names;
  }

  /** Yields the entries `from` ≤ index < `to`, in order; they keep the sealed string alive. */
  *entries(from: number, to: number): Generator<StreamEntry> {
    const cursor = new ValueCursor(this.#values);
    for (let index = 0; index < from; index++) cursor.skip(this.names(index).length);
    for (let index = from; index < to; index++) yield this.#entry(index, cursor);
  }

  /** Yields the same entries, the last one first. */
  *reverseEntries(from: number, to: number): Generator<StreamEntry> {
    const cursor = new ValueCursor(this.#values);
    const indexes: number[] = [];
    for (let index = 0; index < to; index++) {
      indexes.push(cursor.at);
      cursor.skip(this.names(index).length);
    }
    for (let index = to - 1; index >= from; index--) {
      cursor.at = indexes[index] as number;
      yield this.#entry(index, cursor);
    }
  }

  #entry(index: number, cursor: ValueCursor): StreamEntry {
    const fields: ByteString[] = [];
    for (const name of this.names(index)) fields.push(name, cursor.take());
    return { id: this.id(index), fields };
  }
}

/** The reader of values that are preceded by their lengths. */
class ValueCursor {
  at = 0;
  readonly #bytes: ByteString;

  constructor(bytes: ByteString) {
    this.#bytes = bytes;
  }

  take(): ByteString {
    const length = this.#length();
    const start = this.at;
    this.at += length;
    return this.#bytes.substring(start, this.at);
  }

  skip(values: number): void {
    for (let remaining = values; remaining > 0; remaining--) {
      const length = this.#length();
      this.at += length;
    }
  }

  #length(): number {
    let length = 0;
    for (let shift = 0; ; shift += LENGTH_BITS) {
      const code = this.#bytes.charCodeAt(this.at++);
      length |= (code & (MORE - 1)) << shift;
      if (code < MORE) return length;
    }
  }
}

function lengthBytes(length: number): ByteString {
  return length < MORE
    ? (LENGTHS[length] as ByteString)
    : String.fromCharCode((length & (MORE - 1)) | MORE) + lengthBytes(length >> LENGTH_BITS);
}

/** Returns the number of bytes that a number needs; 0 for the number 0. */
function widthOf(value: bigint): number {
  let bytes = 0;
  for (let remaining = value; remaining > 0n; remaining >>= 8n) bytes++;
  return bytes;
}

function writeUint(buffer: Buffer, at: number, width: number, value: bigint): void {
  if (width === 0) return;
  if (width <= NUMBER_BYTES_MAX) {
    buffer.writeUIntBE(Number(value), at, width);
    return;
  }
  PARTS.setBigUint64(0, value);
  buffer.set(PARTS_BYTES.subarray(PART_BYTES - width, PART_BYTES), at);
}

function uintAt(bytes: ByteString, at: number, width: number): bigint {
  if (width <= NUMBER_BYTES_MAX) return BigInt(numberAt(bytes, at, at + width));
  const middle = at + width - LOW_BYTES;
  const high = BigInt(numberAt(bytes, at, middle)) << BigInt(8 * LOW_BYTES);
  return high | BigInt(numberAt(bytes, middle, at + width));
}

function numberAt(bytes: ByteString, start: number, end: number): number {
  let value = 0;
  for (let i = start; i < end; i++) value = value * 256 + bytes.charCodeAt(i);
  return value;
}
