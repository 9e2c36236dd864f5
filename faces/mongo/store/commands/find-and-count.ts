/** MDB.FIND, MDB.COUNT and MDB.DISTINCT: read documents of a collection. */

import type { Handler } from "../../../../daemon/store/rows/command-row.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { replyOfSteps } from "../../../../protocol/lazy-replies.js";
import { integer, type Reply } from "../../../../protocol/reply.js";
import { finish, STEP_ITEMS } from "../../../../protocol/steps.js";
import { filterOf } from "../queries/bson-filter.js";
import { countAt, documentAt, specOf, stringAt, truthAt } from "../queries/command-fields.js";
import { isAny, pathTo, type Search } from "../queries/document-paths.js";
import { sortingOf } from "../queries/document-sorting.js";
import { withVariables } from "../queries/expressions.js";
import { mappedInSlices, settled } from "../queries/long-evaluation.js";
import { MongoFailure, produce, readCounted, spend } from "../queries/mongo-failure.js";
import { projectionOf } from "../queries/projection.js";
import { keyCounted } from "../queries/value-size.js";
import { type Bson, type BsonDocument, DOCUMENT_BYTES_MAX } from "../values/bson.js";
import type { CollectionReading } from "../values/collection.js";
import { ID_INDEX } from "../values/collection-index.js";
import {
  byEquality,
  collectInSteps,
  type Found,
  hasExpression,
  matching,
  matchOf,
} from "./candidate-documents.js";
import { collectionAt } from "./collection-names.js";
import {
  boundsOf,
  foundWithin,
  type Hint,
  hintOf,
  isBackwards,
  type KeyBounds,
  orderOf,
  returnedKeys,
} from "./index-hints.js";
import { numbersIn, ordering, rangeInOrder } from "./index-ranges.js";
import { answeredAll, answering, answeringAll, bytesInSteps, bytesOf, WRITTEN_STEPS } from "./mdb-replies.js";
import { expiredBy } from "./ttl-indexes.js";
import {
  documentsAt,
  type Findings,
  finding,
  inStepsOf,
  isAsRead,
  isComplete,
  type Target,
  targetOf,
} from "./update-and-delete.js";

const NOTHING: BsonDocument = new Map();

type Read = (target: Target, spec: BsonDocument, request: ByteString) => Generator<void, Reply>;

/**
 * Returns the handler of a command that reads documents. If the caller accepts replies in steps, the handler reads in
 * steps, but always returns the documents as they were when the command began.
 */
export const inSteps =
  (fields: readonly string[], read: Read): Handler =>
  (data, argv, unit) => {
    const request = argv[3] ?? "";
    const spec = specOf(request, fields);
    const readings: CollectionReading[] | null = unit.takesSteps === true ? [] : null;
    const general = targetOf(data, argv, unit, readings);
    const work = withTarget(withVariables(documentAt(spec, "let"), general), (target) =>
      read(target, spec, request),
    );
    return replyOfSteps(readings === null ? work : released(work, readings), unit.takesSteps);
  };

function* withTarget(
  target: Generator<void, Target>,
  read: (target: Target) => Generator<void, Reply>,
): Generator<void, Reply> {
  return yield* read(yield* target);
}

function* released(
  work: Generator<void, Reply>,
  readings: readonly CollectionReading[],
): Generator<void, Reply> {
  try {
    return yield* work;
  } finally {
    for (const reading of readings) reading.release();
  }
}

const FIND_FIELDS = [
  ...["filter", "sort", "hint", "min", "max", "returnKey", "projection", "skip", "limit", "let"],
];

