/**
 * An index of a collection: finds documents by the values of some of their fields, for equality and for uniqueness.
 * Indexes are not part of the state.
 */

import { firstIndexFrom } from "../../../../daemon/store/values/tables/binary-search.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, Int32, isDocument } from "./bson.js";
import { readKnownBson } from "./bson-reader.js";
import { writeBson } from "./bson-writer.js";
import {
  type FieldPath,
  type IndexKey,
  indexKeys,
  OrderedKeys,
  ParallelArrays,
  pathOf,
  TooManyKeys,
} from "./index-keys.js";

/** The definition of an index, as the client requested it. */
export interface IndexSpec {
  readonly name: ByteString;
  /** The indexed fields, each with its direction. */
  readonly pattern: BsonDocument;
  readonly isUnique: boolean;
  readonly isSparse: boolean;
  /**
   * Number of seconds after the date in the index's only field at which a document expires. If it is left out,
   * documents do not expire.
   */
  readonly expireAfterSeconds?: number;
  /**
   * Why the index is not what a client was answered, for example because documents with equal values were inserted on
   * another daemon before it. If it is left out, the index is valid. A unique index that is invalid still rejects
   * further documents with equal values.
   */
  readonly invalid?: ByteString;
}

export const ID_INDEX: IndexSpec = {
  name: "_id_",
  pattern: new Map([["_id", new Int32(1)]]),
  isUnique: true,
  isSparse: false,
};

/** Returns the BSON form of a definition, in which it is stored and listed. */
export function indexBytes(spec: IndexSpec): ByteString {
  const { name, pattern, isUnique, isSparse, expireAfterSeconds, invalid } = spec;
  const document: [ByteString, Bson][] = [
    ["v", new Int32(2)],
    ["key", pattern],
    ["name", name],
  ];
  if (isUnique && name !== ID_INDEX.name) document.push(["unique", true]);
  if (isSparse) document.push(["sparse", true]);
  if (expireAfterSeconds !== undefined) document.push(["expireAfterSeconds", new Int32(expireAfterSeconds)]);
  if (invalid !== undefined) document.push(["invalid", invalid]);
  return writeBson(new Map(document));
}

/** @returns undefined if the bytes do not define an index */
export function indexOfBytes(bytes: ByteString): IndexSpec | undefined {
  const document = readKnownBson(bytes);
  const [name, pattern] = [document.get("name"), document.get("key")];
  if (typeof name !== "string" || !isDocument(pattern) || pattern.size === 0) return undefined;
  const [seconds, invalid] = [document.get("expireAfterSeconds"), document.get("invalid")];
  return {
    ...(seconds instanceof Int32 ? { expireAfterSeconds: seconds.value } : {}),
    ...(typeof invalid === "string" ? { invalid } : {}),
    name,
    pattern,
    isUnique: document.get("unique") === true,
    isSparse: document.get("sparse") === true,
  };
}

/**
 * Number of keys that one step adds to the sorted order. The limit is low because each insertion searches keys that are
 * scattered in memory.
 */
export const ORDERED_ITEMS = 128;

/** Numbers of documents, ascending; a single one is stored without an array. */
type Bucket = number | number[];
const NONE: readonly number[] = [];
const NO_KEYS: readonly IndexKey[] = [];

export class CollectionIndex {
  readonly spec: IndexSpec;
  readonly paths: readonly FieldPath[];
  /** The top-level fields with which the indexed paths begin. */
  readonly #roots: ReadonlySet<ByteString>;
  readonly #documents = new Map<ByteString, Bucket>();
  /** The sorted keys of the documents up to `#orderedTo`. */
  readonly #ordered = new OrderedKeys();
  /**
   * The number of the last document in the sorted order; -1 if no command has requested the order, infinite if the
   * order is complete.
   */
  #orderedTo = -1;
  /** Number of documents that have several keys. */
  #multikeys = 0;
  /** Number of documents that the index, which is invalid, cannot contain. */
  #omitted = 0;

  constructor(spec: IndexSpec) {
    this.spec = spec;
    this.paths = [...spec.pattern.keys()].map(pathOf);
    this.#roots = new Set(this.paths.map(([root]) => root as ByteString));
  }

