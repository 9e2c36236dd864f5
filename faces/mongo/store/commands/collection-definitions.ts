/** Creates, lists and drops collections and databases. A database exists while it has collections. */

import { UNCOUNTED_EFFORT } from "../../../../daemon/store/keyspace/effort-budget.js";
import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { OK, type Reply } from "../../../../protocol/reply.js";
import { filterOf } from "../queries/bson-filter.js";
import { documentAt, specOf, truthAt } from "../queries/command-fields.js";
import { MongoFailure, workOf } from "../queries/mongo-failure.js";
import type { Bson, BsonDocument } from "../values/bson.js";
import { readKnownBson } from "../values/bson-reader.js";
import { Collection } from "../values/collection.js";
import { ID_INDEX, indexBytes } from "../values/collection-index.js";
import {
  checkDatabase,
  collectionAt,
  collectionKey,
  collectionsOf,
  namespaceOf,
} from "./collection-names.js";
import { answered, answeredAll, bytesOf, count } from "./mdb-replies.js";

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