/** `MDB.FIND db collection spec` */
export const find = inSteps(FIND_FIELDS, function* (target, spec, request) {
  const projection = documentAt(spec, "projection") ?? NOTHING;
  const project = projection.size === 0 ? null : projectionOf(projection, "find", target);
  const query = documentAt(spec, "filter") ?? NOTHING;
  const sort = documentAt(spec, "sort") ?? NOTHING;
  const hint = hintOf(target, spec.get("hint"));
  const bounds = boundsOf(target, spec, hint);
  const range = { skip: countAt(spec, "skip"), limit: countAt(spec, "limit") };
  const { effort } = target.work;
  if (truthAt(spec, "returnKey"))
    return yield* answeringKeys(target, { query, sort, hint, bounds, range }, request);

  const matches =
    bounds === null
      ? choosing(target, query, orderOf(sort, hint, query), range)
      : choosingWithin(target, query, sort, range, bounds);
  // Most reads match few documents, for which steps cost more than they save.
  if (project === null && isComplete(matches) && matches.length <= STEP_ITEMS)
    return answeredAll(
      matches.map(({ bytes }) => bytes),
      request,
      effort,
    );

  const shown: ByteString[] = [];
  for (const { bytes } of yield* inStepsOf(matches)) {
    if (project === null) shown.push(bytes);
    else {
      const document = readCounted(bytes, target.work);
      effort.work(WRITTEN_STEPS);
      const projected = yield* bytesInSteps(yield* settled(() => project(document)));
      effort.hold(projected.length);
      shown.push(projected);
    }
    if (shown.length % STEP_ITEMS === 0 || effort.endsSlice()) yield;
  }
  return yield* answeringAll(shown, request, effort);
});

interface Choice {
  readonly query: BsonDocument;
  readonly sort: BsonDocument;
  readonly hint: Hint;
  readonly bounds: KeyBounds | null;
  readonly range: Range;
}

/** Returns the keys of the documents in the index that the command uses; as in MongoDB, no projection applies. */
function* answeringKeys(
  target: Target,
  { query, sort, hint, bounds, range }: Choice,
  request: ByteString,
): Generator<void, Reply> {
  const order = orderOf(sort, hint, query);
  const keyOf = returnedKeys(target, { query, order, bounds, hint });
  const matches = yield* inStepsOf(
    bounds === null
      ? choosing(target, query, order, range)
      : choosingWithin(target, query, sort, range, bounds),
  );
  const keys = yield* mappedInSlices(matches, target.work, (found) => {
    const bytes = bytesOf(keyOf === null ? NOTHING : keyOf(found));
    target.work.effort.work(WRITTEN_STEPS);
    target.work.effort.hold(bytes.length);
    return bytes;
  });
  return yield* answeringAll(keys, request, target.work.effort);
}

/** Finds the documents with a key within bounds, sorted and starting at an offset. */
function* choosingWithin(
  target: Target,
  query: BsonDocument,
  order: BsonDocument,
  { skip, limit }: Range,
  bounds: KeyBounds,
): Generator<void, readonly Found[]> {
  const end = limit === 0 ? Number.POSITIVE_INFINITY : skip + limit;
  const matches = yield* foundWithin(target, query, bounds);
  if (order.size === 0) return matches.slice(skip, end);

  const sorting = sortingOf(order, target.work);
  const documentOf = ({ bytes }: Found) => readCounted(bytes, target.work, sorting.roots);
  return (yield* sorting.sorted(matches, documentOf)).slice(skip, end);
}

interface Range {
  readonly skip: number;
  /** The maximum number of documents; 0 means no limit. */
  readonly limit: number;
}

/** Returns the sorted documents that a filter matches, starting at an offset. */
export function chosen(
  target: Target,
  query: BsonDocument,
  order: BsonDocument,
  range: Range,
): readonly Found[] {
  return finish(inStepsOf(choosing(target, query, order, range)));
}

/**
 * Finds the documents that a filter matches, sorted and starting at an offset. Works in steps unless few documents
 * match.
 */
export function choosing(
  target: Target,
  query: BsonDocument,
  order: BsonDocument,
  { skip, limit }: Range,
): Findings {
  const end = limit === 0 ? Number.POSITIVE_INFINITY : skip + limit;
  if (isBackwards(order)) return fromLast(finding(target, query, Number.POSITIVE_INFINITY), skip, end);
  if (order.size > 0) return sortedOf(target, query, order, { skip, end });

  const findings = finding(target, query, end);
  if (isComplete(findings)) return skip === 0 ? findings : findings.slice(skip);
  return skipped(findings, skip);
}

function* fromLast(findings: Findings, skip: number, end: number): Generator<void, readonly Found[]> {
  return [...(yield* inStepsOf(findings))].reverse().slice(skip, end);
}

function* skipped(findings: Findings, skip: number): Generator<void, readonly Found[]> {
  return (yield* inStepsOf(findings)).slice(skip);
}

