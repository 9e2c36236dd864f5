/**
 * MDB.UPDATE and MDB.DELETE: they execute statements one after the other, each of which is applied completely or not at
 * all.
 */

import type { Data } from "../../../../daemon/store/keyspace/mutators.js";
import { seededChoice } from "../../../../daemon/store/keyspace/seeded-choice.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Reply } from "../../../../protocol/reply.js";
import { finish, STEP_ITEMS } from "../../../../protocol/steps.js";
import { pushDocuments, removeDocuments, setDocuments } from "../keyspace/collection-mutators.js";
import { type Filter, filterOf } from "../queries/bson-filter.js";
import { documentOfQuery, isReplacement, type Update, updateOf, withId } from "../queries/bson-update.js";
import { countAt, documentAt, specOf, truthAt } from "../queries/command-fields.js";
import { type Scope, type Variable, withVariables } from "../queries/expressions.js";
import {
  badValue,
  costOf,
  failedToParse,
  readCounted,
  spend,
  typeMismatch,
  type Work,
  workOf,
} from "../queries/mongo-failure.js";
import { EXPRESSION_OPERATORS } from "../queries/operators/operator-table.js";
import { PositionalElements } from "../queries/positional-elements.js";
import { type Bson, type BsonDocument, isArray } from "../values/bson.js";
import { isNumber } from "../values/bson-numbers.js";
import { keyOf } from "../values/bson-order.js";
import { readKnownBson } from "../values/bson-reader.js";
import { Collection, type CollectionReading } from "../values/collection.js";
import {
  byEquality,
  byRange,
  type Candidates,
  type Documents,
  type Found,
  hasExpression,
  matching,
  matchOf,
  type SeenFilter,
} from "./candidate-documents.js";
import { type Claim, claimed, type RecordedDocument } from "./claimed-documents.js";
import { collectionAt, type Namespace, namespaceOf } from "./collection-names.js";
import { checkedId } from "./inserts.js";
import { answered, bytesOf, collectFailures, count } from "./mdb-replies.js";
import { expiredBy, removeExpired } from "./ttl-indexes.js";
import { addWarnings, Uniqueness } from "./unique-indexes.js";

/** The scope of a statement, and the collection that it reads or changes. */
export interface Target extends Scope {
  readonly data: Data;
  readonly namespace: Namespace;
  /** The readings that the command must release when it ends, or null if the command runs in one step. */
  readonly readings: CollectionReading[] | null;
  /** Whether the statement checks its changes, but omits them. */
  readonly omitsChanges: boolean;
}

/** @param readings receives the readings that the caller must release; null if the command runs in one step */
export function targetOf(
  data: Data,
  argv: readonly ByteString[],
  unit: Unit,
  readings: CollectionReading[] | null = null,
): Target {
  let choice: ((below: number) => number) | null = null;
  return {
    data,
    namespace: namespaceOf(argv[1] ?? "", argv[2] ?? ""),
    at: unit.at,
    work: workOf(data.effort),
    readings,
    omitsChanges: unit.omitsChanges === true,
    operators: EXPRESSION_OPERATORS,
    variables: NO_VARIABLES,
    choose: (below) => (choice ??= seededChoice(unit))(below),
  };
}

/** Removes expired documents, and returns the target of a write. */
export function writingTargetOf(data: Data, argv: readonly ByteString[], unit: Unit): Target {
  const target = targetOf(data, argv, unit);
  removeExpired(data, collectionAt(data, target.namespace), unit.at);
  return target;
}

/** Returns the target of a command's statements. All but the last one must make their changes, which later ones see. */
const forStatements = (target: Target, { length }: readonly BsonDocument[]): Target =>
  target.omitsChanges && length > 1 ? { ...target, omitsChanges: false } : target;

const NO_VARIABLES: ReadonlyMap<ByteString, Variable> = new Map();

