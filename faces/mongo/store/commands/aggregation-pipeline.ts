/**
 * MDB.AGGREGATE: passes documents through stages. Source: MongoDB's manual, "Aggregation Stages". Unsupported stages
 * are rejected by name.
 */

import { distinctChoices } from "../../../../daemon/store/keyspace/seeded-choice.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import { STEP_ITEMS } from "../../../../protocol/steps.js";
import { ACCUMULATORS, type Accumulator, type Start } from "../queries/accumulators.js";
import { filterOf } from "../queries/bson-filter.js";
import { arrayAt, countOf, stringAt, truthAt, unknownField } from "../queries/command-fields.js";
import { isAny, pathTo } from "../queries/document-paths.js";
import { sortingOf } from "../queries/document-sorting.js";
import { expressionOf, type Scope } from "../queries/expressions.js";
import { type Expression, mappedInSlices } from "../queries/long-evaluation.js";
import {
  badValue,
  costOf,
  heldCopy,
  holdRead,
  MongoFailure,
  notImplemented,
  produce,
  readCounted,
  spend,
  typeMismatch,
  type Work,
} from "../queries/mongo-failure.js";
import { unknownName } from "../queries/mongodb-names.js";
import { RESHAPINGS } from "../queries/projection.js";
import { keyCounted } from "../queries/value-size.js";
import { type Bson, type BsonDocument, Int32, isArray, isDocument } from "../values/bson.js";
import type { FieldPath } from "../values/index-keys.js";
import { collectionAt, namespaceOf } from "./collection-names.js";
import { choosing, inSteps } from "./find-and-count.js";
import { hintOf, orderOf } from "./index-hints.js";
import { answeringAll, bytesInSteps, count, WRITTEN_STEPS } from "./mdb-replies.js";
import { expiredBy } from "./ttl-indexes.js";
import { documentsAt, inStepsOf, type Target } from "./update-and-delete.js";

/** Maximum number of stages in a pipeline, as in MongoDB. */
const STAGES_MAX = 1000;
/** Number of bytes of a reply whose creation takes a step. */
const WRITTEN_BYTES_PER_STEP = 8;
/** Maximum number of bytes of all documents in a reply. */
const ANSWER_BYTES_MAX = 256 * 1024 * 1024;

/** Transforms the documents of the previous stage, in steps. */
export type Stage = (documents: readonly BsonDocument[]) => Generator<void, readonly BsonDocument[]>;

/** Returns a stage that runs in one step. */
const inOneStep = (make: (documents: readonly BsonDocument[]) => readonly BsonDocument[]): Stage =>
  function* (documents) {
    yield;
    return make(documents);
  };
/** @throws CommandFailure before the first document is read */
type Make = (operand: Bson, target: Target) => Stage;

const NO_SORT: BsonDocument = new Map();
const EVERY = { skip: 0, limit: 0 };

/** `MDB.AGGREGATE db collection spec` */
export const aggregate = inSteps(["pipeline", "let", "hint"], function* (target, spec, request) {
  const pipeline = arrayAt(spec, "pipeline");
  if (pipeline.length > STAGES_MAX) throw badValue(`a pipeline has at most ${STAGES_MAX} stages`);

  // Indexes can help the first stage, if it selects documents.
  const first = stageAt(pipeline[0]);
  const isChoosing = first?.[0] === "$match" && isDocument(first[1]);
  const query: BsonDocument = isChoosing ? (first[1] as BsonDocument) : new Map();
  const stages = pipeline.slice(isChoosing ? 1 : 0).map((one) => stageOf(one, target));
  const order = orderOf(NO_SORT, hintOf(target, spec.get("hint")), query);
  const matches = yield* inStepsOf(choosing(target, query, order, EVERY));
  const roots = rootsOf(stageAt(pipeline[isChoosing ? 1 : 0]));
  let documents: readonly BsonDocument[] = yield* mappedInSlices(matches, target.work, ({ bytes }) => {
    holdRead(target.work, bytes, roots);
    return readCounted(bytes, target.work, roots);
  });
  for (const stage of stages) {
    spend(target.work, documents.length);
    documents = yield* stage(documents);
  }

  const answers = yield* written(documents, target);
  return yield* answeringAll(answers, request, target.work.effort);
});

