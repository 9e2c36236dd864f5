/**
 * A collection: documents as BSON bytes in the order of insertion, which is state, and the requested indexes. Each document has a number of
 * its own, ascending; numbers and the contents of indexes are not state.
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import { Table } from "../relations/table.js";
import type { TableReading } from "../relations/table-reading.js";
import { CollectionIndex, ID_INDEX, type IndexSpec } from "./collection-index.js";

/** Documents with their numbers, which rise. */
export interface NumberedDocuments {
  readonly numbers: readonly number[];
  readonly documents: readonly ByteString[];
}

/** The documents of a collection as they were when a command began to read them. */
export class CollectionReading {
  readonly collection: Collection;
  readonly #reading: TableReading;

  constructor(collection: Collection, reading: TableReading) {
    this.collection = collection;
    this.#reading = reading;
  }

  /** Whether the collection has not changed since. */
  get isCurrent(): boolean {
    return this.#reading.isCurrent;
  }

  *numbered(): Generator<readonly [number: number, document: ByteString]> {
    for (const [number, [bytes]] of this.#reading.numbered()) yield [number, bytes as ByteString];
  }

  /** The document of a number that an index had at the beginning. */
  document(number: number): ByteString {
    return this.#reading.row(number)[0] as ByteString;
  }

  release(): void {
    this.#reading.release();
  }
}

/** More changes in one step, if they are of a large part of the documents, discard the indexes, which are then rebuilt. */
const CHANGES_MAX = 64;
const LARGE_PART = 0.25;

export class Collection {
  /** A row of one cell for each document. */
  readonly #table: Table;
  #specs: readonly IndexSpec[] = [];
  /** Indexes by name; made when they are first used. */
  readonly #indexes = new Map<ByteString, CollectionIndex>();

  constructor(table = new Table()) {
    this.#table = table;
  }

  get size(): number {
    return this.#table.size;
  }

  /** All documents, in order. */
  *documents(): Generator<ByteString> {
    for (const [, [bytes]] of this.#table.numbered()) yield bytes as ByteString;
  }

  numbered(): Generator<readonly [number: number, document: ByteString]> {
    return this.#numberedFrom(0);
  }

  /** Returns the document of a number that an index has found. */
  document(number: number): ByteString {
    return this.#table.row(number)[0] as ByteString;
  }

  /** Returns the documents as they are now, whatever changes later. The reader must release them. */
  reading(): CollectionReading {
    return new CollectionReading(this, this.#table.reading());
  }

  /** Whether a reader has not released it, so that the next change copies the list of documents. */
  get isRead(): boolean {
    return this.#table.isRead;
  }

  /** The specifications in the order of their creation; the index of _id always exists in addition. */
  get specs(): readonly IndexSpec[] {
    return this.#specs;
  }

  /** Inverse: the old ones. */
  set specs(specs: readonly IndexSpec[]) {
    this.#specs = specs;
    this.#indexes.clear();
  }

  /** All of them, made if they were not yet. */
  get indexes(): readonly CollectionIndex[] {
    return [ID_INDEX, ...this.#specs].map((spec) => this.#index(spec));
  }

  /** Continues the order of an index by one step. @returns whether more remain, unless the collection has discarded the index */
  orderSome(index: CollectionIndex): boolean {
    if (index.isOrdered || this.#indexes.get(index.spec.name) !== index) return false;
    index.orderSome(this.#numberedFrom(index.orderedTo + 1));
    return !index.isOrdered;
  }

  *#numberedFrom(from: number): Generator<readonly [number: number, document: ByteString]> {
    for (const [number, [bytes]] of this.#table.numbered(from)) yield [number, bytes as ByteString];
  }

  #index(spec: IndexSpec): CollectionIndex {
    let index = this.#indexes.get(spec.name);
    if (index === undefined) {
      index = new CollectionIndex(spec);
      for (const [number, bytes] of this.numbered()) index.add(number, bytes);
      this.#indexes.set(spec.name, index);
    }
    return index;
  }

  /** Appends a document. Inverse: `pop`. */
  push(bytes: ByteString): void {
    this.#table.push([bytes]);
    if (this.#indexes.size === 0) return;
    const number = this.#table.lastNumber;
    for (const index of this.#indexes.values()) index.add(number, bytes);
  }

  /** Removes the last documents, which were pushed last. */
  pop(count: number): void {
    for (let left = count; left > 0; left--) {
      const number = this.#table.lastNumber;
      const bytes = this.document(number);
      for (const index of this.#indexes.values()) index.remove(number, bytes);
      this.#table.pop(1);
    }
  }

  /** Replaces documents. @returns the old ones */
  set({ numbers, documents }: NumberedDocuments): NumberedDocuments {
    this.#beforeChanges(numbers.length);
    const { rows } = this.#table.set({ numbers, rows: documents.map((bytes) => [bytes]) });
    const old = rows.map(([bytes]) => bytes as ByteString);
    for (const index of this.#indexes.values()) {
      for (const [i, number] of numbers.entries()) index.remove(number, old[i] as ByteString);
      for (const [i, number] of numbers.entries()) index.add(number, documents[i] as ByteString);
    }
    return { numbers, documents: old };
  }

  /** Removes documents that are there. Inverse: `restore`. @param numbers  rising */
  remove(numbers: readonly number[]): NumberedDocuments {
    this.#beforeChanges(numbers.length);
    const { rows } = this.#table.remove(numbers);
    const documents = rows.map(([bytes]) => bytes as ByteString);
    for (const index of this.#indexes.values())
      for (const [i, number] of numbers.entries()) index.remove(number, documents[i] as ByteString);
    return { numbers, documents };
  }

  restore({ numbers, documents }: NumberedDocuments): void {
    this.#beforeChanges(numbers.length);
    this.#table.restore({ numbers, rows: documents.map((bytes) => [bytes]) });
    for (const index of this.#indexes.values())
      for (const [i, number] of numbers.entries()) index.add(number, documents[i] as ByteString);
  }

  clone(): Collection {
    const copy = new Collection(this.#table.clone());
    copy.#specs = this.#specs;
    return copy;
  }

  #beforeChanges(count: number): void {
    if (count > CHANGES_MAX && count > this.size * LARGE_PART) this.#indexes.clear();
  }
}