/** Returns the target of a statement, with the variables of its `let`. @throws CommandFailure */
export const targetFor = (target: Target, statement: BsonDocument): Target =>
  finish(withVariables(documentAt(statement, "let"), target));

const UPDATE_FIELDS = ["q", "u", "multi", "upsert", "upsertId", "let", "arrayFilters"];

/** `MDB.UPDATE db collection ordered statement …` */
export function update(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const writing = writingTargetOf(data, argv, unit);
  const statements = argv.slice(4).map((one) => specOf(one, UPDATE_FIELDS));
  const target = forStatements(writing, statements);
  let [n, modified] = [0, 0];
  const upserted: BsonDocument[] = [];
  const failures = collectFailures(argv[3] ?? "", statements.length, (i) => {
    const statement = statements[i] as BsonDocument;
    const result = truthAt(statement, "multi")
      ? updated(target, statement, null)
      : claimed(unit, i, UNCHANGED, (claim) => updated(target, statement, claim));
    n += result.n;
    modified += result.modified;
    if (result.upserted !== undefined)
      upserted.push(
        new Map<ByteString, Bson>([
          ["index", count(i)],
          ["_id", result.upserted],
        ]),
      );
  });
  const reply = new Map<ByteString, Bson>([
    ["n", count(n)],
    ["nModified", count(modified)],
  ]);
  if (upserted.length > 0) reply.set("upserted", upserted);
  if (failures.length > 0) reply.set("writeErrors", failures);
  addWarnings(reply, collectionAt(data, target.namespace)?.value);
  return answered(reply, argv[4] ?? "");
}

/** The change that a statement requests. */
interface RequestedChange {
  readonly query: BsonDocument;
  readonly update: Bson | undefined;
  readonly arrayFilters: Bson | undefined;
}

export const changeOf = (
  statement: BsonDocument,
  name: "u" | "update",
  query: BsonDocument,
): RequestedChange => ({
  query,
  update: statement.get(name),
  arrayFilters: statement.get("arrayFilters"),
});

/** @throws CommandFailure */
function updateIn(
  target: Target,
  { query, update, arrayFilters }: RequestedChange,
  isInsert: boolean,
): Update {
  if (isArray(update) && arrayFilters !== undefined)
    throw failedToParse("arrayFilters may not be specified for pipeline-style updates");

  const elements = new PositionalElements(query, arrayFilters, target);
  const { at, work, choose, operators, variables } = target;
  // Each field is named: V8 takes microseconds for a spread that other fields follow.
  const allowsDollars = isInsert;
  return updateOf(update, { at, work, choose, operators, variables, isInsert, allowsDollars, elements });
}

interface Updated {
  readonly n: number;
  readonly modified: number;
  /** The `_id` of a document that was inserted. */
  readonly upserted?: Bson;
}

const UNCHANGED: Updated = { n: 0, modified: 0 };

/** @param claim null for a statement that changes all matching documents */
function updated(general: Target, statement: BsonDocument, claim: Claim | null): Updated {
  const target = targetFor(claim?.scopeOf(general) ?? general, statement);
  const query = documentAt(statement, "q");
  if (query === undefined) throw typeMismatch("q has to be a document");
  if (isReplacement(statement.get("u")) && claim === null)
    throw failedToParse("multi update is not supported for replacement-style update");

  const isUpsert = truthAt(statement, "upsert");
  const matches = foundBy(target, query, { claim, isUpsert, steps: CHANGE_STEPS });
  if (matches.length > 0 || !isUpsert) {
    const changed = changedBy(target, matches, changeOf(statement, "u", query));
    return { n: matches.length, modified: changed.modified };
  }

  const inserted = upsertedBy(target, changeOf(statement, "u", query), statement.get("upsertId"));
  const id = checkedId(inserted);
  claim?.take(id, "inserted");
  return { n: 1, modified: 0, upserted: id };
}

/**
 * Cost in steps of each document that an update finds. The cost is counted during the search, so a large update is
 * rejected before it has found all documents.
 */