/** Writes the documents of a reply. @throws CommandFailure if they have too many bytes together */
function* written(documents: readonly BsonDocument[], { work }: Target): Generator<void, ByteString[]> {
  const answers: ByteString[] = [];
  let size = 0;
  for (const document of documents) {
    const bytes = yield* bytesInSteps(document);
    work.effort.work(Math.max(WRITTEN_STEPS, bytes.length / WRITTEN_BYTES_PER_STEP));
    work.effort.hold(bytes.length);
    size += bytes.length;
    if (size > ANSWER_BYTES_MAX)
      throw new MongoFailure(146, `a pipeline returns at most ${ANSWER_BYTES_MAX} bytes`);
    if (answers.push(bytes) % STEP_ITEMS === 0 || work.effort.endsSlice()) yield;
  }

  return answers;
}

/**
 * Returns the names of the top-level fields that a stage reads, or null if the complete documents are needed, for
 * example because the stage passes them on. For `$count` there are no such fields, so counting a collection does not
 * require reading its documents.
 */
function rootsOf(stage: readonly [ByteString, Bson] | undefined): ReadonlySet<ByteString> | null {
  const roots = new Set<ByteString>();
  if (stage?.[0] === "$count") return roots;
  return stage?.[0] === "$group" && addRoots(stage[1], roots) ? roots : null;
}

/** @returns whether the value reads only the fields that are added to `roots` */
function addRoots(value: Bson, roots: Set<ByteString>): boolean {
  if (isArray(value)) return value.every((one) => addRoots(one, roots));
  // $getField reads the complete document, without a path.
  if (isDocument(value) && value.has("$getField")) return false;
  if (isDocument(value)) return [...value.values()].every((one) => addRoots(one, roots));
  if (typeof value !== "string" || !value.startsWith("$")) return true;
  roots.add(value.slice(1).split(".", 1)[0] as ByteString);
  return !value.startsWith("$$");
}

function stageAt(stage: Bson | undefined): readonly [ByteString, Bson] | undefined {
  return isDocument(stage) && stage.size === 1 ? [...stage][0] : undefined;
}

function stageOf(stage: Bson, target: Target): Stage {
  if (!isDocument(stage)) throw typeMismatch("Each element of the 'pipeline' array must be an object");
  const parts = stageAt(stage);
  if (parts === undefined)
    throw new MongoFailure(40323, "A pipeline stage specification object must contain exactly one field.");
  const [name, operand] = parts;
  const make = STAGES.get(name);
  if (make === undefined)
    throw unknownName("stage", name, new MongoFailure(40324, `Unrecognized pipeline stage name: '${name}'`));
  return make(operand, target);
}

function documentFor(name: string, operand: Bson): BsonDocument {
  if (isDocument(operand)) return operand;
  throw new MongoFailure(15959, `the ${name} specification must be an object`);
}

