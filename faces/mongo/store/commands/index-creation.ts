/**
 * Creates indexes. An index makes queries for equality faster, and may reject duplicates. A daemon records that it has
 * created the indexes of a command. If documents that do not permit an index arrive later, but precede the command in
 * the order of all writes, the index exists nevertheless, and is invalid. Source: docs/decisions/0072.
 */

import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Reply } from "../../../../protocol/reply.js";
import { setIndexes } from "../keyspace/collection-mutators.js";
import { documentAt, specOf, stringAt, truthAt } from "../queries/command-fields.js";
import { isRefusedName } from "../queries/document-paths.js";
import { MongoFailure, typeMismatch } from "../queries/mongo-failure.js";
import { alternativeTo } from "../queries/mongodb-names.js";
import type { Bson, BsonDocument } from "../values/bson.js";
import { integerOf, isNumber } from "../values/bson-numbers.js";
import { compareBson } from "../values/bson-order.js";
import { Collection } from "../values/collection.js";
import { CollectionIndex, ID_INDEX, type IndexSpec } from "../values/collection-index.js";
import { isArrayIndex } from "../values/index-keys.js";
import { type Claim, claimed } from "./claimed-documents.js";
import { collectionAt, type Namespace, namespaceOf } from "./collection-names.js";
import { answered, count } from "./mdb-replies.js";
import { removeExpired } from "./ttl-indexes.js";
import { duplicate, keysOf, shownKey } from "./unique-indexes.js";

/** Maximum number of indexes of a collection, including the one on _id, as in MongoDB. */
const INDEXES_MAX = 64;
/** Maximum number of fields in an index, as in MongoDB. */
const FIELDS_MAX = 32;

/** The recorded outcome of a command that has created its indexes, or has found them. */
const CREATED = true;

/** `MDB.CREATEINDEXES db collection spec …` */
export function createIndexes(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const [, database = "", name = "", ...args] = argv;
  const namespace = namespaceOf(database, name);
  // Also if it has created nothing, a key of another type is an error.
  const entry = collectionAt(data, namespace);
  const reply = claimed(unit, 0, new Map(), (claim) => {
    const collection = entry?.value ?? new Collection();
    const created = new NewIndexes(collection, namespace, claim);
    for (const one of args) created.add(indexSpec(one));

    const [before, after] = [collection.specs.length + 1, created.specs.length + 1];
    if (after > INDEXES_MAX && claim.recorded === undefined)
      throw new MongoFailure(67, `a collection has at most ${INDEXES_MAX} indexes`);
    // Clients do not see expired documents, so these must not prevent an index.
    if (created.isUnchecked) removeExpired(data, entry, unit.at, Number.POSITIVE_INFINITY);
    created.check();
    claim.take(CREATED, "chosen");

    if (unit.omitsChanges !== true && (entry === undefined || created.isChange))
      setIndexes(data, entry ?? data.getOrPut(Collection, namespace.key), created.specs);

    const fields = new Map<ByteString, Bson>([
      ["numIndexesBefore", count(before)],
      ["numIndexesAfter", count(after)],
      ["createdCollectionAutomatically", entry === undefined],
    ]);
    if (!created.isChange) fields.set("note", "all indexes already exist");
    return fields;
  });
  return answered(reply, args[0] ?? "");
}

/** The indexes of a collection after a command that creates some. */
class NewIndexes {
  readonly specs: IndexSpec[];
  isChange = false;
  readonly #collection: Collection;
  readonly #namespace: Namespace;
  /** Whether a daemon has answered that it created the indexes. */
  readonly #areAnswered: boolean;
  /** The indexes whose documents are to be checked, by their positions among all indexes. */
  readonly #unchecked = new Map<number, IndexSpec>();

  constructor(collection: Collection, namespace: Namespace, { recorded }: Claim) {
    this.#collection = collection;
    this.#namespace = namespace;
    this.specs = [...collection.specs];
    this.#areAnswered = recorded !== undefined;
  }

  /**
   * Adds an index. An invalid one with the same definition is created again.
   * @throws CommandFailure if another index is in its place
   */
  add(spec: IndexSpec): void {
    for (const [i, other] of [ID_INDEX, ...this.specs].entries()) {
      const conflict = conflictOf(spec, other);
      if (conflict === null) continue;
      const at = i - 1;
      if (conflict !== "same") this.#refuse(conflict, spec, at);
      else if (other.invalid !== undefined) this.#unchecked.set(at, spec);
      return;
    }
    this.#unchecked.set(this.specs.length, spec);
    this.specs.push(spec);
  }

  /** Whether documents are to be checked. */
  get isUnchecked(): boolean {
    return this.#unchecked.size > 0;
  }

  /** Checks the documents of the new indexes. @throws CommandFailure if they do not permit one of them */
  check(): void {
    for (const [at, spec] of this.#unchecked) {
      const fault = faultOf(this.#collection, spec, this.#namespace);
      if (fault !== null && !this.#areAnswered) {
        this.#collection.discardPrepared();
        throw fault.failure;
      }
      this.#set(at, fault === null ? spec : { ...spec, invalid: fault.reason });
    }
  }

  /** Marks the index that is in the place of an answered one, unless both have the same effect. */
  #refuse(conflict: MongoFailure, spec: IndexSpec, at: number): void {
    const other = this.specs[at];
    if (!this.#areAnswered || other === undefined) throw conflict;
    if (isSameKind(spec, other) && isSamePattern(spec.pattern, other.pattern)) return;
    this.#set(at, { ...other, invalid: `another daemon created it ${kindText(spec)}` });
  }

  #set(at: number, spec: IndexSpec): void {
    this.isChange = true;
    this.specs[at] = spec;
  }
}