const CHANGE_STEPS = 120;
/** Cost in steps of each changed document, for each index of the collection. */
const INDEX_STEPS = 90;
/** Cost in steps of each document that is removed, in addition to the cost of finding the document. */
const REMOVED_STEPS = 10;

/**
 * The documents that a filter matches: the complete list, or, if many documents must be checked, a generator that finds
 * them in steps.
 */
export type Findings = readonly Found[] | Generator<void, readonly Found[]>;

export const isComplete = (found: Findings): found is readonly Found[] => Array.isArray(found);

export function* inStepsOf(found: Findings): Generator<void, readonly Found[]> {
  return isComplete(found) ? found : yield* found;
}

interface Search {
  /** Null: all matching documents. */
  readonly claim: Claim | null;
  readonly isUpsert: boolean;
  /** Additional cost of each document found. */
  readonly steps: number;
}

/** Returns the documents that a statement changes or removes. @throws BudgetExceeded */
function foundBy(target: Target, query: BsonDocument, { claim, isUpsert, steps }: Search): readonly Found[] {
  const first = (max: number) => {
    const findings = finding(target, query, max, steps);
    return isComplete(findings) ? findings : finish(findings);
  };
  return claim === null
    ? first(Number.POSITIVE_INFINITY)
    : takenBy(target, query, claim, { isUpsert, choose: () => first(1) });
}

/**
 * Returns the document that a claim takes, or none. If a daemon has recorded one, the claim takes only that one, if it
 * is still there and still matches. An upsert then continues as at any position: it changes the document that it
 * chooses, or inserts one.
 */
export function takenBy(
  target: Target,
  query: BsonDocument,
  claim: Claim,
  { isUpsert, choose }: { readonly isUpsert: boolean; readonly choose: () => readonly Found[] },
): readonly Found[] {
  if (claim.recorded !== undefined) {
    const still = stillMatching(target, query, claim.recorded);
    return still.length > 0 || !isUpsert ? still : choose();
  }

  const matches = choose();
  const [first] = matches;
  if (first !== undefined) claim.take(readKnownBson(first.bytes, ID_FIELD).get("_id") as Bson, "chosen");
  return matches;
}

const ID_FIELD: ReadonlySet<ByteString> = new Set(["_id"]);
const EVERY: BsonDocument = new Map();

function stillMatching(
  target: Target,
  query: BsonDocument,
  { id, isRandom }: RecordedDocument,
): readonly Found[] {
  const { data, namespace, work } = target;
  const general = filterOf(isRandom ? EVERY : query, work, target);
  const collection = collectionAt(data, namespace)?.value;
  if (collection === undefined) return [];

  const numbers = collection.idIndex.equal(keyOf(id));
  const filter = seen(general, expiredBy(collection, target.at));
  return hasExpression(filter)
    ? finish(findingInSteps(target, matching(collection, numbers, filter, work), 1, CHANGE_STEPS))
    : amongFew(collection, numbers, filter, { max: 1, steps: CHANGE_STEPS, work });
}

const seen = (filter: Filter, isExpired: SeenFilter["isExpired"]): SeenFilter =>
  isExpired ? { isMet: filter.isMet, roots: filter.roots, tests: filter.tests, isExpired } : filter;

/** Finds the first of a few documents that a filter matches. */
function amongFew(
  collection: Collection,
  numbers: readonly number[],
  filter: SeenFilter,
  { max, steps, work }: { readonly max: number; readonly steps: number; readonly work: Work },
): readonly Found[] {
  const matches: Found[] = [];
  for (const number of numbers) {
    const one = matchOf(number, collection.document(number), filter, work);
    if (one === null) continue;
    work.effort.work(steps);
    if (matches.push(one) === max) break;
  }

  return matches;
}