export const STAGES: ReadonlyMap<string, Make> = new Map<string, Make>([
  [
    "$match",
    (operand, target) => {
      const { work } = target;
      const { isMet, tests } = filterOf(documentFor("$match", operand), target.work, target);
      return function* (documents) {
        const met = yield* mappedInSlices(documents, work, (document) => {
          spend(work, tests);
          return isMet(document);
        });
        return documents.filter((_, target) => met[target]);
      };
    },
  ],
  [
    "$sort",
    (operand, { work }) => {
      const order = documentFor("$sort", operand);
      if (order.size === 0) throw new MongoFailure(15976, "$sort stage must have at least one sort key");
      const sorting = sortingOf(order, work);
      return (documents) => sorting.sorted(documents, (document) => document);
    },
  ],
  [
    "$limit",
    (operand) => {
      const max = countOf(operand, "$limit");
      if (max === 0) throw new MongoFailure(15958, "the limit must be positive");
      return inOneStep((documents) => documents.slice(0, max));
    },
  ],
  [
    "$skip",
    (operand) => {
      const skipped = countOf(operand, "$skip");
      return inOneStep((documents) => documents.slice(skipped));
    },
  ],
  ["$group", (operand, target) => grouping(documentFor("$group", operand), target)],
  [
    "$count",
    (operand) => {
      if (typeof operand !== "string" || operand === "" || /[.\0]|^\$/.test(operand))
        throw new MongoFailure(40156, "the count field must be a non-empty string without $ or .");
      return inOneStep((documents) =>
        documents.length === 0 ? [] : [new Map([[operand, count(documents.length)]])],
      );
    },
  ],
  ["$unwind", (operand, { work }) => unwound(operand, work)],
  ...[...RESHAPINGS].map(([name, make]): [string, Make] => [
    name,
    (operand, target) => {
      const reshape = make(operand, target);
      return (documents) =>
        mappedInSlices(documents, target.work, (document) => heldCopy(target.work, reshape(document)));
    },
  ]),
  ["$sample", (operand, target) => sampled(operand, target)],
  [
    "$sortByCount",
    (operand, target) => {
      const counted = grouping(
        new Map<ByteString, Bson>([
          ["_id", operand],
          ["count", ONE_EACH],
        ]),
        target,
      );
      const sorting = sortingOf(new Map([["count", -1]]), target.work);
      return function* (documents) {
        return yield* sorting.sorted(yield* counted(documents), (document) => document);
      };
    },
  ],
  ["$lookup", (operand, target) => lookedUp(documentFor("$lookup", operand), target)],
]);

/** The accumulator of `$sortByCount`. */
const ONE_EACH: BsonDocument = new Map([["$sum", new Int32(1)]]);

/**
 * Returns a sample of the documents. The choice follows from the unit's id, so a script receives the same sample on
 * each daemon.
 */
function sampled(operand: Bson, { choose, work }: Target): Stage {
  const size = isDocument(operand) && operand.size === 1 ? operand.get("size") : undefined;
  if (size === undefined) throw new MongoFailure(28747, "size argument to $sample must be a number");
  const count = countOf(size, "size argument to $sample");
  if (count === 0) throw new MongoFailure(28747, "size argument to $sample must be a positive integer");
  return inOneStep((documents) => {
    spend(work, Math.min(count, documents.length));
    return distinctChoices(choose, documents.length, count).map(
      (target) => documents[target] as BsonDocument,
    );
  });
}

/** Returns the names of the other collections that a pipeline reads. */
export function collectionsIn(spec: BsonDocument): readonly ByteString[] {
  const pipeline = spec.get("pipeline");
  if (!isArray(pipeline)) return [];
  return pipeline.flatMap((stage) => {
    const parts = stageAt(stage);
    const from = parts?.[0] === "$lookup" && isDocument(parts[1]) ? parts[1].get("from") : undefined;
    return typeof from === "string" ? [from] : [];
  });
}

/** Approximate memory of a document's key in addition to its bytes. */
const KEY_BYTES = 60;

/** Maximum number of different values at a path in one document. */
const KEYS_MAX = 100_000;

/**
 * Makes a `$lookup` by equality: adds to each document the documents of another collection in which a field has the
 * same value.
 * @throws CommandFailure
 */
