/**
 * Creates, lists and drops collections and databases, and lists and drops indexes. A database exists while it has
 * collections.
 */

import { UNCOUNTED_EFFORT } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { OK, type Reply } from "../../../../protocol/reply.js";
import { setIndexes } from "../keyspace/collection-mutators.js";
import { filterOf } from "../queries/bson-filter.js";
import { documentAt, isJson, specOf, truthAt } from "../queries/command-fields.js";
import { MongoFailure, workOf } from "../queries/mongo-failure.js";
import { type Bson, type BsonDocument, isArray, isDocument } from "../values/bson.js";
import { readKnownBson } from "../values/bson-reader.js";
import { Collection } from "../values/collection.js";
import { ID_INDEX, type IndexSpec, indexBytes } from "../values/collection-index.js";
import {
  checkDatabase,
  collectionAt,
  collectionKey,
  collectionsOf,
  type Namespace,
  namespaceOf,
} from "./collection-names.js";
import { isSamePattern } from "./index-creation.js";
import { answered, answeredAll, bytesOf, count } from "./mdb-replies.js";
import { removeExpired } from "./ttl-indexes.js";

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