/** Finds the first documents that a filter matches. Works in steps unless few documents must be checked. */
export function finding(target: Target, query: BsonDocument, max: number, steps = 0): Findings {
  const { data, namespace, work } = target;
  // An invalid filter is an error even if there are no documents.
  const general = filterOf(query, work, target);
  const collection = collectionAt(data, namespace)?.value;
  if (collection === undefined) return [];

  const isCurrent = isAsRead(target, collection);
  const isExpired = expiredBy(collection, target.at, isCurrent);
  const filter = seen(general, isExpired);
  let numbers: readonly number[] | null = null;
  // Indexes describe only the current documents.
  if (isCurrent) {
    numbers = byEquality(collection, query)?.numbers ?? null;
    if (numbers === null) {
      const documents = documentsAt(target, collection);
      const range = byRange(collection, query, work, () => isAsRead(target, collection));
      const first = target.readings === null ? { done: true, value: finish(range) } : range.next();
      if (first.done !== true)
        return findingInSteps(target, matchingIn(range, documents, filter, work), max, steps);
      numbers = first.value?.numbers ?? null;
    }
  }

  if (numbers === null || numbers.length > STEP_ITEMS || hasExpression(filter))
    return findingInSteps(
      target,
      matching(documentsAt(target, collection), numbers, filter, work),
      max,
      steps,
    );

  return amongFew(collection, numbers, filter, { max, steps, work });
}

/**
 * Yields the documents that meet a filter, and null after each step in which the range is still being searched. The
 * caller has already executed the range's first step.
 */
function* matchingIn(
  range: Generator<void, Candidates | null>,
  documents: Documents,
  filter: SeenFilter,
  work: Work,
): Generator<Found | null> {
  for (;;) {
    yield null;
    const step = range.next();
    if (step.done !== true) continue;
    yield* matching(documents, step.value?.numbers ?? null, filter, work);
    return;
  }
}

/** Approximate memory of a document that was found, in addition to its bytes, which belong to the collection. */
const FOUND_BYTES = 48;

function* findingInSteps(
  { work }: Target,
  candidates: Iterable<Found | null>,
  max: number,
  steps: number,
): Generator<void, readonly Found[]> {
  const matches: Found[] = [];
  for (const one of candidates) {
    if (one === null) {
      yield;
      continue;
    }
    work.effort.work(steps);
    work.effort.hold(FOUND_BYTES);
    if (matches.push(one) === max) break;
  }

  return matches;
}

/** Whether a collection is unchanged since the command began to read it. */
export const isAsRead = ({ readings }: Target, collection: Collection): boolean =>
  readings?.every((one) => one.collection !== collection || one.isCurrent) ?? true;

/**
 * Returns the documents of a collection. A command that reads in steps receives the documents as they were when it
 * began to read them, regardless of later changes.
 */
export function documentsAt({ readings }: Target, collection: Collection): Documents {
  if (readings === null) return collection;
  const existing = readings.find((one) => one.collection === collection);
  if (existing !== undefined) return existing;
  const reading = collection.reading();
  readings.push(reading);
  return reading;
}

/**
 * MongoDB's numbers of the errors for a document that an update has made too large, and for one that an upsert inserts.
 */
const UPDATED_TOO_LARGE = 17419;
const UPSERTED_TOO_LARGE = 17420;

/**
 * Changes either all documents or none.
 * @param see is called with the new bytes of the last document before any document is changed; it may throw to prevent
 * all changes
 */