function lookedUp(
  spec: BsonDocument,
  target: Target,
): (documents: readonly BsonDocument[]) => Generator<void, readonly BsonDocument[]> {
  for (const name of spec.keys())
    if (!["from", "localField", "foreignField", "as"].includes(name))
      throw notImplemented(
        `$lookup with '${name}' is not supported: use localField and foreignField, then $unwind and $match`,
      );

  const [from, local, foreign, as] = ["from", "localField", "foreignField", "as"].map((name) =>
    stringAt(spec, name),
  ) as [ByteString, ByteString, ByteString, ByteString];
  const namespace = namespaceOf(target.namespace.database, from);
  const [localPath, foreignPath, asPath] = [pathTo(local), pathTo(foreign), pathTo(as)];
  const collection = collectionAt(target.data, namespace)?.value;
  const source = collection === undefined ? null : documentsAt(target, collection);
  const isExpired = collection === undefined ? null : expiredBy(collection, target.at);
  return function* (documents) {
    const others: BsonDocument[] = [];
    const byKey = new Map<ByteString, number[]>();
    for (const [, bytes] of source?.numbered() ?? []) {
      if (isExpired?.(bytes) === true) continue;
      spend(target.work, costOf(bytes));
      holdRead(target.work, bytes, null);
      const other = readCounted(bytes, target.work);
      const number = others.push(other) - 1;
      for (const key of keysAt(other, foreignPath, "both", target.work)) {
        const numbers = byKey.get(key);
        target.work.effort.hold(KEY_BYTES + key.length);
        if (numbers === undefined) byKey.set(key, [number]);
        else numbers.push(number);
      }
      if (others.length % STEP_ITEMS === 0 || target.work.effort.endsSlice()) yield;
    }

    return yield* mappedInSlices(documents, target.work, (document) => {
      const numbers = new Set<number>();
      for (const key of keysAt(document, localPath, "elements", target.work)) {
        const found = byKey.get(key) ?? [];
        spend(target.work, found.length);
        produce(target.work, found.length);
        for (const number of found) numbers.add(number);
      }
      const matches: Bson[] = [...numbers]
        .sort((a, b) => a - b)
        .map((number) => others[number] as BsonDocument);
      return heldCopy(target.work, replaced(document, asPath, matches));
    });
  };
}

/** Returns the keys at a path; a missing field counts as null. @throws CommandFailure if there are too many */
function keysAt(
  document: BsonDocument,
  path: readonly ByteString[],
  leaf: "both" | "elements",
  work: Work,
): ReadonlySet<ByteString> {
  const keys = new Set<ByteString>();
  const test = (value: Bson | undefined) => {
    if (keys.size === KEYS_MAX)
      throw new MongoFailure(146, `$lookup: a field of a document has at most ${KEYS_MAX} different values`);
    keys.add(keyCounted(value ?? null, work));
    return false;
  };

  isAny(document, { path, leaf, test, work });
  return keys;
}

interface Field {
  readonly name: ByteString;
  readonly start: Start;
  readonly operand: Expression;
}

interface Group {
  readonly id: Bson;
  readonly accumulators: readonly Accumulator[];
}

/** Cost in steps of adding a document to its group, in addition to its units of work. */
const GROUPED_STEPS = 20;

/** @throws CommandFailure */
function grouping(
  spec: BsonDocument,
  scope: Scope,
): (documents: readonly BsonDocument[]) => Generator<void, readonly BsonDocument[]> {
  const id = spec.get("_id");
  if (id === undefined) throw new MongoFailure(15955, "a group specification must include an _id");

  const idOf = expressionOf(id, scope);
  const fields = [...spec].flatMap(([name, value]) => (name === "_id" ? [] : [fieldOf(name, value, scope)]));
  return function* (documents) {
    const groups = new Map<ByteString, Group>();
    spend(scope.work, documents.length * fields.length);
    scope.work.effort.work(documents.length * GROUPED_STEPS);
    const operands: (Bson | undefined)[] = fields.map(() => undefined);
    yield* mappedInSlices(documents, scope.work, (document) => {
      const value = idOf(document) ?? null;
      // A long operand ends this call, so all operands are evaluated before one is added.
      for (let i = 0; i < fields.length; i++) operands[i] = (fields[i] as Field).operand(document);
      const key = keyCounted(value, scope.work);
      let group = groups.get(key);
      if (group === undefined) {
        produce(scope.work, 1 + fields.length, key.length);
        group = { id: value, accumulators: fields.map(({ start }) => start(scope.work)) };
        groups.set(key, group);
      }
      for (let i = 0; i < fields.length; i++) (group.accumulators[i] as Accumulator).add(operands[i]);
    });
    return yield* mappedInSlices([...groups.values()], scope.work, ({ id: value, accumulators }) => {
      const result = new Map<ByteString, Bson>([["_id", value]]);
      for (const [i, accumulator] of accumulators.entries())
        result.set((fields[i] as Field).name, accumulator.result() ?? null);
      return heldCopy(scope.work, result);
    });
  };
}

