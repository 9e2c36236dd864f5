/**
 * A collection: documents as BSON in the order of insertion, which is part of the state, and the indexes that clients
 * have created. Each document has its own number, ascending; the numbers and the contents of indexes are not part of
 * the state.
 */

import type { DigestMix } from "../../../../daemon/store/values/digest-mix.js";
import {
  REFERENCE,
  sampledBytes,
  stringBytes,
  TABLE_SLOT,
} from "../../../../daemon/store/values/memory-estimate.js";
import {
  type CopyEffort,
  ITEMS_PER_STEP,
  type ObjectValue,
  type ValueKind,
  type ValueReader,
  type ValueWriter,
} from "../../../../daemon/store/values/object-value.js";
import { DamagedSnapshot } from "../../../../daemon/timeline/snapshots/snapshot-stream.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Steps } from "../../../../protocol/steps.js";
import { ROW_BYTES, Table } from "../../../sql/store/values/table.js";
import type { TableReading } from "../../../sql/store/values/table-reading.js";
import { BsonFault } from "./bson.js";
import { readBson } from "./bson-reader.js";
import { CollectionIndex, ID_INDEX, type IndexSpec, indexBytes, indexOfBytes } from "./collection-index.js";
import { isCollectionKey } from "./collection-key.js";

/** Bytes of a document's key in an index, such as the text of an ObjectId. */
const INDEX_KEY = 4 * REFERENCE;

/** Maximum number of indexes that are built before they are created: those of one command. */
const PREPARED_MAX = 64;

/** Documents with their numbers, ascending. */
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

  /** Whether the collection is unchanged since the reading began. */
  get isCurrent(): boolean {
    return this.#reading.isCurrent;
  }

  *numbered(): Generator<readonly [number: number, document: ByteString]> {
    for (const [number, [bytes]] of this.#reading.numbered()) yield [number, bytes as ByteString];
  }

  /** Returns the document with the given number, which an index contained when the reading began. */
  document(number: number): ByteString {
    return this.#reading.row(number)[0] as ByteString;
  }

  release(): void {
    this.#reading.release();
  }
}

/**
 * If one step changes more documents than this, and a large part of the collection, the indexes are discarded and later
 * rebuilt.
 */
const CHANGES_MAX = 64;
const LARGE_PART = 0.25;

export class Collection implements ObjectValue {
  /** A table with one row for each document, each row with one cell. */
  readonly #table: Table;
  #specs: readonly IndexSpec[] = [];
  /** Whether one of the indexes has been invalid. An undo may make it invalid again. */
  #hadInvalid = false;
  /** Indexes by name; each is built when it is first used. */
  readonly #indexes = new Map<ByteString, CollectionIndex>();
  /**
   * Indexes of all documents that a command has built before it creates them, by the bytes of their definitions. The
   * next change of documents discards them.
   */
  readonly #prepared = new Map<ByteString, CollectionIndex>();

  constructor(table = new Table()) {
    this.#table = table;
  }

  get size(): number {
    return this.#table.size;
  }

  fits(key: ByteString): boolean {
    return isCollectionKey(key);
  }

  get type(): "collection" {
    return "collection";
  }

  get allElements(): number {
    return this.size;
  }