  /** @throws ParallelArrays, TooManyKeys */
  keysOf(bytes: ByteString): readonly IndexKey[] {
    return indexKeys(readKnownBson(bytes, this.#roots), this.paths, this.spec.isSparse);
  }

  /** Returns the keys of a document of the collection, or null if the index, which is invalid, cannot contain it. */
  storedKeysOf(bytes: ByteString): readonly IndexKey[] | null {
    if (this.spec.invalid === undefined) return this.keysOf(bytes);
    try {
      return this.keysOf(bytes);
    } catch (fault) {
      if (fault instanceof ParallelArrays || fault instanceof TooManyKeys) return null;
      throw fault;
    }
  }

  add(number: number, bytes: ByteString): void {
    const keys = this.storedKeysOf(bytes);
    if (keys === null) this.#omitted++;
    else this.addKeys(number, keys);
  }

  /** Adds a document whose keys are known. */
  addKeys(number: number, keys: readonly IndexKey[]): void {
    if (keys.length > 1) this.#multikeys++;
    for (const { text, values } of keys) {
      if (number <= this.#orderedTo) this.#ordered.add(values, number);
      const bucket = this.#documents.get(text);
      if (bucket === undefined) this.#documents.set(text, number);
      else if (typeof bucket === "number")
        this.#documents.set(text, bucket < number ? [bucket, number] : [number, bucket]);
      else bucket.splice(firstIndexFrom(bucket, number), 0, number);
    }
  }

  /** Replaces the contents of a document. */
  replace(number: number, old: ByteString, bytes: ByteString): void {
    const [before, after] = [this.storedKeysOf(old), this.storedKeysOf(bytes)];
    if (before === null || after === null) {
      this.remove(number, old);
      this.add(number, bytes);
      return;
    }

    // Most updates change no indexed field, and adding a number to a long list of documents takes long.
    if (before.length === after.length && before.every(({ text }, i) => text === after[i]?.text)) return;

    this.#removeKeys(number, before);
    this.addKeys(number, after);
  }

  remove(number: number, bytes: ByteString): void {
    const keys = this.storedKeysOf(bytes);
    if (keys === null) this.#omitted--;
    else this.#removeKeys(number, keys);
  }

  #removeKeys(number: number, keys: readonly IndexKey[]): void {
    if (keys.length > 1) this.#multikeys--;
    for (const { text, values } of keys) {
      if (number <= this.#orderedTo) this.#ordered.remove(values, number);
      const bucket = this.#documents.get(text);
      if (typeof bucket !== "object") this.#documents.delete(text);
      else if (bucket.length === 2) this.#documents.set(text, bucket[bucket[0] === number ? 1 : 0] as number);
      else bucket.splice(firstIndexFrom(bucket, number), 1);
    }
  }

  /** Whether a document has several keys because it contains an array. */
  get isMultikey(): boolean {
    return this.#multikeys > 0;
  }

  /** Whether the index contains all documents, so that queries may use it. */
  get isComplete(): boolean {
    return this.#omitted === 0;
  }

  get isOrdered(): boolean {
    return this.#orderedTo === Number.POSITIVE_INFINITY;
  }

  /** The number of the last document in the sorted order. */
  get orderedTo(): number {
    return this.#orderedTo;
  }

  /** The documents, sorted by their keys. */
  get ordered(): OrderedKeys {
    if (!this.isOrdered) throw new Error(`the order of index ${this.spec.name} is not complete`);
    return this.#ordered;
  }

  /**
   * Adds the next documents to the sorted order, as many as one step permits; later changes keep it up to date.
   * @param documents the documents after `orderedTo`
   */
  orderSome(documents: Iterable<readonly [number: number, bytes: ByteString]>): void {
    let keys = 0;
    for (const [number, bytes] of documents) {
      if (keys >= ORDERED_ITEMS) return;
      const some = this.storedKeysOf(bytes) ?? NO_KEYS;
      for (const { values } of some) this.#ordered.add(values, number);
      keys += Math.max(1, some.length);
      this.#orderedTo = number;
    }
    this.#orderedTo = Number.POSITIVE_INFINITY;
  }

  /** Whether a document has a key. */
  has(text: ByteString): boolean {
    return this.#documents.has(text);
  }

  /** Returns the numbers of the documents that have a key, ascending. */
  equal(text: ByteString): readonly number[] {
    const bucket = this.#documents.get(text);
    return typeof bucket === "number" ? [bucket] : (bucket ?? NONE);
  }
}
