/** Compiles updates, which modify or replace a document. Source: MongoDB's manual, "Update Documents". */

import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, isArray, isDocument, Regex } from "../values/bson.js";
import { compareBson } from "../values/bson-order.js";
import { typeOf } from "../values/bson-type.js";
import type { FieldPath } from "../values/index-keys.js";
import { conditionOf } from "./bson-filter.js";
import type { Condition, FieldTest } from "./condition.js";
import type { Scope } from "./expressions.js";
import { badValue, failedToParse, MongoFailure, spend, type Work } from "./mongo-failure.js";
import { isPositional, type PositionalElements } from "./positional-elements.js";
import { RESHAPINGS } from "./reshaping-stages.js";
import { type ChangeAtPath, changesOf, comparePaths, type UpdateContext } from "./update-operators.js";
import { changeAt, putAt, renameAt } from "./update-paths.js";

/** Changes a document that the caller owns, or returns another one. @throws CommandFailure */
export type Update = (document: BsonDocument) => BsonDocument;

/** Maximum number of positions that one update changes. */
const PATHS_MAX = 10_000;

/**
 * Whether an update replaces the document instead of changing parts of it.
 * @throws CommandFailure if it does neither
 */
export function isReplacement(update: Bson | undefined): boolean {
  if (isArray(update)) return false;
  if (!isDocument(update)) throw failedToParse("an update has to be a document");
  const [first] = update.keys();
  return first?.startsWith("$") !== true;
}

/** @throws CommandFailure */
export function updateOf(update: Bson | undefined, context: UpdateContext): Update {
  if (isReplacement(update)) return replacementOf(update as BsonDocument);
  if (isArray(update)) return pipelineOf(update, context);
  const apply = operatorsOf(update as BsonDocument, context);
  return (document) => {
    const id = document.get("_id");
    const result = apply(document);
    const after = result.get("_id");
    if (id !== undefined && (after === undefined || !isSame(id, after))) throw changedId();
    return result;
  };
}

/** Maximum number of stages in an update. */
const STAGES_MAX = 1000;

/** Compiles an update by a pipeline, which returns another document. */
function pipelineOf(stages: readonly Bson[], context: UpdateContext): Update {
  if (stages.length > STAGES_MAX) throw badValue(`an update has at most ${STAGES_MAX} stages`);
  const reshapings = stages.map((stage) => {
    const parts = isDocument(stage) && stage.size === 1 ? [...stage][0] : undefined;
    const make = parts && RESHAPINGS.get(parts[0]);
    if (parts === undefined || make === undefined)
      throw new MongoFailure(72, `an update has stages of these kinds: ${[...RESHAPINGS.keys()].join(", ")}`);
    return make(parts[1], context);
  });
  return (document) => {
    spend(context.work, reshapings.length);
    const result = reshapings.reduce((current, reshape) => reshape(current), document);
    const [id, after] = [document.get("_id"), result.get("_id")];
    if (id === undefined) return result;
    // A stage that omits _id does not remove it.
    if (after !== undefined && !isSame(id, after)) throw changedId();
    return withId(result, id);
  };
}

function replacementOf(replacement: BsonDocument): Update {
  for (const name of replacement.keys())
    if (name.startsWith("$"))
      throw badValue(`The dollar ($) prefixed field '${name}' is not allowed in a replacement`);
  return (document) => {
    const [id, newId] = [document.get("_id"), replacement.get("_id")];
    if (id === undefined) return replacement;
    if (newId !== undefined && !isSame(id, newId)) throw changedId();
    const result = new Map<ByteString, Bson>([["_id", id]]);
    for (const [name, value] of replacement) if (name !== "_id") result.set(name, value);
    return result;
  };
}

const isSame = (a: Bson, b: Bson) => typeOf(a) === typeOf(b) && compareBson(a, b) === 0;
const changedId = () =>
  new MongoFailure(66, "the update was found to have altered the immutable field '_id'");

/** Compiles operators, which may change every field, including `_id`. @throws CommandFailure */
export function operatorsOf(update: BsonDocument, context: UpdateContext): Update {
  const { work, elements } = context;
  const changes = changesOf(update, context);
  elements.checkUse();
  if (changes.length > PATHS_MAX) throw tooManyPaths();
  const isFixed = changes.every(({ path }) => !path.some(isPositional));
  if (isFixed) inOrder(changes);
  return (document) => {
    if (isFixed) spend(work, changes.length);
    const resolved = isFixed ? changes : inOrder(resolvedIn(document, changes, { elements, work }));
    for (const { path, change } of resolved) {
      if ("from" in change) renameAt(document, change.from, path, work);
      else changeAt(document, path, change, work);
    }
    return document;
  };
}

