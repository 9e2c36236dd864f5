/**
 * Creates, lists and drops collections, databases and indexes. A database exists while it has collections. An index
 * makes queries for equality faster, and may reject duplicates.
 */

import { UNCOUNTED_EFFORT } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { OK, type Reply } from "../../../../protocol/reply.js";
import { setIndexes } from "../keyspace/collection-mutators.js";
import { filterOf } from "../queries/bson-filter.js";
import { documentAt, isJson, specOf, stringAt, truthAt } from "../queries/command-fields.js";
import { MongoFailure, typeMismatch, workOf } from "../queries/mongo-failure.js";
import { alternativeTo } from "../queries/mongodb-names.js";
import { type Bson, type BsonDocument, isArray, isDocument } from "../values/bson.js";
import { integerOf, isNumber } from "../values/bson-numbers.js";
import { compareBson } from "../values/bson-order.js";
import { readKnownBson } from "../values/bson-reader.js";
import { Collection } from "../values/collection.js";
import { CollectionIndex, ID_INDEX, type IndexSpec, indexBytes } from "../values/collection-index.js";
import { isArrayIndex } from "../values/index-keys.js";
import {
  checkDatabase,
  collectionAt,
  collectionKey,
  collectionsOf,
  type Namespace,
  namespaceOf,
} from "./collection-names.js";
import { answered, answeredAll, bytesOf, count } from "./mdb-replies.js";
import { removeExpired } from "./ttl-indexes.js";
import { duplicate, keysOf } from "./unique-indexes.js";

/** `MDB.CREATE db collection` */
export function create(data: Data, argv: readonly ByteString[]): Reply {
  const namespace = namespaceOf(argv[1] ?? "", argv[2] ?? "");
  if (collectionAt(data, namespace) !== undefined)
    throw new MongoFailure(48, `Collection ${namespace.text} already exists.`);
  data.put(namespace.key, new Collection());
  return OK;
}

/** `MDB.DROP db collection` */
export function drop(data: Data, argv: readonly ByteString[]): Reply {
  const namespace = namespaceOf(argv[1] ?? "", argv[2] ?? "");
  const entry = collectionAt(data, namespace);
  if (entry === undefined) return answered(new Map(), "");
  const were = entry.value.specs.length + 1;
  data.delete(namespace.key);
  return answered(
    new Map<ByteString, Bson>([
      ["nIndexesWas", count(were)],
      ["ns", namespace.text],
    ]),
    "",
  );
}

/** `MDB.DROPDATABASE db` */
export function dropDatabase(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const database = argv[1] ?? "";
  checkDatabase(database);
  const existing = collectionsOf(data, unit, database);
  for (const [name] of existing) data.delete(collectionKey(database, name));
  return answered(existing.length === 0 ? new Map() : new Map([["dropped", database]]), "");
}

/** `MDB.LISTCOLLECTIONS db spec` */
export function listCollections(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const [, database = "", request = ""] = argv;
  checkDatabase(database);
  const idIndex = readKnownBson(indexBytes(ID_INDEX));
  return listed(
    request,
    collectionsOf(data, unit, database).map(([name]) => name),
    (name) =>
      new Map<ByteString, Bson>([
        ["name", name],
        ["type", "collection"],
        ["options", new Map()],
        ["info", new Map([["readOnly", false]])],
        ["idIndex", idIndex],
      ]),
    ["name", "type"],
  );
}

/** Cost in steps of each document whose bytes are added up. */
const MEASURED_STEPS = 2;

/** `MDB.LISTDATABASES spec` */
export function listDatabases(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const sizes = new Map<ByteString, number>();
  for (const [name, collection] of collectionsOf(data, unit, null)) {
    const database = name.slice(0, name.indexOf("."));
    // No collection has such a name: a command other than MDB.* stored this key.
    if (!name.includes(".")) continue;
    let bytes = 0;
    data.effort.work(MEASURED_STEPS * collection.size);
    for (const document of collection.documents()) bytes += document.length;
    sizes.set(database, (sizes.get(database) ?? 0) + bytes);
  }
  return listed(
    argv[1] ?? "",
    [...sizes.keys()],
    (name) =>
      new Map<ByteString, Bson>([
        ["name", name],
        ["sizeOnDisk", BigInt(sizes.get(name) ?? 0)],
        ["empty", false],
      ]),
    ["name"],
  );
}

/** @param short the fields of each item if the request has `nameOnly` */
function listed(
  request: ByteString,
  names: readonly ByteString[],
  describe: (name: ByteString) => BsonDocument,
  short: readonly string[],
): Reply {
  const spec = specOf(request, ["filter", "nameOnly", "authorizedCollections", "authorizedDatabases"]);
  const { isMet } = filterOf(documentAt(spec, "filter") ?? new Map(), workOf(UNCOUNTED_EFFORT));
  const isShort = truthAt(spec, "nameOnly");
  const documents = names.map(describe).filter(isMet);
  const shown = documents.map((document) =>
    isShort ? new Map([...document].filter(([name]) => short.includes(name))) : document,
  );
  return answeredAll(shown.map(bytesOf), request, UNCOUNTED_EFFORT);
}

/** Maximum number of indexes of a collection, including the one on _id, as in MongoDB. */
const INDEXES_MAX = 64;
/** Maximum number of fields in an index, as in MongoDB. */
const FIELDS_MAX = 32;

