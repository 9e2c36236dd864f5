/**
 * The rows of a digest index: for each range of time, the count and the sum of the ids in the range. The rows are
 * sorted by their keys, the numbers of the ranges. A sum is mod 2^256, as eight words of 32 bits, the least significant
 * first.
 */
import type { ByteString } from "../../../protocol/byte-string.js";

export const SUM_WORDS = 8;

/** A sum, or an id as a number. */
export type Words = Uint32Array;

const ROWS_MIN = 64;

/** key (6, big-endian) ‖ count (4) ‖ sum (32, big-endian). */
export const ROW_BYTES = 42;

export class SumTable {
  readonly #keys: number[] = [];
  readonly #counts: number[] = [];
  #sums: Words = new Uint32Array(ROWS_MIN * SUM_WORDS);

  get size(): number {
    return this.#keys.length;
  }

  /** Adds an id to a row, which is created if necessary. */
  add(key: number, id: Words): void {
    let row = this.firstFrom(key);
    if (this.#keys[row] !== key) row = this.#insert(row, key);
    this.#counts[row] = (this.#counts[row] as number) + 1;
    addWords(this.#sums, row * SUM_WORDS, id, 0);
  }

  /** Subtracts an id from a row, and removes an empty row. */
  subtract(key: number, id: Words): void {
    const row = this.firstFrom(key);
    if (this.#keys[row] !== key) return;
    const count = (this.#counts[row] as number) - 1;
    this.#counts[row] = count;
    subtractWords(this.#sums, row * SUM_WORDS, id);
    if (count === 0) this.#remove(row, 1);
  }

  /** Returns the index of the first row whose key is not below a bound. */
  firstFrom(bound: number): number {
    const keys = this.#keys;
    const last = keys.at(-1);
    if (last === undefined || last < bound) return keys.length;
    if (last === bound) return keys.length - 1;

    let low = 0;
    let high = keys.length - 1;
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((keys[middle] as number) < bound) low = middle + 1;
      else high = middle;
    }
    return low;
  }

  keyAt(row: number): number {
    return this.#keys[row] as number;
  }

  countAt(row: number): number {
    return this.#counts[row] as number;
  }

  /** Returns the upper word of the lower 64 bits of a sum; `lowAt` returns the lower word. */
  highAt(row: number): number {
    return this.#sums[row * SUM_WORDS + 1] as number;
  }

  lowAt(row: number): number {
    return this.#sums[row * SUM_WORDS] as number;
  }

  /** Adds the sums of rows `from` ≤ row < `to` to a sum. @returns their count */
  addTo(sum: Words, from: number, to: number): number {
    let count = 0;
    for (let row = from; row < to; row++) {
      count += this.#counts[row] as number;
      addWords(sum, 0, this.#sums, row * SUM_WORDS);
    }
    return count;
  }

  dropBelow(key: number): void {
    this.#remove(0, this.firstFrom(key));
  }

  clear(): void {
    this.#remove(0, this.size);
  }

  /** Returns the rows `from` ≤ row < `to` as bytes. */
  write(from: number, to: number): Buffer {
    const bytes = Buffer.allocUnsafe((to - from) * ROW_BYTES);
    for (let row = from, offset = 0; row < to; row++, offset += ROW_BYTES) {
      bytes.writeUIntBE(this.#keys[row] as number, offset, 6);
      bytes.writeUInt32BE(this.#counts[row] as number, offset + 6);
      writeWords(bytes, offset + 10, this.#sums, row * SUM_WORDS);
    }
    return bytes;
  }

  /** Adds rows after the last one. @param bytes  from `write` */
  append(bytes: Buffer): void {
    for (let offset = 0; offset < bytes.length; offset += ROW_BYTES) {
      const row = this.#insert(this.size, bytes.readUIntBE(offset, 6));
      this.#counts[row] = bytes.readUInt32BE(offset + 6);
      for (let word = 0; word < SUM_WORDS; word++)
        this.#sums[row * SUM_WORDS + word] = bytes.readUInt32BE(offset + 38 - 4 * word);
    }
  }

  #insert(row: number, key: number): number {
    const words = this.size * SUM_WORDS;
    if (words === this.#sums.length) {
      const grown = new Uint32Array(words * 2);
      grown.set(this.#sums);
      this.#sums = grown;
    }

    if (row === this.size) {
      this.#keys.push(key);
      this.#counts.push(0);
    } else {
      this.#keys.splice(row, 0, key);
      this.#counts.splice(row, 0, 0);
      this.#sums.copyWithin((row + 1) * SUM_WORDS, row * SUM_WORDS, words);
    }

    this.#sums.fill(0, row * SUM_WORDS, (row + 1) * SUM_WORDS);
    return row;
  }

  #remove(row: number, rows: number): void {
    this.#sums.copyWithin(row * SUM_WORDS, (row + rows) * SUM_WORDS, this.size * SUM_WORDS);
    this.#keys.splice(row, rows);
    this.#counts.splice(row, rows);
  }
}

/** Converts an id to words. @param id  32 bytes, read as a big-endian number */
export function readWords(id: ByteString, into: Words): void {
  for (let word = 0, i = 28; word < SUM_WORDS; word++, i -= 4) {
    into[word] =
      (id.charCodeAt(i) << 24) |
      (id.charCodeAt(i + 1) << 16) |
      (id.charCodeAt(i + 2) << 8) |
      id.charCodeAt(i + 3);
  }
}

/**
 * Converts an id in a buffer to words.
 * @param offset  the position of the id
 */
export function readWordsAt(bytes: Buffer, offset: number, into: Words): void {
  for (let word = 0, i = offset + 28; word < SUM_WORDS; word++, i -= 4) into[word] = bytes.readUInt32BE(i);
}

export function writeWords(bytes: Buffer, offset: number, words: Words, from: number): void {
  for (let word = 0; word < SUM_WORDS; word++)
    bytes.writeUInt32BE(words[from + word] as number, offset + 28 - 4 * word);
}

export function addWords(sum: Words, at: number, words: Words, from: number): void {
  let carry = 0;
  for (let word = 0; word < SUM_WORDS; word++) {
    const total = (sum[at + word] as number) + (words[from + word] as number) + carry;
    sum[at + word] = total;
    carry = total > 0xffffffff ? 1 : 0;
  }
}

function subtractWords(sum: Words, at: number, words: Words): void {
  let borrow = 0;
  for (let word = 0; word < SUM_WORDS; word++) {
    const difference = (sum[at + word] as number) - (words[word] as number) - borrow;
    sum[at + word] = difference;
    borrow = difference < 0 ? 1 : 0;
  }
}