/** Returns a copy of each change for each position that its path selects. Counts each position before it is kept. */
function resolvedIn(
  document: BsonDocument,
  changes: readonly ChangeAtPath[],
  { elements, work }: { readonly elements: PositionalElements; readonly work: Work },
): ChangeAtPath[] {
  const resolved: ChangeAtPath[] = [];
  for (const { path, change } of changes)
    for (const position of elements.positions(path, document)) {
      if (resolved.length === PATHS_MAX) throw tooManyPaths();
      spend(work, 1);
      resolved.push({ path: position, change });
    }
  return resolved;
}

const tooManyPaths = () => badValue(`an update changes at most ${PATHS_MAX} positions`);

/** Sorts changes by their paths. @throws CommandFailure if two changes conflict */
function inOrder(changes: ChangeAtPath[]): readonly ChangeAtPath[] {
  changes.sort((a, b) => comparePaths(a.path, b.path));
  checkConflicts(changes);
  return changes;
}

/** Checks for conflicts: in sorted order, a path is directly followed by the paths inside it. */
function checkConflicts(changes: readonly ChangeAtPath[]): void {
  for (const [i, { path }] of changes.entries()) {
    const before = changes[i - 1]?.path;
    if (before?.every((name, at) => name === path[at]) === true)
      throw new MongoFailure(
        40,
        `Updating the path '${path.join(".")}' would create a conflict at '${before.join(".")}'`,
      );
  }
}

/**
 * Returns the document to insert if none matches the filter: the fields that must equal a value, ordered by their paths.
 * @param only the only field to consider, or null for all
 * @throws CommandFailure
 */
export function documentOfQuery(
  query: BsonDocument,
  scope: Scope,
  only: ByteString | null = null,
): BsonDocument {
  const equalities = new Map<ByteString, Equality>();
  collectEqualities(conditionOf(query, scope.work, scope).condition, equalities, only);
  const document: BsonDocument = new Map();
  const inOrder = [...equalities].sort(([a], [b]) => (a < b ? -1 : 1));
  for (const [name, { path, value }] of inOrder) {
    for (let length = path.length - 1; length > 0; length--) {
      const above = path.slice(0, length).join(".");
      if (equalities.has(above)) throw matchedTwice(`both paths '${name}' and '${above}' are matched`);
    }
    putAt(document, path, value, scope.work);
  }
  return document;
}

/** A field that must equal a value. */
interface Equality {
  readonly path: FieldPath;
  readonly value: Bson;
}

/** Adds the equalities that every document meets that meets the condition. @throws CommandFailure */
function collectEqualities(
  condition: Condition,
  equalities: Map<ByteString, Equality>,
  only: ByteString | null,
): void {
  if (condition.kind === "not" || (condition.kind === "any" && condition.parts.length > 1)) return;
  if (condition.kind !== "member") {
    for (const part of condition.parts) collectEqualities(part, equalities, only);
    return;
  }
  const { path, test } = condition;
  const value = equalValue(test);
  if (value === undefined || (only !== null && path[0] !== only)) return;
  const name = path.join(".");
  if (only !== null && path.length > 1)
    throw new MongoFailure(
      111,
      `field at '${only}' must be exactly specified, field at sub-path '${name}' found`,
    );
  if (equalities.has(name)) throw matchedTwice(`path '${name}' is matched twice`);
  equalities.set(name, { path, value });
}

const matchedTwice = (what: ByteString): MongoFailure =>
  new MongoFailure(54, `cannot infer query fields to set, ${what}`);

/** Returns the only value that meets a test, or undefined. */
function equalValue({ operator, operand }: FieldTest): Bson | undefined {
  if (operator === "$eq") return operand;
  if (operator !== "$in" || !isArray(operand)) return undefined;
  const [first] = operand;
  if (first === undefined || operand.some((one) => one instanceof Regex)) return undefined;
  return operand.every((one) => compareBson(first, one) === 0) ? first : undefined;
}

/** Returns the document with `_id` as its first field. */
export function withId(document: BsonDocument, id: Bson): BsonDocument {
  const result = new Map<ByteString, Bson>([["_id", id]]);
  for (const [name, value] of document) if (name !== "_id") result.set(name, value);
  return result;
}
