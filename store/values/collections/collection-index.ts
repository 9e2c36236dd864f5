/** Documents of a collection by what some of their fields hold: for equality, and for what may be there once only. Part of no state. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { firstPlaceFrom } from "../tables/first-place.js";
import { type BsonDocument, Int32, isDocument } from "./bson.js";
import { readKnownBson } from "./bson-reader.js";
import { writeBson } from "./bson-writer.js";
import { type FieldPath, type IndexKey, indexKeys, pathOf } from "./index-keys.js";

/** An index as it was asked for. */
export interface IndexSpec {
  readonly name: ByteString;
  /** The document of its fields, each with its direction. */
  readonly pattern: BsonDocument;
  readonly isUnique: boolean;
  readonly isSparse: boolean;
}

export const ID_INDEX: IndexSpec = {
  name: "_id_",
  pattern: new Map([["_id", new Int32(1)]]),
  isUnique: true,
  isSparse: false,
};

/** As it is kept and listed. */
export function indexBytes({ name, pattern, isUnique, isSparse }: IndexSpec): ByteString {
  const document: [ByteString, BsonDocument | Int32 | ByteString | boolean][] = [
    ["v", new Int32(2)],
    ["key", pattern],
    ["name", name],
  ];
  if (isUnique && name !== ID_INDEX.name) document.push(["unique", true]);
  if (isSparse) document.push(["sparse", true]);
  return writeBson(new Map(document));
}

/** @returns undefined: the bytes are no index's */
export function indexOfBytes(bytes: ByteString): IndexSpec | undefined {
  const document = readKnownBson(bytes);
  const [name, pattern] = [document.get("name"), document.get("key")];
  if (typeof name !== "string" || !isDocument(pattern) || pattern.size === 0) return undefined;
  return {
    name,
    pattern,
    isUnique: document.get("unique") === true,
    isSparse: document.get("sparse") === true,
  };
}

/** Numbers of documents, rising; one alone is no array. */
type Bucket = number | number[];
const NONE: readonly number[] = [];

export class CollectionIndex {
  readonly spec: IndexSpec;
  readonly paths: readonly FieldPath[];
  /** The fields of a document in which the ways begin. */
  readonly #roots: ReadonlySet<ByteString>;
  readonly #documents = new Map<ByteString, Bucket>();

  constructor(spec: IndexSpec) {
    this.spec = spec;
    this.paths = [...spec.pattern.keys()].map(pathOf);
    this.#roots = new Set(this.paths.map(([root]) => root as ByteString));
  }

  /** @throws ParallelArrays */
  keysOf(bytes: ByteString): readonly IndexKey[] {
    return indexKeys(readKnownBson(bytes, this.#roots), this.paths, this.spec.isSparse);
  }

  add(number: number, bytes: ByteString): void {
    for (const { text } of this.keysOf(bytes)) {
      const bucket = this.#documents.get(text);
      if (bucket === undefined) this.#documents.set(text, number);
      else if (typeof bucket === "number")
        this.#documents.set(text, bucket < number ? [bucket, number] : [number, bucket]);
      else bucket.splice(firstPlaceFrom(bucket, number), 0, number);
    }
  }

  remove(number: number, bytes: ByteString): void {
    for (const { text } of this.keysOf(bytes)) {
      const bucket = this.#documents.get(text);
      if (typeof bucket !== "object") this.#documents.delete(text);
      else if (bucket.length === 2) this.#documents.set(text, bucket[bucket[0] === number ? 1 : 0] as number);
      else bucket.splice(firstPlaceFrom(bucket, number), 1);
    }
  }

  /** Numbers of the documents that a key is of, rising. */
  equal(text: ByteString): readonly number[] {
    const bucket = this.#documents.get(text);
    return typeof bucket === "number" ? [bucket] : (bucket ?? NONE);
  }
}
