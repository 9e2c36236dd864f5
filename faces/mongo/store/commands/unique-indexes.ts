/**
 * Checks unique indexes. All changes of a statement are checked before the first document is changed. An index that is
 * invalid rejects new duplicates too, but not changes of documents that leave their values in it as they are.
 */
import { type ByteString, bytesOfText } from "../../../../protocol/byte-string.js";
import { MongoFailure } from "../queries/mongo-failure.js";
import { type Bson, type BsonDocument, Int32, ObjectId } from "../values/bson.js";
import { isNumber } from "../values/bson-numbers.js";
import type { Collection } from "../values/collection.js";
import { type CollectionIndex, ID_INDEX, type IndexSpec } from "../values/collection-index.js";
import { Decimal, decimalText } from "../values/decimal.js";
import { writeExtendedJson } from "../values/extended-json.js";
import { type IndexKey, ParallelArrays, TooManyKeys } from "../values/index-keys.js";
import type { Namespace } from "./collection-names.js";
import { expiredBy } from "./ttl-indexes.js";

export class Uniqueness {
  readonly #namespace: ByteString;
  readonly #indexes: readonly CollectionIndex[];
  /** Numbers of the documents that will be replaced. */
  readonly #leaving: ReadonlySet<number>;
  /** Keys of the documents checked so far, by index. */
  readonly #coming = new Map<CollectionIndex, Set<ByteString>>();

  readonly #collection: Collection;
  readonly #isExpired: ((bytes: ByteString) => boolean) | null;

  constructor(
    { namespace, at }: { readonly namespace: Namespace; readonly at: number },
    collection: Collection,
    leaving: ReadonlySet<number> = new Set(),
  ) {
    this.#namespace = namespace.text;
    this.#collection = collection;
    this.#isExpired = expiredBy(collection, at);
    this.#indexes = collection.indexes;
    this.#leaving = leaving;
  }

  /**
   * Adds a document that will be stored.
   * @param replaced  the number of the document that it replaces; undefined if it is new
   * @throws CommandFailure if another document has the same unique value
   */
  take(bytes: ByteString, replaced?: number): void {
    const keysByIndex = this.#indexes.map((index) => this.#keysIn(index, bytes, replaced));
    for (const { index, keys, held } of keysByIndex) {
      if (!index.spec.isUnique) continue;
      const coming = this.#coming.get(index);
      const isTaken = ({ text }: IndexKey) =>
        held?.has(text) !== true &&
        (coming?.has(text) === true || index.equal(text).some((number) => this.#stays(number)));
      const duplicateKey = keys.find(isTaken);
      if (duplicateKey !== undefined) throw duplicate(this.#namespace, index, duplicateKey);
    }

    for (const { index, keys } of keysByIndex) {
      if (!index.spec.isUnique) continue;
      let coming = this.#coming.get(index);
      if (coming === undefined) this.#coming.set(index, (coming = new Set()));
      for (const { text } of keys) coming.add(text);
    }
  }

  #stays(number: number): boolean {
    if (this.#leaving.has(number)) return false;
    return this.#isExpired?.(this.#collection.document(number)) !== true;
  }

  #keysIn(index: CollectionIndex, bytes: ByteString, replaced: number | undefined): DocumentKeys {
    if (index.spec.invalid === undefined || replaced === undefined)
      return { index, keys: keysOf(index, bytes), held: null };
    const before = index.storedKeysOf(this.#collection.document(replaced)) ?? [];
    return { index, keys: index.storedKeysOf(bytes) ?? [], held: new Set(before.map(({ text }) => text)) };
  }
}

/** The keys of a document in an index. */
interface DocumentKeys {
  readonly index: CollectionIndex;
  readonly keys: readonly IndexKey[];
  /** The keys that the document already has in an invalid index, which other documents may have too; null: none. */
  readonly held: ReadonlySet<ByteString> | null;
}

/** @throws CommandFailure */
export function keysOf(index: CollectionIndex, bytes: ByteString): readonly IndexKey[] {
  try {
    return index.keysOf(bytes);
  } catch (fault) {
    if (fault instanceof ParallelArrays)
      throw new MongoFailure(171, `cannot index parallel arrays: index ${index.spec.name}`);
    if (fault instanceof TooManyKeys)
      throw new MongoFailure(201, `${fault.message}: index ${index.spec.name}`);
    throw fault;
  }
}

export function duplicate(
  namespace: ByteString,
  { spec }: CollectionIndex,
  { values }: IndexKey,
): MongoFailure {
  const names = [...spec.pattern.keys()];
  const shown = shownKey(spec, values);
  const cure = spec.invalid === undefined ? "" : `; ${invalidText(spec)}`;
  return new MongoFailure(
    11000,
    `E11000 duplicate key error collection: ${namespace} index: ${spec.name} dup key: ${shown}${cure}`,
    new Map<ByteString, Bson>([
      ["keyPattern", spec.name === ID_INDEX.name ? ID_INDEX.pattern : spec.pattern],
      ["keyValue", new Map(names.map((name, i) => [name, values[i] ?? null])) as BsonDocument],
    ]),
  );
}

/** Returns the values of a key in the notation of MongoDB's shell. */
export function shownKey({ pattern }: IndexSpec, values: readonly (Bson | undefined)[]): ByteString {
  const shown = [...pattern.keys()].map((name, i) => `${name}: ${shellText(values[i] ?? null)}`);
  return `{ ${shown.join(", ")} }`;
}

/** Describes an invalid index and what to do. */
const invalidText = ({ name, invalid }: IndexSpec): ByteString =>
  `index ${name} is invalid (${invalid}): remove the cause, and create the index again`;

/** Adds to the reply of a write that some indexes of its collection are invalid. Drivers do not show this field. */
export function addWarnings(reply: Map<ByteString, Bson>, collection: Collection | undefined): void {
  const invalid = collection?.specs.filter((spec) => spec.invalid !== undefined) ?? [];
  if (invalid.length > 0) reply.set("warnings", invalid.map(invalidText));
}

/** Maximum number of bytes of a value in an error. */
const SHOWN_MAX = 256;

/** Writes a value in the notation of MongoDB's shell. */
function shellText(value: Bson): ByteString {
  if (value instanceof ObjectId) return `ObjectId('${Buffer.from(value.bytes, "latin1").toString("hex")}')`;
  if (value instanceof Int32) return String(value.value);
  if (value instanceof Decimal) return bytesOfText(decimalText(value));
  if (isNumber(value)) return String(value);
  const text = writeExtendedJson(value);
  // Also removes all non-ASCII bytes at the end of the shortened text, where a character may be incomplete.
  return text.length > SHOWN_MAX ? `${text.slice(0, SHOWN_MAX).replace(/[\x80-\xff]+$/, "")}...` : text;
}
