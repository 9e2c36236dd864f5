/**
 * Operators of DOC.UPDATE, which are those of the MDB.* commands, on entries. Source: docs/json-documents.md "Changing
 * and deleting by condition".
 */
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  isContainer,
  type JsonContainer,
  JsonObject,
  type JsonValue,
  memberValues,
} from "../../../protocol/json/json-value.js";
import { custom, echoed } from "../../arguments/command-errors.js";
import type { EffortBudget } from "../../keyspace/effort-budget.js";
import { seededChoice } from "../../keyspace/seeded-choice.js";
import type { Unit } from "../../keyspace/unit.js";
import { documentOfQuery, operatorsOf } from "../../queries/bson-update.js";
import { uncountedWork, workOf } from "../../queries/mongo-failure.js";
import { PositionalElements } from "../../queries/positional-elements.js";
import { putAt, valueAt } from "../../queries/update-paths.js";
import { type Bson, type BsonDocument, isArray, isDocument } from "../../values/collections/bson.js";
import { type FieldPath, isArrayIndex, pathOf } from "../../values/collections/index-keys.js";
import { withDocumentErrors } from "./entry-conditions.js";
import { containerOf, documentOf } from "./entry-values.js";

/** Maximum nesting of lists and objects in an entry: the depth that a request can contain. */
const DEPTH_MAX = 509;

/** Whether an object consists of operators. */
export function isOperators(value: JsonValue): value is JsonObject {
  return value instanceof JsonObject && value.names[0]?.startsWith("$") === true;
}

/**
 * Checks that an entry containing a value could be read again.
 * @param name the name of the entry's member that contains the value
 * @throws CommandFailure
 */
export function checkDepth(value: JsonValue, name: ByteString): void {
  if (1 + depthOf(value) > DEPTH_MAX)
    throw custom(`ERR '${echoed(name)}' would be more than ${DEPTH_MAX} levels deep`);
}

function depthOf(value: JsonValue): number {
  if (!isContainer(value)) return 0;
  let max = 0;
  for (const one of memberValues(value)) max = Math.max(max, depthOf(one));
  return max + 1;
}

/** The input of an update's operators, in addition to the entry. */
export interface OperatorContext {
  /** The condition of the update, which selects the elements of `$` in paths; empty if there is none. */
  readonly filter: BsonDocument;
  readonly unit: Unit;
  readonly effort: EffortBudget;
}

/** Changes an entry. @throws CommandFailure */
export type EntryUpdate = (entry: JsonContainer) => JsonContainer;

/** Compiles operators. @throws CommandFailure */
export function entryUpdate(operators: JsonObject, context: OperatorContext): EntryUpdate {
  const update = compiled(operators, context, false);
  return (entry) =>
    withDocumentErrors("UPDATE", () =>
      containerOf(update(documentOf(entry)), !(entry instanceof JsonObject)),
    );
}

/** Returns the entry that an upsert creates: the members that must equal a value, changed by operators. */
export function createdBy(operators: JsonObject, context: OperatorContext): JsonContainer {
  const update = compiled(operators, context, true);
  return withDocumentErrors("UPDATE", () =>
    containerOf(update(documentOfQuery(context.filter, workOf(context.effort))), false),
  );
}

function compiled(
  operators: JsonObject,
  { filter, unit, effort }: OperatorContext,
  isInsert: boolean,
): (document: BsonDocument) => BsonDocument {
  const scope = {
    at: unit.at,
    work: workOf(effort),
    choose: seededChoice(unit),
    operators: new Map(),
    variables: new Map(),
  };
  const update = documentOf(operators);
  return withDocumentErrors("UPDATE", () => {
    const elements = new PositionalElements(filter, undefined, scope);
    const apply = operatorsOf(update, { ...scope, isInsert, elements });
    return (document) => {
      exchangeEmpties(document, update);
      return apply(document);
    };
  });
}

const LIST_OPERATORS: readonly ByteString[] = ["$push", "$addToSet", "$pull", "$pullAll", "$pop"];
/** Operators that create no missing member. */
const CREATE_NOTHING: readonly ByteString[] = ["$unset", "$pull", "$pullAll", "$pop", "$rename"];

/**
 * Replaces an empty list on the path of an operator by an empty object, and an empty object by an empty list if the
 * operator changes a list, because PHP writes both in the same way.
 */
function exchangeEmpties(document: BsonDocument, update: BsonDocument): void {
  for (const [operator, fields] of update) {
    if (!isDocument(fields)) continue;
    for (const path of [...fields.keys()].map(pathOf)) {
      for (const [i, name] of path.slice(1).entries())
        if (!CREATE_NOTHING.includes(operator) && !isArrayIndex(name))
          exchangeEmpty(document, path.slice(0, i + 1), isArray, new Map());
      if (LIST_OPERATORS.includes(operator)) exchangeEmpty(document, path, isDocument, []);
    }
  }
}

function exchangeEmpty(
  document: BsonDocument,
  path: FieldPath,
  isOfKind: (value: Bson | undefined) => value is BsonDocument | readonly Bson[],
  empty: Bson,
): void {
  const value = valueAt(document, path);
  if (isOfKind(value) && [...value.keys()].length === 0) putAt(document, path, empty, uncountedWork());
}