function fieldOf(name: ByteString, value: Bson, scope: Scope): Field {
  if (name.includes(".")) throw new MongoFailure(40235, `The field name '${name}' cannot contain '.'`);
  if (name.startsWith("$"))
    throw new MongoFailure(40236, `The field name '${name}' cannot be an operator name`);

  const parts = isDocument(value) && value.size === 1 ? [...value][0] : undefined;
  if (parts === undefined) throw new MongoFailure(40234, `The field '${name}' must be an accumulator object`);

  const [operator, operand] = parts;
  const start = ACCUMULATORS.get(operator);
  if (start === undefined)
    throw unknownName(
      "accumulator",
      operator,
      new MongoFailure(15952, `unknown group operator '${operator}'`),
    );

  return { name, start, operand: expressionOf(operand, scope) };
}

interface Unwinding {
  readonly path: FieldPath;
  /** The field that receives the element's index; null means that there is no such field. */
  readonly index: FieldPath | null;
  readonly keepsEmpty: boolean;
}

/** Units of work for a copy of a document, in addition to one for each field. */
const COPY_UNITS = 4;

/** @throws CommandFailure */
function unwound(
  operand: Bson,
  work: Work,
): (documents: readonly BsonDocument[]) => Generator<void, readonly BsonDocument[]> {
  const unwinding = unwindingOf(operand);
  return function* (documents) {
    const result: BsonDocument[] = [];
    for (const [position, document] of documents.entries()) {
      const value = along(document, unwinding.path);
      for (const one of each(document, value, unwinding)) {
        if (isArray(value)) {
          spend(work, COPY_UNITS + document.size);
          produce(work, COPY_UNITS + document.size);
        }
        result.push(one);
        if (work.effort.endsSlice()) yield;
      }
      if (position % STEP_ITEMS === 0) yield;
    }

    return result;
  };
}

function unwindingOf(operand: Bson): Unwinding {
  const spec: BsonDocument = isDocument(operand) ? operand : new Map([["path", operand]]);
  for (const name of spec.keys())
    if (!["path", "includeArrayIndex", "preserveNullAndEmptyArrays"].includes(name)) throw unknownField(name);
  const path = spec.get("path");
  if (typeof path !== "string" || !path.startsWith("$") || path.startsWith("$$") || path.length < 2)
    throw new MongoFailure(28818, "path option to $unwind stage should be prefixed with a '$'");

  const index = spec.get("includeArrayIndex") ?? null;
  if (index !== null && (typeof index !== "string" || index === "" || index.startsWith("$")))
    throw new MongoFailure(28822, "includeArrayIndex option to $unwind stage should be a field's name");

  return {
    path: pathTo(path.slice(1)),
    index: index === null ? null : pathTo(index),
    keepsEmpty: truthAt(spec, "preserveNullAndEmptyArrays"),
  };
}

function* each(
  document: BsonDocument,
  value: Bson | undefined,
  { path, index, keepsEmpty }: Unwinding,
): Generator<BsonDocument> {
  const withIndex = (copy: BsonDocument, position: bigint | null) =>
    index === null ? copy : replaced(copy, index, position);
  if (isArray(value) && value.length > 0) {
    for (const [i, one] of value.entries()) yield withIndex(replaced(document, path, one), BigInt(i));
    return;
  }

  const isEmpty = value === undefined || value === null || isArray(value);
  if (isEmpty && !keepsEmpty) return;
  yield withIndex(isArray(value) ? replaced(document, path, undefined) : document, null);
}

function along(document: BsonDocument, path: FieldPath): Bson | undefined {
  let value: Bson | undefined = document;
  for (const name of path) value = isDocument(value) ? value.get(name) : undefined;
  return value;
}

/** Returns the document with the given value at a path. @param value undefined removes the value */
function replaced(document: BsonDocument, path: FieldPath, value: Bson | undefined): BsonDocument {
  const [name, ...innerPath] = path as readonly [ByteString, ...ByteString[]];
  const copy = new Map(document);
  const inner = document.get(name);
  if (innerPath.length > 0) copy.set(name, replaced(isDocument(inner) ? inner : new Map(), innerPath, value));
  else if (value === undefined) copy.delete(name);
  else copy.set(name, value);
  return copy;
}
