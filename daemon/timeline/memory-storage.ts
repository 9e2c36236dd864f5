/**
 * A timeline without a disk. Entries are grouped by the second of their date, and each second is sorted when it is
 * read. Adding an entry at the end, the usual case, is a push; a late entry costs at most the sorting of one second.
 */
import { type ByteString, bytesOf } from "../../protocol/byte-string.js";
import { ENTRY_ORDER_KEY_BYTES } from "../../protocol/version-2/envelope.js";
import { firstFrom } from "../store/values/tables/binary-search.js";
import { dateOf, firstOrderKeyBytes } from "./entries/entry.js";
import type { Mark, MarkName, Storage } from "./entries/storage.js";

/**
 * The entries of one second. Each entry is one string, order key ‖ value, which takes the least memory, and which the
 * engine compares quickly.
 */
interface Second {
  records: ByteString[];
  isSorted: boolean;
}

/** Bytes that the engine needs for each entry in addition to its string: the string's head, and a slot in an array. */
const OVERHEAD_BYTES = 28;

export class MemoryStorage implements Storage {
  readonly isDurable = false;
  readonly lostGroups = 0;
  readonly mayHaveForgotten = false;
  readonly isSafe = false;
  readonly #seconds = new Map<number, Second>();
  /** The keys of `#seconds` in ascending order. */
  readonly #order: number[] = [];
  readonly #marks = new Map<MarkName, Buffer>();
  #bytes = 0;

  get bytes(): number {
    return this.#bytes;
  }

  put(entries: readonly (readonly [orderKey: Buffer, value: Buffer])[], marks: readonly Mark[] = []): void {
    for (const [orderKey, value] of entries) this.#add(orderKey, value);
    for (const [name, value] of marks) this.#marks.set(name, Buffer.from(value));
  }

  flushNow(): boolean {
    return true;
  }

  flushed(): Promise<void> {
    return Promise.resolve();
  }

  synced(): Promise<void> {
    return this.flushed();
  }

  settled(): Promise<void> {
    return this.flushed();
  }

  get(orderKey: Buffer): Buffer | null {
    const second = this.#seconds.get(secondOf(orderKey));
    if (second === undefined) return null;
    const prefix = bytesOf(orderKey);
    const records = this.#sorted(second);
    const record = records[firstFrom(records, prefix)];
    return record?.startsWith(prefix) ? valueIn(record) : null;
  }

  *orderKeys(from: Buffer | null, to: Buffer | null): Generator<Buffer> {
    for (const record of this.#range(from, to))
      yield Buffer.from(record.slice(0, ENTRY_ORDER_KEY_BYTES), "latin1");
  }

  *entries(from: Buffer | null, to: Buffer | null): Generator<readonly [orderKey: Buffer, value: Buffer]> {
    for (const record of this.#range(from, to))
      yield [Buffer.from(record.slice(0, ENTRY_ORDER_KEY_BYTES), "latin1"), valueIn(record)];
  }

  last(): Buffer | null {
    const number = this.#order.at(-1);
    if (number === undefined) return null;
    const record = this.#sorted(this.#seconds.get(number) as Second).at(-1) as ByteString;
    return Buffer.from(record.slice(0, ENTRY_ORDER_KEY_BYTES), "latin1");
  }

  mark(name: MarkName): Buffer | null {
    return this.#marks.get(name) ?? null;
  }

  remove(orderKeys: readonly Buffer[], marks: readonly Mark[] = []): void {
    for (const [name, value] of marks) this.#marks.set(name, Buffer.from(value));
    for (const orderKey of orderKeys) {
      const second = this.#seconds.get(secondOf(orderKey));
      if (second === undefined) continue;

      const prefix = bytesOf(orderKey);
      const i = firstFrom(this.#sorted(second), prefix);
      if (!second.records[i]?.startsWith(prefix)) continue;
      for (const record of second.records.splice(i, 1)) this.#bytes -= bytesFor(record);
      if (second.records.length === 0) this.#removeSecond(secondOf(orderKey));
    }
  }

  close(): Promise<void> {
    return Promise.resolve();
  }

  #add(orderKey: Buffer, value: Buffer): void {
    const second = this.#secondFor(secondOf(orderKey));
    const prefix = bytesOf(orderKey);
    const record = prefix + bytesOf(value);
    const last = second.records.at(-1);
    if (last !== undefined && (last >= prefix || last.startsWith(prefix))) second.isSorted = false;
    second.records.push(record);
    this.#bytes += bytesFor(record);
  }

  #secondFor(number: number): Second {
    let second = this.#seconds.get(number);
    if (second === undefined) {
      second = { records: [], isSorted: true };
      this.#seconds.set(number, second);
      this.#order.splice(firstFrom(this.#order, number), 0, number);
    }
    return second;
  }

  #removeSecond(number: number): void {
    this.#seconds.delete(number);
    this.#order.splice(firstFrom(this.#order, number), 1);
  }

  /** Returns the records of a second in order. Of several records with the same order key, returns only the last. */
  #sorted(second: Second): readonly ByteString[] {
    if (second.isSorted) return second.records;
    const byOrderKey = new Map(
      second.records.map((record) => [record.slice(0, ENTRY_ORDER_KEY_BYTES), record]),
    );
    for (const record of second.records) this.#bytes -= bytesFor(record);
    second.records = [...byOrderKey.values()].sort();
    for (const record of second.records) this.#bytes += bytesFor(record);
    second.isSorted = true;
    return second.records;
  }

  /**
   * Yields the records of a range. After each second, it looks up which second is next, because entries may have been
   * added or removed in the meantime.
   */
  *#range(from: Buffer | null, to: Buffer | null): Generator<ByteString> {
    const end = to === null ? null : bytesOf(to);
    let next = from === null ? "" : bytesOf(from);
    let number = from === null ? this.#order[0] : this.#order[firstFrom(this.#order, secondOf(from))];

    while (number !== undefined) {
      const records = this.#sorted(this.#seconds.get(number) as Second).slice();
      for (let i = firstFrom(records, next); i < records.length; i++) {
        const record = records[i] as ByteString;
        if (end !== null && record >= end) return;
        yield record;
      }

      next = bytesOf(firstOrderKeyBytes((number + 1) * 1000));
      number = this.#order[firstFrom(this.#order, number + 1)];
    }
  }
}

function secondOf(orderKey: Buffer): number {
  return Math.floor(dateOf(orderKey) / 1000);
}

const valueIn = (record: ByteString): Buffer => Buffer.from(record.slice(ENTRY_ORDER_KEY_BYTES), "latin1");

const bytesFor = (record: ByteString): number => record.length + OVERHEAD_BYTES;
