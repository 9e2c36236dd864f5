/**
 * Columns of values that are derived from the texts of entries. A column has 64 bits for each entry: the number that
 * the entry has under a name, or 32 bits that are derived from any other value. Values that PHP considers equal have
 * the same number or the same mark, so a query first searches the column and then reads only the texts of the few
 * entries that may match. Ranges of numbers are tested without reading the texts. A column is created when a query
 * first uses a name, completed by later queries and kept up to date between them. Its values are in the order of the
 * document's texts.
 */

import { hashOfName } from "../../../../daemon/store/values/tables/name-hash.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { TextMemo } from "../../../../protocol/document-replies.js";
import { phpNumeric } from "../../../../protocol/json/php-number.js";
import {
  FALSE,
  isListValue,
  type MemberName,
  type MemberValue,
  MISSING,
  memberIn,
  TRUE,
} from "./member-value.js";

/** A name and a value that a query requires. */
export interface Alike {
  readonly name: MemberName;
  readonly mark: number;
  /** The value if it is a number, or a string that looks like one; otherwise NaN. */
  readonly number: number;
  /** Whether lists may match too, because they may contain the value. */
  readonly orLists: boolean;
}

/** Returns what entries with a value have in common. */
export function alikeTo(name: MemberName, value: MemberValue, orLists: boolean): Alike {
  const number = typeof value === "string" ? numberIn(value) : value;
  const isNumber = typeof number === "number" || typeof number === "bigint";
  return { name, mark: markOf(value), number: isNumber ? Number(number) : Number.NaN, orLists };
}

/** A range of numbers. The limits are in the range unless they are marked as open. */
export interface NumberRange {
  readonly low: number;
  readonly isLowOpen: boolean;
  readonly high: number;
  readonly isHighOpen: boolean;
}

/** A condition on the value under a name that numbers in some ranges meet, and no other numbers. */
export interface NumberTest {
  readonly name: MemberName;
  readonly ranges: readonly NumberRange[];
  /** Whether values that are neither numbers nor lists fail; otherwise the entry's text must be read. */
  readonly areOthersFailing: boolean;
}

/** The results of tests by columns. After UNKNOWN, the entry's text must be read. */
export const FAILS = 0;
export const PASSES = 1;
const UNKNOWN = 2;

/** Maximum number of columns; those that queries used last are retained. */
const COLUMNS_MAX = 6;
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
/** The upper half of a value that is not a number; its lower half is a mark. Together they are a NaN. */
const MARKED = 0x7ff80000;
/** The same for integers that no double represents exactly. */
const INTEGER = 0x7ff80001;
/** The index of the upper half in the two halves of a 64-bit value. */
const UPPER = new Uint8Array(Uint32Array.of(1).buffer)[0] === 1 ? 1 : 0;
const LOWER = 1 - UPPER;

const DOUBLE = new Float64Array(1);
const WORDS = new Int32Array(DOUBLE.buffer);

export class DocumentColumns {
  #columns: Column[] = [];
  readonly forms = new TextForms();

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

  /** Returns the verdict of tests on each entry. */
  verdicts(tests: readonly NumberTest[], texts: readonly (ByteString | null)[]): Uint8Array {
    const verdicts = new Uint8Array(texts.length).fill(PASSES);
    for (const test of tests) this.#complete(test.name, texts).judge(test, verdicts);
    return verdicts;
  }

