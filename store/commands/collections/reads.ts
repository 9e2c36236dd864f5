/** MDB.FIND, MDB.COUNT and MDB.DISTINCT. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { integer, type Reply } from "../../../protocol/reply.js";
import type { Data } from "../../keyspace/mutators.js";
import type { Unit } from "../../keyspace/unit.js";
import { looked, spend } from "../../queries/bson/mongo-failure.js";
import { projectionOf } from "../../queries/bson/projection.js";
import { sortingOf } from "../../queries/bson/sorting.js";
import { countAt, documentAt, specOf, stringAt } from "../../queries/bson/spec.js";
import { isAny, type Search, wayTo } from "../../queries/bson/ways.js";
import { type Bson, type BsonDocument, DOCUMENT_BYTES_MAX } from "../../values/collections/bson.js";
import { keyOf } from "../../values/collections/bson-order.js";
import { answered, answeredAll, bytesOf, WRITTEN_STEPS } from "./answers.js";
import type { Found } from "./candidates.js";
import { foundBy, type Place, placeOf } from "./changes.js";
import { collectionAt } from "./collection-names.js";

const NOTHING: BsonDocument = new Map();

/** `MDB.FIND db collection spec` */
export function find(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const place = placeOf(data, argv, unit);
  const asked = argv[3] ?? "";
  const spec = specOf(asked, ["filter", "sort", "projection", "skip", "limit"]);
  const projection = documentAt(spec, "projection") ?? NOTHING;
  const project = projection.size === 0 ? null : projectionOf(projection, "find", place);
  const found = chosen(place, documentAt(spec, "filter") ?? NOTHING, documentAt(spec, "sort") ?? NOTHING, {
    skip: countAt(spec, "skip"),
    limit: countAt(spec, "limit"),
  });
  const documents = found.map(({ bytes }) => {
    if (project === null) return bytes;
    place.work.effort.work(WRITTEN_STEPS);
    return bytesOf(project(looked(bytes, place.work)));
  });
  return answeredAll(documents, asked, place.work);
}

/** Documents that a filter means, in an order, from one on. @param limit  0: all of them */
export function chosen(
  place: Place,
  query: BsonDocument,
  order: BsonDocument,
  { skip, limit }: { readonly skip: number; readonly limit: number },
): readonly Found[] {
  const end = limit === 0 ? Number.POSITIVE_INFINITY : skip + limit;
  if (order.size === 0) return foundBy(place, query, end).slice(skip);
  const sorting = sortingOf(order, place.work);
  const found = foundBy(place, query, Number.POSITIVE_INFINITY);
  return sorting.sorted(found, ({ bytes }) => looked(bytes, place.work, sorting.roots)).slice(skip, end);
}

/** `MDB.COUNT db collection spec` */
export function countDocuments(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const place = placeOf(data, argv, unit);
  const spec = specOf(argv[3] ?? "", ["query", "skip", "limit"]);
  const [skip, limit] = [countAt(spec, "skip"), countAt(spec, "limit")];
  const query = documentAt(spec, "query") ?? NOTHING;
  if (query.size > 0) return integer(chosen(place, query, NOTHING, { skip, limit }).length);
  // All of them are counted already.
  const rest = Math.max(0, (collectionAt(data, place.namespace)?.value.size ?? 0) - skip);
  return integer(limit === 0 ? rest : Math.min(rest, limit));
}

/** Steps of a value that is compared with those found before, besides its unit. */
const DISTINCT_STEPS = 8;

/** `MDB.DISTINCT db collection spec` */
export function distinct(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const place = placeOf(data, argv, unit);
  const asked = argv[3] ?? "";
  const spec = specOf(asked, ["key", "query"]);
  const path = wayTo(stringAt(spec, "key"));
  const roots = new Set(path.slice(0, 1));
  const values = new Map<ByteString, Bson>();
  const test = (value: Bson | undefined) => {
    spend(place.work, 1);
    place.work.effort.work(DISTINCT_STEPS);
    if (value !== undefined) {
      const key = keyOf(value);
      if (!values.has(key)) values.set(key, value);
    }
    return false;
  };
  const search: Search = { path, leaf: "elements", test, work: place.work };
  for (const { bytes } of foundBy(place, documentAt(spec, "query") ?? NOTHING, Number.POSITIVE_INFINITY)) {
    isAny(looked(bytes, place.work, roots), search);
  }
  return answered(new Map([["values", [...values.values()]]]), asked, DOCUMENT_BYTES_MAX);
}