function* sortedOf(
  target: Target,
  query: BsonDocument,
  order: BsonDocument,
  { skip, end }: { readonly skip: number; readonly end: number },
): Generator<void, readonly Found[]> {
  const sorting = sortingOf(order, target.work);
  const inOrder = yield* foundInOrder(target, query, order, end);
  if (inOrder !== null) return inOrder.slice(skip);

  const matches = yield* inStepsOf(finding(target, query, Number.POSITIVE_INFINITY));
  const documentOf = ({ bytes }: Found) => readCounted(bytes, target.work, sorting.roots);
  return (yield* sorting.sorted(matches, documentOf)).slice(skip, end);
}

/**
 * Returns documents in the order of an index. Returns null if no index has that order, if an equality in the filter
 * leaves only few documents, or if the collection changed while the order was read.
 */
function* foundInOrder(
  target: Target,
  query: BsonDocument,
  order: BsonDocument,
  max: number,
): Generator<void, readonly Found[] | null> {
  const collection = collectionAt(target.data, target.namespace)?.value;
  if (collection === undefined) return null;

  const plan = rangeInOrder(collection, query, order);
  if (plan === null) return null;

  const few = byEquality(collection, query);
  // Each id belongs to at most one document.
  if (few !== null && (few.numbers.length <= STEP_ITEMS || few.index.spec === ID_INDEX)) return null;

  const filter = { ...filterOf(query, target.work, target), isExpired: expiredBy(collection, target.at) };
  const documents = documentsAt(target, collection);
  yield* ordering(collection, plan.range.index, target.work.effort);
  if (!isAsRead(target, collection)) return null;

  const numbers = numbersIn(plan.range, plan.isBackwards);
  const matches: Found[] = [];
  const direct = hasExpression(filter) ? 0 : STEP_ITEMS;
  for (let checked = 0; checked < direct; checked++) {
    const next = numbers.next();
    if (next.done === true) return matches;
    const one = matchOf(next.value, collection.document(next.value), filter, target.work);
    if (one !== null && matches.push(one) === max) return matches;
  }

  // The index orders the current documents, and these may change between steps.
  const remaining = yield* collectInSteps(numbers, Number.POSITIVE_INFINITY, () =>
    isAsRead(target, collection),
  );
  if (remaining === null) return null;

  for (const one of matching(documents, remaining, filter, target.work)) {
    if (one === null) yield;
    else if (matches.push(one) === max) break;
  }

  return matches;
}

/** `MDB.COUNT db collection spec` */
export const countDocuments = inSteps(["query", "skip", "limit"], function* (target, spec) {
  const [skip, limit] = [countAt(spec, "skip"), countAt(spec, "limit")];
  const query = documentAt(spec, "query") ?? NOTHING;
  const collection = collectionAt(target.data, target.namespace)?.value;
  const isFiltered =
    query.size > 0 || (collection !== undefined && expiredBy(collection, target.at) !== null);
  if (isFiltered)
    return integer((yield* inStepsOf(choosing(target, query, NOTHING, { skip, limit }))).length);

  // Without a filter, and without expired documents, the number of documents is known.
  const remaining = Math.max(0, (collection?.size ?? 0) - skip);
  return integer(limit === 0 ? remaining : Math.min(remaining, limit));
});

/** Cost in steps of comparing a value with the values found before, in addition to the unit of work of the value. */
const DISTINCT_STEPS = 8;

/** `MDB.DISTINCT db collection spec` */
export const distinct = inSteps(["key", "query"], function* (target, spec, request) {
  const field = stringAt(spec, "key");
  if (field.includes("\0")) throw new MongoFailure(31032, "Key field cannot contain an embedded null byte");

  const path = pathTo(field);
  const roots = new Set(path.slice(0, 1));
  const values = new Map<ByteString, Bson>();
  const test = (value: Bson | undefined) => {
    spend(target.work, 1);
    target.work.effort.work(DISTINCT_STEPS);
    if (value !== undefined) {
      const key = keyCounted(value, target.work);
      if (!values.has(key)) {
        produce(target.work, 1, key.length);
        values.set(key, value);
      }
    }
    return false;
  };
  const search: Search = { path, leaf: "elements", test, work: target.work };
  const query = documentAt(spec, "query") ?? NOTHING;
  const matches = yield* inStepsOf(finding(target, query, Number.POSITIVE_INFINITY));
  yield* mappedInSlices(matches, target.work, ({ bytes }) =>
    isAny(readCounted(bytes, target.work, roots), search),
  );
  return yield* answering(new Map([["values", [...values.values()]]]), request, DOCUMENT_BYTES_MAX);
});