const cannot = (sentence: ByteString) => new MongoFailure(67, sentence);

const INDEX_FIELDS = ["key", "name", "unique", "sparse", "v", "background", "expireAfterSeconds"];
const SECONDS_MAX = 2_147_483_647n;

/**
 * Returns the number of seconds after the date in the index's field at which a document expires, or undefined if the
 * index does not make documents expire.
 * @throws CommandFailure
 */
function secondsOf(document: BsonDocument, pattern: BsonDocument): number | undefined {
  const value = document.get("expireAfterSeconds");
  if (value === undefined) return undefined;
  const seconds = isNumber(value) ? integerOf(value) : undefined;
  if (seconds === undefined || seconds < 0n || seconds > SECONDS_MAX)
    throw cannot(`TTL index 'expireAfterSeconds' option must be within 0 and ${SECONDS_MAX}, a whole number`);
  if (pattern.size > 1)
    throw cannot("TTL indexes are single-field indexes, compound indexes do not support TTL");
  if (pattern.has("_id")) throw cannot("The field 'expireAfterSeconds' is not valid for an _id index");
  return Number(seconds);
}

function indexSpec(argument: ByteString): IndexSpec {
  const document = specOf(argument, INDEX_FIELDS);
  const pattern = documentAt(document, "key");
  if (pattern === undefined) throw typeMismatch("an index needs a key");
  if (pattern.size === 0 || pattern.size > FIELDS_MAX) throw cannot(`an index has 1 to ${FIELDS_MAX} fields`);

  for (const [field, direction] of pattern) {
    const parts = field.split(".");
    if (parts.includes("")) throw cannot(`Index keys cannot be an empty field: '${field}'`);

    const isRefused = (part: ByteString, i: number) =>
      isRefusedName(part) || (i === 0 && part.startsWith("$")) || part.startsWith("*") || isArrayIndex(part);
    if (parts.some(isRefused))
      throw cannot(
        `an index of '${field}' is not supported: paths consist of names only${parts.includes("$**") ? alternativeTo("wildcard indexes") : ""}`,
      );
    if (!isNumber(direction) || compareBson(direction, 0) === 0)
      throw cannot(
        `the only kinds of indexes are 1 and -1: '${field}'${alternativeTo(`${direction} indexes`)}`,
      );
  }

  const name = stringAt(document, "name");
  if (name === "" || name === "*") throw cannot(`an index cannot be named '${name}'`);

  const seconds = secondsOf(document, pattern);
  return {
    name,
    pattern,
    isUnique: truthAt(document, "unique"),
    isSparse: truthAt(document, "sparse"),
    ...(seconds === undefined ? {} : { expireAfterSeconds: seconds }),
  };
}

const isSameKind = (a: IndexSpec, b: IndexSpec) =>
  a.isUnique === b.isUnique && a.isSparse === b.isSparse && a.expireAfterSeconds === b.expireAfterSeconds;

export const isSamePattern = (a: BsonDocument, b: BsonDocument) => compareBson(a, b) === 0;

/** Returns whether `spec` is the index `other`, or why both cannot exist, or null if they can. */
function conflictOf(spec: IndexSpec, other: IndexSpec): "same" | MongoFailure | null {
  const isSameKey = isSamePattern(other.pattern, spec.pattern);
  const isId = other === ID_INDEX;
  if (isSameKey && (isId || isSameKind(other, spec))) {
    if (isId || other.name === spec.name) return "same";
    return new MongoFailure(85, `Index already exists with a different name: ${other.name}`);
  }
  if (other.name === spec.name && isSameKey && other.isSparse === spec.isSparse)
    return new MongoFailure(
      85,
      `An equivalent index already exists with the same name but different options: ${spec.name}; drop it first`,
    );
  if (other.name === spec.name)
    return new MongoFailure(86, `An existing index has the same name as the requested index: ${spec.name}`);
  if (isSameKey && other.isSparse === spec.isSparse)
    return new MongoFailure(85, `An equivalent index already exists with other options: ${other.name}`);

  return null;
}

/** Describes a definition, for the reason why the index in its place is invalid. */
function kindText({ pattern, isUnique, isSparse, expireAfterSeconds }: IndexSpec): ByteString {
  const options = [
    isUnique ? "unique" : "not unique",
    ...(isSparse ? ["sparse"] : []),
    ...(expireAfterSeconds === undefined ? [] : [`with expireAfterSeconds ${expireAfterSeconds}`]),
  ];
  return `${options.join(", ")}, on ${[...pattern.keys()].join(", ")}`;
}

/** Why an index cannot be created: the failure for the client, and the reason that the invalid index states. */
interface IndexFault {
  readonly failure: MongoFailure;
  readonly reason: ByteString;
}

/**
 * Returns why a collection's documents do not permit an index, or null. It then leaves the index in the collection, so
 * that the command that is tried before it is recorded, and the first query, do not build it again.
 */
function faultOf(collection: Collection, spec: IndexSpec, { text }: Namespace): IndexFault | null {
  if (collection.hasPrepared(spec)) return null;
  const index = new CollectionIndex(spec);
  for (const [number, bytes] of collection.numbered()) {
    try {
      const keys = keysOf(index, bytes);
      const double = spec.isUnique ? keys.find((key) => index.has(key.text)) : undefined;
      if (double !== undefined)
        return {
          failure: duplicate(text, index, double),
          reason: `documents had equal values when it was created: ${shownKey(spec, double.values)}`,
        };
      index.addKeys(number, keys);
    } catch (failure) {
      if (!(failure instanceof MongoFailure)) throw failure;
      return {
        failure,
        reason: `a document could not be indexed when it was created: ${failure.sentence}`,
      };
    }
  }

  collection.prepare(index);
  return null;
}
