/**
 * Sorting by fields: an array sorts by its smallest element, or by its greatest in descending order. Source: MongoDB's
 * manual, "cursor.sort()".
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Bson, BsonDocument } from "../values/bson.js";
import { isNumber } from "../values/bson-numbers.js";
import { compareBson } from "../values/bson-order.js";
import { indexKeys, ParallelArrays, TooManyKeys } from "../values/index-keys.js";
import { integerIn } from "./command-fields.js";
import { pathTo } from "./document-paths.js";
import { mappedInSlices } from "./long-evaluation.js";
import { badValue, MongoFailure, spend, type Work } from "./mongo-failure.js";
import { compareCounted, isLarge, sortedInSlices } from "./value-size.js";

/** Maximum number of fields to sort by, as in MongoDB. */
const FIELDS_MAX = 32;

/** Cost in steps of each item that is sorted, in addition to its work and its comparisons. */
const SORTED_STEPS = 18;

/** Approximate memory of an item that is sorted, with its key. */
const SORTED_BYTES = 200;

export interface Sorting {
  readonly roots: ReadonlySet<ByteString>;
  /**
   * Sorts in steps.
   * @param documentOf returns the document with an item's fields
   * @returns a new array; equal items keep their order
   */
  sorted<T>(items: readonly T[], documentOf: (item: T) => BsonDocument): Generator<void, readonly T[]>;
}

type SortKey = readonly (Bson | undefined)[];

/** @throws CommandFailure */
export function sortingOf(spec: BsonDocument, work: Work): Sorting {
  if (spec.size > FIELDS_MAX) throw badValue(`sort accepts at most ${FIELDS_MAX} fields`);
  const paths = [...spec.keys()].map((name) => {
    if (name === "" || name.startsWith("$")) throw badValue(`sort: '${name}' is not a field name`);
    return pathTo(name);
  });
  const directions = [...spec.values()].map(directionOf);
  const comparing = (compareValues: typeof compareBson) => (a: SortKey, b: SortKey) => {
    for (const [i, direction] of directions.entries()) {
      const difference = compareValues(a[i], b[i]);
      if (difference !== 0) return difference * direction;
    }
    return 0;
  };
  const compare = comparing((a, b) => compareCounted(a, b, work));
  const keyOf = (document: BsonDocument): SortKey => {
    const keys = indexKeys(document, paths, false).map(({ values }) => values);
    return keys.reduce((min, key) => (compare(key, min) < 0 ? key : min));
  };

  return {
    roots: new Set(paths.map(([root]) => root as ByteString)),
    *sorted(items, documentOf) {
      spend(work, items.length * (1 + Math.floor((32 - Math.clz32(items.length)) / 4)));
      work.effort.work(SORTED_STEPS * items.length);
      work.effort.hold(SORTED_BYTES * items.length);
      try {
        const keyed = yield* mappedInSlices(items, work, (item) => ({ item, key: keyOf(documentOf(item)) }));
        const areLarge = keyed.some(({ key }) => key.some(isLarge));
        const compareKeys = areLarge ? compare : comparing(compareBson);
        const sorted = yield* sortedInSlices(
          keyed,
          work,
          (a, b) => compareKeys(a.key, b.key),
          () => areLarge,
        );
        return yield* mappedInSlices(sorted, work, ({ item }) => item);
      } catch (fault) {
        if (fault instanceof ParallelArrays) throw badValue("cannot sort with keys that are parallel arrays");
        if (fault instanceof TooManyKeys) throw badValue(`cannot sort: ${fault.message}`);
        throw fault;
      }
    },
  };
}

function directionOf(value: Bson): number {
  if (!isNumber(value)) throw new MongoFailure(15974, "Illegal key in $sort specification");
  const direction = integerIn(value, "a sort direction");
  if (direction === 1 || direction === -1) return direction;
  throw new MongoFailure(15975, "$sort key ordering must be 1 (for ascending) or -1 (for descending)");
}
