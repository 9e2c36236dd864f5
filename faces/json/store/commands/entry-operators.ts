/**
 * Operators of DOC.UPDATE, which are those of the MDB.* commands, on entries. Source: docs/json-documents.md "Changing
 * and deleting by condition".
 */

import { custom, echoed } from "../../../../daemon/store/arguments/command-errors.js";
import type { EffortBudget } from "../../../../daemon/store/keyspace/effort-budget.js";
import { seededChoice } from "../../../../daemon/store/keyspace/seeded-choice.js";
import type { Unit } from "../../../../daemon/store/keyspace/unit.js";
import type { ByteString } from "../../../../protocol/byte-string.js";
import {
  isContainer,
  type JsonContainer,
  JsonObject,
  type JsonValue,
  memberValues,
} from "../../../../protocol/json/json-value.js";
import { documentOfQuery, operatorsOf } from "../../../mongo/store/queries/bson-update.js";
import { type CommandCost, workOf } from "../../../mongo/store/queries/command-cost.js";
import type { Scope } from "../../../mongo/store/queries/expressions.js";
import { isPositional, PositionalElements } from "../../../mongo/store/queries/positional-elements.js";
import { replaceAlong } from "../../../mongo/store/queries/update-paths.js";
import { type BsonDocument, isArray, isDocument } from "../../../mongo/store/values/bson.js";
import { type FieldPath, isArrayIndex, pathOf } from "../../../mongo/store/values/field-path.js";
import { ENTRY_DEPTH_MAX } from "./document-entries.js";
import { withDocumentErrors } from "./entry-conditions.js";
import { containerOf, documentOf } from "./entry-values.js";

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
  if (1 + depthOf(value) > ENTRY_DEPTH_MAX)
    throw custom(`ERR '${echoed(name)}' would be more than ${ENTRY_DEPTH_MAX} levels deep`);
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
    containerOf(update(documentOfQuery(context.filter, scopeOf(context))), false),
  );
}

const scopeOf = ({ unit, effort }: OperatorContext): Scope => ({
  at: unit.at,
  work: workOf(effort),
  choose: seededChoice(unit),
  operators: new Map(),
  variables: new Map(),
});

function compiled(
  operators: JsonObject,
  context: OperatorContext,
  isInsert: boolean,
): (document: BsonDocument) => BsonDocument {
  const { filter } = context;
  const scope = scopeOf(context);
  const update = documentOf(operators);
  return withDocumentErrors("UPDATE", () => {
    const elements = new PositionalElements(filter, undefined, scope);
    const apply = operatorsOf(update, { ...scope, isInsert, allowsDollars: false, elements });
    const paths = pathsOf(update, isInsert);
    return (document) => {
      for (const path of paths) exchangeEmpties(document, path, scope.work);
      return apply(document);
    };
  });
}

const LIST_OPERATORS: readonly ByteString[] = ["$push", "$addToSet", "$pull", "$pullAll", "$pop"];
/** Operators that create no missing member. */
const CREATE_NOTHING: readonly ByteString[] = ["$unset", "$pull", "$pullAll", "$pop", "$rename"];

/** A path of an operator, on which empty lists and objects are exchanged. */
interface OperatorPath {
  readonly path: FieldPath;
  /** Whether the operator creates missing members on the path. */
  readonly creates: boolean;
  /** Whether the operator changes a list at the end of the path. */
  readonly changesList: boolean;
}

function pathsOf(update: BsonDocument, isInsert: boolean): readonly OperatorPath[] {
  return [...update].flatMap(([operator, fields]) => {
    const creates = operator === "$setOnInsert" ? isInsert : !CREATE_NOTHING.includes(operator);
    const changesList = LIST_OPERATORS.includes(operator);
    const names = isDocument(fields) ? [...fields.keys()] : [];
    return names.map((name) => ({ path: pathOf(name), creates, changesList }));
  });
}

/**
 * Replaces an empty list on the path of an operator by an empty object, and an empty object by an empty list if the
 * operator changes a list, because PHP writes both in the same way.
 */
function exchangeEmpties(
  document: BsonDocument,
  { path, creates, changesList }: OperatorPath,
  work: CommandCost,
) {
  replaceAlong(
    document,
    path,
    (value, next) => {
      if (next === undefined) return changesList && isDocument(value) && value.size === 0 ? [] : undefined;
      const isMember = !isArrayIndex(next) && !isPositional(next);
      return creates && isMember && isArray(value) && value.length === 0 ? new Map() : undefined;
    },
    work,
  );
}
