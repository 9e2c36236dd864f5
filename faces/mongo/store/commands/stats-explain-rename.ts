/**
 * MDB.STATS, MDB.EXPLAIN and MDB.RENAME: report the sizes of collections and the indexes that queries use, and rename
 * collections.
 */

import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { OK, type Reply } from "../../../../protocol/reply.js";
import { filterOf } from "../queries/bson-filter.js";
import { documentAt } from "../queries/command-fields.js";
import { MongoFailure } from "../queries/mongo-failure.js";
import type { Bson, BsonDocument } from "../values/bson.js";
import type { Collection } from "../values/collection.js";
import { ID_INDEX } from "../values/collection-index.js";
import { byEquality, byRange, type Candidates } from "./candidate-documents.js";
import { checkDatabase, collectionAt, collectionsOf, namespaceOf } from "./collection-names.js";
import { inSteps } from "./find-and-count.js";
import { hintOf } from "./index-hints.js";
import { rangeInOrder } from "./index-ranges.js";
import { answered, count } from "./mdb-replies.js";
import { documentsAt, isAsRead, type Target } from "./update-and-delete.js";

/** Cost in steps of each document whose bytes are added up. */
const MEASURED_STEPS = 2;

interface Sizes {
  readonly objects: number;
  readonly bytes: number;
  readonly indexes: number;
}

function sizesOf(collection: Collection, data: Data): Sizes {
  data.effort.work(MEASURED_STEPS * collection.size);
  let bytes = 0;
  for (const document of collection.documents()) bytes += document.length;
  return { objects: collection.size, bytes, indexes: collection.specs.length + 1 };
}

const averageOf = ({ objects, bytes }: Sizes): Bson => (objects === 0 ? count(0) : bytes / objects);

/** `MDB.STATS db [collection]` */
export function stats(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const [, database = "", name] = argv;
  return answered(
    name === undefined ? ofDatabase(data, unit, database) : ofCollection(data, database, name),
    "",
  );
}

function ofDatabase(data: Data, unit: Unit, database: ByteString): BsonDocument {
  checkDatabase(database);
  const all = collectionsOf(data, unit, database).map(([, collection]) => sizesOf(collection, data));
  const sum = (of: (sizes: Sizes) => number) => all.reduce((total, one) => total + of(one), 0);
  const sizes = {
    objects: sum(({ objects }) => objects),
    bytes: sum(({ bytes }) => bytes),
    indexes: sum(({ indexes }) => indexes),
  };
  return new Map<ByteString, Bson>([
    ["db", database],
    ["collections", count(all.length)],
    ["views", count(0)],
    ["objects", count(sizes.objects)],
    ["avgObjSize", averageOf(sizes)],
    ["dataSize", count(sizes.bytes)],
    ["storageSize", count(sizes.bytes)],
    ["indexes", count(sizes.indexes)],
    ["indexSize", count(0)],
    ["totalSize", count(sizes.bytes)],
    ["scaleFactor", count(1)],
  ]);
}

function ofCollection(data: Data, database: ByteString, name: ByteString): BsonDocument {
  const namespace = namespaceOf(database, name);
  const collection = collectionAt(data, namespace)?.value;
  const sizes = collection === undefined ? { objects: 0, bytes: 0, indexes: 0 } : sizesOf(collection, data);
  const names = collection === undefined ? [] : [ID_INDEX, ...collection.specs].map((spec) => spec.name);
  return new Map<ByteString, Bson>([
    ["ns", namespace.text],
    ["count", count(sizes.objects)],
    ["size", count(sizes.bytes)],
    ["avgObjSize", averageOf(sizes)],
    ["storageSize", count(sizes.bytes)],
    ["nindexes", count(sizes.indexes)],
    ["totalIndexSize", count(0)],
    ["indexSizes", new Map(names.map((one) => [one, count(0)]))],
    ["totalSize", count(sizes.bytes)],
    ["capped", false],
    ["scaleFactor", count(1)],
  ]);
}

/**
 * `MDB.EXPLAIN db collection spec`: reports which index the filter and the sort use. A hint that names no index fails,
 * as it does in the query itself.
 */
export const explain = inSteps(["filter", "sort", "hint"], function* (target, spec, request) {
  hintOf(target, spec.get("hint"));
  const [query, order] = [documentAt(spec, "filter") ?? new Map(), documentAt(spec, "sort") ?? new Map()];
  filterOf(query, target.work, target);
  const collection = collectionAt(target.data, target.namespace)?.value;
  const plan = collection === undefined ? null : yield* planned(target, collection, query);
  const sorted = collection === undefined || order.size === 0 ? null : rangeInOrder(collection, query, order);
  const index = plan?.index ?? sorted?.range.index;
  const examined = plan?.numbers.length ?? collection?.size ?? 0;
  const stage: BsonDocument =
    index === undefined
      ? new Map<ByteString, Bson>([
          ["stage", "COLLSCAN"],
          ["filter", query],
          ["direction", "forward"],
        ])
      : new Map<ByteString, Bson>([
          ["stage", "FETCH"],
          ["filter", query],
          [
            "inputStage",
            new Map<ByteString, Bson>([
              ["stage", "IXSCAN"],
              ["keyPattern", index.spec.pattern],
              ["indexName", index.spec.name],
              ["isMultiKey", index.isMultikey],
              ["isUnique", index.spec.isUnique],
              ["isSparse", index.spec.isSparse],
            ]),
          ],
        ]);
  return answered(
    new Map<ByteString, Bson>([
      [
        "queryPlanner",
        new Map<ByteString, Bson>([
          ["namespace", target.namespace.text],
          ["parsedQuery", query],
          ["winningPlan", stage],
          ["rejectedPlans", []],
        ]),
      ],
      ["documentsToExamine", count(examined)],
    ]),
    request,
  );
});

function* planned(
  target: Target,
  collection: Collection,
  query: BsonDocument,
): Generator<void, Candidates | null> {
  const equal = byEquality(collection, query);
  if (equal !== null) return equal;
  documentsAt(target, collection);
  return yield* byRange(collection, query, target.work, () => isAsRead(target, collection));
}

/** `MDB.RENAME db collection db collection 0|1`: 1 drops an existing collection with the new name. */
export function rename(data: Data, argv: readonly ByteString[]): Reply {
  const [, database = "", name = "", toDatabase = "", toName = "", drops = ""] = argv;
  const [from, to] = [namespaceOf(database, name), namespaceOf(toDatabase, toName)];
  if (drops !== "0" && drops !== "1")
    throw new MongoFailure(9, "whether to drop the target has to be 1 or 0");
  const entry = collectionAt(data, from);
  if (entry === undefined) throw new MongoFailure(26, `Source collection ${from.text} does not exist`);
  if (from.key === to.key) throw new MongoFailure(20, "Can't rename a collection to itself");
  if (collectionAt(data, to) !== undefined && drops === "0")
    throw new MongoFailure(48, "target namespace exists");

  const { value, expire } = entry;
  data.delete(from.key);
  data.put(to.key, value, expire);
  return OK;
}
