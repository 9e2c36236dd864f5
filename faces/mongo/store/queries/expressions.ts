/**
 * Expressions of stages, of `$expr` and of updates by a pipeline: field paths, literal values and operators.
 * Source: MongoDB's manual, "Aggregation Expressions".
 */

import type { ByteString } from "../../../../protocol/byte-string.js";
import { type Bson, BsonDate, type BsonDocument, isArray, isDocument } from "../values/bson.js";
import { checkedPath, isRefusedName } from "./document-paths.js";
import { composed, type Expression, valueIn, valuesIn, withinSlice } from "./long-evaluation.js";
import { badValue, failedToParse, MongoFailure, produce, spend, type Work } from "./mongo-failure.js";
import { unknownName } from "./mongodb-names.js";
import { measured } from "./value-size.js";

/** Compiles one use of an operator. @throws CommandFailure */
export type Operator = (operand: Bson, scope: Scope, name: ByteString) => Expression;

/** A variable. It has a value while its expression is evaluated. */
export interface Variable {
  value: Bson | undefined;
}

/** The context in which expressions are compiled. */
export interface Scope {
  /** Date of the unit, in milliseconds since 1970. */
  readonly at: number;
  readonly work: Work;
  /**
   * Returns an integer that is at least 0 and less than its argument. The choices follow from the unit's id, so they
   * are the same on each daemon.
   */
  readonly choose: (below: number) => number;
  readonly operators: ReadonlyMap<ByteString, Operator>;
  readonly variables: ReadonlyMap<ByteString, Variable>;
}

/** Maximum number of parts in the expressions of one command. */
const PARTS_MAX = 10_000;
/** Number of parts that cost as much as checking one document; a power of two, so fractions add up exactly. */
export const PARTS_PER_UNIT = 16;

/**
 * Compiles an expression and counts the work of its evaluation.
 * @throws CommandFailure if an operator or a variable does not exist
 */
export function expressionOf(value: Bson, scope: Scope): Expression {
  const parts = partsOf(value);
  if (parts > PARTS_MAX) throw badValue(`an expression has at most ${PARTS_MAX} parts`);
  const whole = compiled(value, scope);
  const { inSteps } = whole;
  const { work } = scope;
  const calculate = inSteps === undefined || !work.effort.hasSlices ? whole : withinSlice({ inSteps });
  return (root) => {
    spend(work, parts / PARTS_PER_UNIT);
    return calculate(root);
  };
}

/** Calculates the variables of `let`, whose values must not depend on a document, in steps. @throws CommandFailure */
export function* withVariables<S extends Scope>(
  definitions: BsonDocument | undefined,
  scope: S,
): Generator<void, S> {
  if (definitions === undefined || definitions.size === 0) return scope;
  const variables = new Map(scope.variables);
  for (const [name, value] of definitions) {
    checkVariable(name);
    variables.set(name, { value: (yield* valueIn(compiled(value, scope), new Map())) ?? null });
  }
  return { ...scope, variables };
}

/** @throws CommandFailure if the name is not valid for a variable */
export function checkVariable(name: ByteString): void {
  if (!/^[a-z\x80-\xff][\w\x80-\xff]*$/.test(name))
    throw failedToParse(`'${name}' starts with an invalid character for a user variable name`);
}

export function partsOf(value: Bson): number {
  let parts = 1;
  if (isArray(value)) for (const one of value) parts += partsOf(one);
  else if (isDocument(value)) for (const one of value.values()) parts += partsOf(one);
  return parts;
}

/** Compiles a part of an expression; the complete expression counts its work. @throws CommandFailure */
export function compiled(value: Bson, scope: Scope): Expression {
  if (typeof value === "string" && value.startsWith("$")) return pathOf(value, scope);
  if (isArray(value)) {
    const items = value.map((one) => compiled(one, scope));
    return composed(
      items,
      (root) => measured(items.map((item) => item(root) ?? null)),
      function* (root) {
        return measured((yield* valuesIn(items, root)).map((item) => item ?? null));
      },
    );
  }
  if (!isDocument(value)) return () => value;

  const [first = ""] = value.keys();
  if (first.startsWith("$")) return called(first, value, scope);

  return documentOf(value, scope);
}

/** Compiles a document whose fields are expressions. @throws CommandFailure */
function documentOf(value: BsonDocument, scope: Scope): Expression {
  const names = [...value.keys()];
  for (const name of names)
    if (name.includes(".") || name.startsWith("$"))
      throw new MongoFailure(16412, `a field of an expression cannot be named '${name}'`);

  const fields = [...value.values()].map((one) => compiled(one, scope));
  const documentWith = (values: readonly (Bson | undefined)[]) => {
    const result = new Map<ByteString, Bson>();
    for (const [i, one] of values.entries()) if (one !== undefined) result.set(names[i] as ByteString, one);
    return measured(result);
  };

  return composed(
    fields,
    (root) => documentWith(fields.map((field) => field(root))),
    function* (root) {
      return documentWith(yield* valuesIn(fields, root));
    },
  );
}

function called(name: ByteString, value: BsonDocument, scope: Scope): Expression {
  if (value.size > 1)
    throw new MongoFailure(
      15983,
      "an object representing an expression must have exactly one field, its operator",
    );
  const operand = value.get(name) as Bson;
  if (name === "$literal") return () => operand;
  const operator = scope.operators.get(name);
  if (operator !== undefined) return operator(operand, scope, name);
  throw unknownName("expression", name, new MongoFailure(168, `Unrecognized expression '${name}'`));
}

function pathOf(text: ByteString, { at, variables, work }: Scope): Expression {
  const parts = text.slice(1).split(".");
  if (!text.startsWith("$$")) return along(checked(parts, text), work);
  const [variable = "", ...path] = parts;
  if (variable === "$ROOT" || variable === "$CURRENT") return along(checked(path, text), work);
  if (variable === "$NOW" && path.length === 0) return () => new BsonDate(BigInt(at));
  if (variable === "$REMOVE" && path.length === 0) return () => undefined;
  const binding = variables.get(variable.slice(1));
  if (binding === undefined) throw new MongoFailure(17276, `Use of undefined variable: ${variable.slice(1)}`);
  const names = checked(path, text);
  return () => valueAlong(binding.value, names, 0, work);
}

function checked(parts: readonly ByteString[], text: ByteString): readonly ByteString[] {
  for (const part of checkedPath(parts)) {
    if (part === "") throw new MongoFailure(15998, `'${text}' is not a path to a field: a name is empty`);
    if (isRefusedName(part)) throw new MongoFailure(16410, `'${text}': a name may not start with $`);
  }
  return parts;
}

const along =
  (parts: readonly ByteString[], work: Work): Expression =>
  (root) =>
    valueAlong(root, parts, 0, work);

/** Follows a path; in an array it continues in each document, and numbers do not select elements. */
function valueAlong(
  value: Bson | undefined,
  parts: readonly ByteString[],
  at: number,
  work: Work,
): Bson | undefined {
  if (at === parts.length) return value;
  if (isDocument(value)) return valueAlong(value.get(parts[at] as ByteString), parts, at + 1, work);
  if (!isArray(value)) return undefined;

  spend(work, value.length / PARTS_PER_UNIT);
  produce(work, value.length);

  const found: Bson[] = [];
  for (const one of value) {
    // Elements that are neither documents nor arrays have no value at the path.
    const inner = isDocument(one) || isArray(one) ? valueAlong(one, parts, at, work) : undefined;
    if (inner !== undefined) found.push(inner);
  }

  return measured(found);
}