  /** Records the text that replaces the one at the given index. */
  set(index: number, text: ByteString): void {
    for (const column of this.#columns) column.set(index, text);
    this.forms.set(index);
  }

  /** Removes a slot and moves the later ones up. */
  takeOut(index: number): void {
    for (const column of this.#columns) column.takeOut(index);
    this.forms.takeOut(index);
  }

  /** Discards all values at or after an index. */
  cut(index: number): void {
    for (const column of this.#columns) column.cut(index);
    this.forms.cut(index);
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
  /** Numbers, or NaN for other values. */
  #values = new Float64Array(0);
  /** The halves of the same values. */
  #halves = new Int32Array(0);
  /** Number of slots whose value is known. */
  #known = 0;

  constructor(name: MemberName) {
    this.#name = name;
  }

  /** Whether the column contains the values under a name, or at a path. */
  isOf({ label, within }: MemberName): boolean {
    return this.#name.label === label && (this.#name.within === null) === (within === null);
  }

  complete(texts: readonly (ByteString | null)[]): void {
    if (this.#values.length < texts.length) {
      const more = new Float64Array(Math.max(texts.length, 2 * this.#values.length));
      more.set(this.#values.subarray(0, this.#known));
      this.#values = more;
      this.#halves = new Int32Array(more.buffer);
    }
    const end = Math.min(texts.length, this.#known + COMPLETED_MAX);
    for (; this.#known < end; this.#known++) this.#put(this.#known, texts[this.#known] as ByteString | null);
  }

  /**
   * Returns the index of the first entry at or after `from` whose value may be the given one. An entry whose value is
   * not known may have any value.
   */
  find({ mark, number, orLists }: Alike, from: number): number {
    const values = this.#values;
    const halves = this.#halves;
    const known = this.#known;
    let index = from;
    for (; index < known; index++) {
      const value = values[index] as number;
      if (value === number) break;
      if (!Number.isNaN(value)) continue;
      const other = halves[2 * index + LOWER] as number;
      if (other === mark || other === ANY || (orLists && other === LIST)) break;
    }

    return index;
  }

  /** Lowers the verdicts on the entries that fail a test, or whose text must be read. */
  judge({ ranges, areOthersFailing }: NumberTest, verdicts: Uint8Array): void {
    const values = this.#values;
    const known = this.#known;
    for (let index = 0; index < verdicts.length; index++) {
      const value = index < known ? (values[index] as number) : Number.NaN;
      if (isIn(ranges, value)) continue;
      const isOpen = Number.isNaN(value) && !(index < known && areOthersFailing && this.#isOther(index));
      if (!isOpen) verdicts[index] = FAILS;
      else if (verdicts[index] === PASSES) verdicts[index] = UNKNOWN;
    }
  }

  set(index: number, text: ByteString): void {
    if (index < this.#known) this.#put(index, text);
  }

  takeOut(index: number): void {
    if (index >= this.#known) return;
    this.#values.copyWithin(index, index + 1, this.#known);
    this.#known--;
  }

  cut(index: number): void {
    this.#known = Math.min(this.#known, index);
  }

  /** Whether a value is neither a number nor a list. */
  #isOther(index: number): boolean {
    return this.#halves[2 * index + UPPER] === MARKED && this.#halves[2 * index + LOWER] !== LIST;
  }

  #put(index: number, text: ByteString | null): void {
    const value = text === null ? MISSING : memberIn(text, this.#name);
    if (typeof value === "number") {
      this.#values[index] = value;
      return;
    }
    this.#halves[2 * index + UPPER] = typeof value === "bigint" ? INTEGER : MARKED;
    this.#halves[2 * index + LOWER] = markOf(value);
  }
}

function isIn(ranges: readonly NumberRange[], value: number): boolean {
  for (let at = 0; at < ranges.length; at++) {
    const { low, isLowOpen, high, isHighOpen } = ranges[at] as NumberRange;
    if ((isLowOpen ? value > low : value >= low) && (isHighOpen ? value < high : value <= high)) return true;
  }
  return false;
}

/** A memory of the texts that a listener sends as they are stored, because they are the same in its own form. */
class TextForms {
  #areSame = new Uint8Array(0);
  /** Increases when a slot receives another text. */
  changes = 0;

  /** Returns a function that returns the memo of entries in the given slots, which were selected now. */
  selected(): (slots: readonly number[] | null) => TextMemo {
    const { changes } = this;
    return (slots) => new SelectedForms(this, changes, slots);
  }

  isSame(index: number): boolean {
    return this.#areSame[index] === 1;
  }

  note(index: number): void {
    if (index >= this.#areSame.length) {
      const more = new Uint8Array(2 * index + 1);
      more.set(this.#areSame);
      this.#areSame = more;
    }
    this.#areSame[index] = 1;
  }

  set(index: number): void {
    this.changes++;
    if (index < this.#areSame.length) this.#areSame[index] = 0;
  }

  takeOut(index: number): void {
    this.changes++;
    this.#areSame.copyWithin(index, index + 1);
    this.#areSame.fill(0, -1);
  }

  cut(index: number): void {
    this.changes++;
    this.#areSame.fill(0, index);
  }
}

/** What is remembered about selected entries, until a text of the document changes. */
class SelectedForms implements TextMemo {
  readonly #forms: TextForms;
  readonly #changes: number;
  readonly #slots: readonly number[] | null;

  constructor(forms: TextForms, changes: number, slots: readonly number[] | null) {
    this.#forms = forms;
    this.#changes = changes;
    this.#slots = slots;
  }

  areSame(from: number, to: number): boolean {
    if (this.#forms.changes !== this.#changes) return false;
    for (let at = from; at < to; at++) if (!this.#forms.isSame(this.#slotAt(at))) return false;
    return true;
  }

  noteSame(from: number, to: number): void {
    if (this.#forms.changes !== this.#changes) return;
    for (let at = from; at < to; at++) this.#forms.note(this.#slotAt(at));
  }

  #slotAt(at: number): number {
    return this.#slots === null ? at : (this.#slots[at] as number);
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