export function changedBy(
  target: Target,
  found: readonly Found[],
  change: RequestedChange,
  see: (last: ByteString) => void = () => {},
): { readonly modified: number } {
  const { data, namespace, work } = target;
  const apply = updateIn(target, change, false);
  const changes: Found[] = [];
  let last: ByteString | undefined;
  for (const { number, bytes } of found) {
    last = bytesOf(apply(readCounted(bytes, work)), UPDATED_TOO_LARGE);
    // Writing and indexing the new document cost as much as reading a document of its size.
    spend(work, costOf(last));
    if (last !== bytes) changes.push({ number, bytes: last });
  }

  if (changes.length === 0) {
    if (last !== undefined) see(last);
    return { modified: 0 };
  }

  const entry = collectionAt(data, namespace);
  if (entry === undefined) throw new Error("documents were found in a collection that does not exist");

  const numbers = changes.map(({ number }) => number);
  const documents = changes.map(({ bytes }) => bytes);
  work.effort.work(INDEX_STEPS * entry.value.specs.length * changes.length);
  const uniqueness = new Uniqueness(target, entry.value, new Set(numbers));
  for (const { number, bytes } of changes) uniqueness.take(bytes, number);
  if (last !== undefined) see(last);
  if (!target.omitsChanges) setDocuments(data, entry, { numbers, documents });
  return { modified: changes.length };
}

/**
 * Inserts the document of an update whose filter matched no document.
 * @param see is called with the new document before it is inserted; it may throw to prevent the insertion
 */
export function upsertedBy(
  target: Target,
  change: RequestedChange,
  id: Bson | undefined,
  see: (inserted: BsonDocument) => void = () => {},
): BsonDocument {
  const { data, namespace, work } = target;
  const apply = updateIn(target, change, true);
  // A replacement takes only the id from the filter.
  const inserted = apply(documentOfQuery(change.query, target, isReplacement(change.update) ? "_id" : null));
  const ownId = inserted.has("_id") ? inserted.get("_id") : id;
  if (ownId === undefined) throw badValue("an upsert needs an upsertId from its sender");

  const document = withId(inserted, ownId);
  checkedId(document);
  const bytes = bytesOf(document, UPSERTED_TOO_LARGE);
  spend(work, costOf(bytes));
  const entry = collectionAt(data, namespace);
  new Uniqueness(target, entry?.value ?? new Collection()).take(bytes);
  see(document);
  if (!target.omitsChanges) pushDocuments(data, entry ?? data.getOrPut(Collection, namespace.key), [bytes]);
  return document;
}

const DELETE_FIELDS = ["q", "limit", "let"];

/** `MDB.DELETE db collection ordered statement …` */
export function remove(data: Data, argv: readonly ByteString[], unit: Unit): Reply {
  const writing = writingTargetOf(data, argv, unit);
  const statements = argv.slice(4).map((one) => specOf(one, DELETE_FIELDS));
  const general = forStatements(writing, statements);
  let n = 0;
  const failures = collectFailures(argv[3] ?? "", statements.length, (i) => {
    const statement = statements[i] as BsonDocument;
    n += truthAt(statement, "limit")
      ? claimed(unit, i, 0, (claim) => removedBy(general, statement, claim))
      : removedBy(general, statement, null);
  });
  const reply = new Map<ByteString, Bson>([["n", count(n)]]);
  if (failures.length > 0) reply.set("writeErrors", failures);
  return answered(reply, argv[4] ?? "");
}

/** @param claim null for a statement that removes all matching documents */
function removedBy(general: Target, statement: BsonDocument, claim: Claim | null): number {
  const target = targetFor(claim?.scopeOf(general) ?? general, statement);
  const query = documentAt(statement, "q");
  if (query === undefined) throw typeMismatch("q has to be a document");
  // Without a limit, which might be left out by mistake, all documents would be deleted.
  if (!isNumber(statement.get("limit"))) throw typeMismatch("limit has to be 0 or 1");
  if (countAt(statement, "limit") > 1) throw failedToParse("the limit of a delete is 0 or 1");
  return removed(target, foundBy(target, query, { claim, isUpsert: false, steps: 0 }));
}

export function removed({ data, namespace, work, omitsChanges }: Target, found: readonly Found[]): number {
  const entry = collectionAt(data, namespace);
  if (entry === undefined || found.length === 0) return 0;
  work.effort.work(REMOVED_STEPS * found.length);
  if (omitsChanges) return found.length;
  removeDocuments(
    data,
    entry,
    found.map(({ number }) => number),
  );
  return found.length;
}
