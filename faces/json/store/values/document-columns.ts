/**
 * Columns of 32-bit marks. A column has a mark for each entry, derived from the value that the entry has under a name.
 * Values that PHP considers equal have the same mark, so a query first searches the marks and then reads only the texts
 * of the few entries whose mark matches. A column is derived from the document: it is created when a query first uses a
 * name, completed by later queries and kept up to date between them. Its marks are in the order of the document's
 * texts.
 */

import { hashOfName } from "../../../../daemon/store/values/tables/name-hash.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { phpNumeric } from "../../../../protocol/json/php-number.js";
import { FALSE, isListValue, type MemberName, type MemberValue, memberIn, TRUE } from "./member-value.js";

/** A name and a value that a query requires. */
export interface Alike {
  readonly name: MemberName;
  readonly mark: number;
  /** Whether lists may match too, because they may contain the value. */
  readonly orLists: boolean;
}

/** Maximum number of columns; those that queries used last are retained. */
const COLUMNS_MAX = 4;
/**
 * Number of slots that one query adds to a column, which takes a few milliseconds. The query reads the texts of all
 * later slots.
 */
const COMPLETED_MAX = 20_000;
/** The mark of a value that may equal several different values, so that the entry's text must be read. */
const ANY = 0;
/** The mark of a value that equals no number and no string. */
const NONE = 1;
/** The mark of a list: a bit that no other mark has alone. */
const LIST = 4;
/** All other marks have this bit. */
const VALUE = 2;
const DIGITS_END = 0x3a;

const DOUBLE = new Float64Array(1);
const WORDS = new Int32Array(DOUBLE.buffer);

export class DocumentColumns {
  #columns: Column[] = [];

  /**
   * Returns a function that searches for an entry that may have a value: it returns the index of the first such entry
   * at or after the given index.
   * @param alike if undefined, any value matches
   * @param texts the texts of the document; null means a hole
   */
  finder(alike: Alike | undefined, texts: readonly (ByteString | null)[]): (from: number) => number {
    if (alike === undefined) return (from) => from;
    const column = this.#complete(alike.name, texts);
    return (from) => column.find(alike, from);
  }

  /** Records the text that replaces the one at the given index. */
  set(index: number, text: ByteString): void {
    for (const column of this.#columns) column.set(index, text);
  }

  /** Removes a slot and moves the later ones up. */
  takeOut(index: number): void {
    for (const column of this.#columns) column.takeOut(index);
  }

  /** Discards all marks at or after an index. */
  cut(index: number): void {
    for (const column of this.#columns) column.cut(index);
  }

  #complete(name: MemberName, texts: readonly (ByteString | null)[]): Column {
    const column = this.#columns.find((one) => one.isOf(name)) ?? new Column(name);
    this.#columns = [column, ...this.#columns.filter((other) => other !== column)].slice(0, COLUMNS_MAX);
    column.complete(texts);
    return column;
  }
}

class Column {
  readonly #name: MemberName;
  #marks = new Int32Array(0);
  /** Number of slots whose mark is known. */
  #known = 0;

  constructor(name: MemberName) {
    this.#name = name;
  }

  /** Whether the column contains the values under a name, or at a path. */
  isOf({ label, within }: MemberName): boolean {
    return this.#name.label === label && (this.#name.within === null) === (within === null);
  }

  complete(texts: readonly (ByteString | null)[]): void {
    if (this.#marks.length < texts.length) {
      const more = new Int32Array(Math.max(texts.length, 2 * this.#marks.length));
      more.set(this.#marks.subarray(0, this.#known));
      this.#marks = more;
    }
    const end = Math.min(texts.length, this.#known + COMPLETED_MAX);
    for (; this.#known < end; this.#known++)
      this.#marks[this.#known] = this.#markIn(texts[this.#known] as ByteString | null);
  }

  /**
   * Returns the index of the first entry at or after `from` whose value may have the mark. An entry whose mark is not
   * known may have any mark.
   */
  find({ mark, orLists }: Alike, from: number): number {
    const marks = this.#marks;
    const known = this.#known;
    let index = from;
    if (orLists)
      while (index < known && marks[index] !== mark && ((marks[index] as number) & ~LIST) !== ANY) index++;
    else while (index < known && marks[index] !== mark && marks[index] !== ANY) index++;
    return index;
  }

  set(index: number, text: ByteString): void {
    if (index < this.#known) this.#marks[index] = this.#markIn(text);
  }

  takeOut(index: number): void {
    if (index >= this.#known) return;
    this.#marks.copyWithin(index, index + 1, this.#known);
    this.#known--;
  }

  cut(index: number): void {
    this.#known = Math.min(this.#known, index);
  }

  #markIn(text: ByteString | null): number {
    return text === null ? NONE : markOf(memberIn(text, this.#name));
  }
}

/** Returns the mark of a value. */
export function markOf(value: MemberValue): number {
  if (typeof value === "object") {
    if (isListValue(value)) return LIST;
    return value.kind === TRUE.kind || value.kind === FALSE.kind ? ANY : NONE;
  }
  const number = typeof value === "string" ? numberIn(value) : value;
  if (number === undefined) return hashOfName(value as ByteString) | VALUE;
  // The addition converts -0 to 0.
  DOUBLE[0] = Number(number) + 0;
  return Math.imul((WORDS[0] as number) ^ Math.imul(WORDS[1] as number, 0x9e3779b1), 0x85ebca6b) | VALUE;
}

/** Returns the number that a string represents, if it begins with a digit, a sign, a point or a space. */
const numberIn = (text: ByteString) => (text.charCodeAt(0) < DIGITS_END ? phpNumeric(text) : undefined);