  /** Yields all documents, in order. */
  *documents(): Generator<ByteString> {
    for (const [, [bytes]] of this.#table.numbered()) yield bytes as ByteString;
  }

  numbered(): Generator<readonly [number: number, document: ByteString]> {
    return this.#numberedFrom(0);
  }

  /** Returns the document with the given number, which an index has found. */
  document(number: number): ByteString {
    return this.#table.row(number)[0] as ByteString;
  }

  /** Returns the documents as they are now; later changes do not affect them. The reader must release them. */
  reading(): CollectionReading {
    return new CollectionReading(this, this.#table.reading());
  }

  /**
   * Whether a reader has not released its documents yet, in which case the next change copies the list of documents.
   */
  get isRead(): boolean {
    return this.#table.isRead;
  }

  /** The definitions in the order of their creation, without the index on _id, which always exists. */
  get specs(): readonly IndexSpec[] {
    return this.#specs;
  }

  /** Replaces the definitions. Inverse: set the old ones. */
  set specs(specs: readonly IndexSpec[]) {
    this.#specs = specs;
    this.#hadInvalid ||= specs.some(({ invalid }) => invalid !== undefined);
    this.#indexes.clear();
  }

  get invalidIndexes(): readonly ByteString[] | undefined {
    if (!this.#hadInvalid) return undefined;
    return this.#specs.flatMap(({ name, invalid }) => (invalid === undefined ? [] : [name]));
  }

  /** All indexes; builds those that do not exist yet. */
  get indexes(): readonly CollectionIndex[] {
    return [ID_INDEX, ...this.#specs].map((spec) => this.#index(spec));
  }

  /** Adds an index of all documents, for a definition that a command is going to add. */
  prepare(index: CollectionIndex): void {
    if (this.#prepared.size === PREPARED_MAX) this.#prepared.clear();
    this.#prepared.set(indexBytes(index.spec), index);
  }

  /** Whether an index with this definition was prepared, and no document has changed since. */
  hasPrepared(spec: IndexSpec): boolean {
    return this.#prepared.has(indexBytes(spec));
  }

  /** Discards the indexes that were prepared: none of them is created. */
  discardPrepared(): void {
    this.#prepared.clear();
  }

  /** The index on _id, which finds at most one document for a key. */
  get idIndex(): CollectionIndex {
    return this.#index(ID_INDEX);
  }

  /**
   * Continues the sorted order of an index by one step.
   * @returns whether documents remain to be added; false if the collection has discarded the index
   */
  orderSome(index: CollectionIndex): boolean {
    if (index.isOrdered || this.#indexes.get(index.spec.name) !== index) return false;
    index.orderSome(this.#numberedFrom(index.orderedTo + 1));
    return !index.isOrdered;
  }

  *#numberedFrom(from: number): Generator<readonly [number: number, document: ByteString]> {
    for (const [number, [bytes]] of this.#table.numbered(from)) yield [number, bytes as ByteString];
  }

  #index(spec: IndexSpec): CollectionIndex {
    const existing = this.#indexes.get(spec.name);
    if (existing !== undefined) return existing;
    const index = this.#takePrepared(spec) ?? this.#built(spec);
    this.#indexes.set(spec.name, index);
    return index;
  }

  #takePrepared(spec: IndexSpec): CollectionIndex | undefined {
    if (this.#prepared.size === 0) return undefined;
    const definition = indexBytes(spec);
    const index = this.#prepared.get(definition);
    this.#prepared.delete(definition);
    return index;
  }

  #built(spec: IndexSpec): CollectionIndex {
    const index = new CollectionIndex(spec);
    for (const [number, bytes] of this.numbered()) index.add(number, bytes);
    return index;
  }

  /** Appends a document. Inverse: `pop`. */
  push(bytes: ByteString): void {
    this.#prepared.clear();
    this.#table.push([bytes]);
    if (this.#indexes.size === 0) return;
    const number = this.#table.lastNumber;
    for (const index of this.#indexes.values()) index.add(number, bytes);
  }

  /** Removes the given number of documents that were pushed last. */
  pop(count: number): void {
    this.#prepared.clear();
    for (let remaining = count; remaining > 0; remaining--) {
      const number = this.#table.lastNumber;
      const bytes = this.document(number);
      for (const index of this.#indexes.values()) index.remove(number, bytes);
      this.#table.pop(1);
    }
  }

  /** Replaces documents by others with the same `_id`. @returns the old documents */
  set({ numbers, documents }: NumberedDocuments): NumberedDocuments {
    this.#beforeChanges(numbers.length);
    const { rows } = this.#table.set({ numbers, rows: documents.map((bytes) => [bytes]) });
    const old = rows.map(([bytes]) => bytes as ByteString);
    for (const index of this.#indexes.values()) {
      if (index.spec === ID_INDEX) continue;
      for (const [i, number] of numbers.entries())
        index.replace(number, old[i] as ByteString, documents[i] as ByteString);
    }
    return { numbers, documents: old };
  }

  /** Removes existing documents. Inverse: `restore`. @param numbers the numbers of the documents, ascending */
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
    copy.specs = this.#specs;
    return copy;
  }

  countCopy(effort: CopyEffort): void {
    effort.countProduced(this.size);
  }

  canonical(): readonly unknown[] {
    return [this.#specs.map(indexBytes), [...this.documents()]];
  }

  addTo(digest: DigestMix): void {
    for (const spec of this.#specs) digest.text(indexBytes(spec));
    for (const document of digest.first(this.documents())) digest.part(document);
  }

  estimatedBytes(samples: number): number {
    return sampledBytes(this.size, samples, (count) => this.#bytesOfFirst(count));
  }

  get form(): "collection" {
    return "collection";
  }

  *write(writer: ValueWriter): Generator<undefined> {
    writer.number(this.#specs.length);
    for (const spec of this.#specs) writer.bytes(indexBytes(spec));
    for (const document of this.documents()) {
      writer.bytes(document);
      if (writer.isFull) yield;
    }
  }

  #bytesOfFirst(count: number): number {
    let bytes = 0;
    for (const document of this.documents()) {
      if (count-- === 0) break;
      // The document's bytes, its row, and its slot in the index of _id.
      bytes += ROW_BYTES + 2 * REFERENCE + TABLE_SLOT + INDEX_KEY + stringBytes(document);
    }
    return bytes;
  }

  #beforeChanges(count: number): void {
    this.#prepared.clear();
    if (count > CHANGES_MAX && count > this.size * LARGE_PART) this.#indexes.clear();
  }
}

export const COLLECTION_KIND: ValueKind = { forms: ["collection"], read: readCollection };

/** @param size  the number of documents */
function* readCollection(reader: ValueReader, size: number): Steps<Collection> {
  const specs: IndexSpec[] = [];
  for (let left = reader.number(); left > 0; left--) specs.push(readSpec(reader));
  const collection = new Collection();
  collection.specs = specs;
  for (let count = 1; count <= size; count++) {
    collection.push(checked(reader.bytes()));
    if (count % ITEMS_PER_STEP === 0) yield;
  }
  return collection;
}

function readSpec(reader: ValueReader): IndexSpec {
  const spec = indexOfBytes(checked(reader.bytes()));
  if (spec === undefined) throw new DamagedSnapshot("a collection's index is invalid");
  return spec;
}

/** Returns the bytes, which must be BSON. @throws DamagedSnapshot */
function checked(bytes: ByteString): ByteString {
  try {
    readBson(bytes);
  } catch (fault) {
    if (fault instanceof BsonFault) throw new DamagedSnapshot(`a collection's document: ${fault.message}`);
    throw fault;
  }
  return bytes;
}