/** `MDB.CREATEINDEXES db collection spec …` */
export function createIndexes(data: Data, argv: readonly ByteString[]): Reply {
  const [, database = "", name = "", ...args] = argv;
  const namespace = namespaceOf(database, name);
  const entry = collectionAt(data, namespace);
  const collection = entry?.value ?? new Collection();
  const specs: IndexSpec[] = [...collection.specs];
  for (const one of args) {
    const spec = indexSpec(one);
    if (!isThere(spec, [ID_INDEX, ...specs])) specs.push(spec);
  }
  const [before, after] = [collection.specs.length + 1, specs.length + 1];
  if (after > INDEXES_MAX) throw new MongoFailure(67, `a collection has at most ${INDEXES_MAX} indexes`);
  for (const spec of specs.slice(before - 1)) checkDocuments(collection, spec, namespace);
  if (entry === undefined || after > before)
    setIndexes(data, entry ?? data.getOrPut(Collection, namespace.key), specs);
  const reply = new Map<ByteString, Bson>([
    ["numIndexesBefore", count(before)],
    ["numIndexesAfter", count(after)],
    ["createdCollectionAutomatically", entry === undefined],
  ]);
  if (after === before) reply.set("note", "all indexes already exist");
  return answered(reply, args[0] ?? "");
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
    if (parts.some((part) => part.startsWith("$") || part.startsWith("*") || isArrayIndex(part)))
      throw cannot(`an index of '${field}' is not supported: paths consist of names only`);
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
const isSamePattern = (a: BsonDocument, b: BsonDocument) => compareBson(a, b) === 0;

/** @throws CommandFailure if another index has the same name or the same fields */
function isThere(spec: IndexSpec, specs: readonly IndexSpec[]): boolean {
  for (const other of specs) {
    const isSameKey = isSamePattern(other.pattern, spec.pattern);
    const isId = other === ID_INDEX;
    if (isSameKey && (isId || isSameKind(other, spec))) {
      if (isId || other.name === spec.name) return true;
      throw new MongoFailure(85, `Index already exists with a different name: ${other.name}`);
    }
    if (other.name === spec.name && isSameKey && other.isSparse === spec.isSparse)
      throw new MongoFailure(
        85,
        `An equivalent index already exists with the same name but different options: ${spec.name}; drop it first`,
      );
    if (other.name === spec.name)
      throw new MongoFailure(86, `An existing index has the same name as the requested index: ${spec.name}`);
    if (isSameKey && other.isSparse === spec.isSparse)
      throw new MongoFailure(85, `An equivalent index already exists with other options: ${other.name}`);
  }
  return false;
}

function checkDocuments(collection: Collection, spec: IndexSpec, { text }: Namespace): void {
  const index = new CollectionIndex(spec);
  const seen = new Set<ByteString>();
  for (const bytes of collection.documents())
    for (const key of keysOf(index, bytes)) {
      if (spec.isUnique && seen.has(key.text)) {
        // A document has no key twice, even if it contains a value twice. Therefore another document has the same key.
        throw duplicate(text, index, key);
      }
      if (spec.isUnique) seen.add(key.text);
    }
}

/** `MDB.DROPINDEXES db collection spec` */
export function dropIndexes(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const [, database = "", name = "", request = ""] = argv;
  const namespace = namespaceOf(database, name);
  const names = specOf(request, ["index"]).get("index");
  const entry = collectionAt(data, namespace);
  if (entry === undefined) throw missing(namespace);
  const { specs } = entry.value;
  const dropped =
    names === "*"
      ? new Set(specs)
      : new Set((isArray(names) ? names : [names]).map((one) => found(one, specs)));
  if (dropped.size > 0) {
    // No document that a dropped index has hidden may appear again.
    removeExpired(data, entry, unit.at, Number.POSITIVE_INFINITY);
    setIndexes(
      data,
      entry,
      specs.filter((spec) => !dropped.has(spec)),
    );
  }
  return answered(new Map([["nIndexesWas", count(specs.length + 1)]]), request);
}

function found(nameOrPattern: Bson | undefined, specs: readonly IndexSpec[]): IndexSpec {
  const isMeant = ({ name, pattern }: IndexSpec) =>
    isDocument(nameOrPattern) ? isSamePattern(pattern, nameOrPattern) : name === nameOrPattern;
  if (isMeant(ID_INDEX)) throw new MongoFailure(72, "cannot drop _id index");
  const spec = specs.find(isMeant);
  if (spec !== undefined) return spec;
  const shown = typeof nameOrPattern === "string" ? `with name [${nameOrPattern}]` : "of that key";
  throw new MongoFailure(27, `index not found ${shown}`);
}

const missing = ({ text }: Namespace) => new MongoFailure(26, `ns does not exist: ${text}`);

/** `MDB.LISTINDEXES db collection` */
export function listIndexes(data: Data, argv: readonly ByteString[]): Reply {
  const [, database = "", name = "", request = ""] = argv;
  const namespace = namespaceOf(database, name);
  const entry = collectionAt(data, namespace);
  if (entry === undefined) throw missing(namespace);
  if (request !== "" && !isJson(request)) specOf(request, []);
  return answeredAll([ID_INDEX, ...entry.value.specs].map(indexBytes), request, data.effort);
}
