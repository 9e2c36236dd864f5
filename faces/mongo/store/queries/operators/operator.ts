/** Functions that operators of expressions share: their operands, and counting their work. */
import type { ByteString } from "../../../../../protocol/byte-string.js";
import {
  type Bson,
  type BsonDocument,
  DOCUMENT_BYTES_MAX,
  isArray,
  isDocument,
  typeOf,
} from "../../values/bson.js";
import { compiled, type Operator, PARTS_PER_UNIT, type Scope } from "../expressions.js";
import { composed, type Expression, long, valuesIn } from "../long-evaluation.js";
import { failedToParse, MongoFailure, produce, spend, type Work } from "../mongo-failure.js";
import { measured } from "../value-size.js";

export type Value = Bson | undefined;

export const isNothing = (value: Value): value is null | undefined => value === undefined || value === null;

/** Number of bytes whose creation costs as much as checking one document. */
const BYTES_PER_UNIT = 256;

/** Compiles an operator's operands: a list, or a single one. @throws CommandFailure if there are too few or too many */
export function operandsOf(
  operand: Bson,
  scope: Scope,
  name: ByteString,
  [min, max]: readonly [number, number],
): readonly Expression[] {
  const operands = isArray(operand) ? operand : [operand];
  if (operands.length < min || operands.length > max) {
    const expected = min === max ? `exactly ${min}` : `${min} to ${max}`;
    throw new MongoFailure(
      16020,
      `Expression ${name} takes ${expected} arguments. ${operands.length} were passed in.`,
    );
  }

  return operands.map((one) => compiled(one, scope));
}

/** Calculates with the values of operands. */
export type Calculation = (values: readonly Value[], scope: Scope, name: ByteString) => Value;
/** Calculates with the values of operands, and yields at the end of each slice. */
export type LongCalculation = (
  values: readonly Value[],
  scope: Scope,
  name: ByteString,
) => Generator<void, Value>;

/** Returns an expression that calculates with the values of its operands. */
export const calculated = (operands: readonly Expression[], calculate: (values: readonly Value[]) => Value) =>
  composed(
    operands,
    (root) => calculate(operands.map((one) => one(root))),
    function* (root) {
      return calculate(yield* valuesIn(operands, root));
    },
  );

/** Returns an operator that calculates with the values of its operands. */
export const ofValues =
  (range: readonly [number, number], calculate: Calculation): Operator =>
  (operand, scope, name) =>
    calculated(operandsOf(operand, scope, name, range), (values) => calculate(values, scope, name));

/** Returns an operator whose calculation may take long, because the values of its operands may be large. */
export const ofLarge =
  (range: readonly [number, number], calculate: LongCalculation): Operator =>
  (operand, scope, name) => {
    const operands = operandsOf(operand, scope, name, range);
    return long(function* (root) {
      const values: Value[] = [];
      for (const one of operands)
        values.push(one.inSteps === undefined ? one(root) : yield* one.inSteps(root));
      return yield* calculate(values, scope, name);
    });
  };

/** Returns an operator on one value. */
export const ofOne = (calculate: (value: Value, scope: Scope, name: ByteString) => Value): Operator =>
  ofValues([1, 1], ([value], scope, name) => calculate(value, scope, name));

/** Returns the fields of an operand with named fields. @throws CommandFailure */
export function namedOperands(
  operand: Bson,
  name: ByteString,
  required: readonly string[],
  optional: readonly string[] = [],
): BsonDocument {
  if (!isDocument(operand)) throw failedToParse(`${name} only supports an object as its argument`);
  for (const field of operand.keys())
    if (!required.includes(field) && !optional.includes(field))
      throw failedToParse(`${name} found an unknown argument: ${field}`);

  for (const field of required)
    if (!operand.has(field)) throw failedToParse(`${name} requires '${field}' to be specified`);
  return operand;
}

/** Counts a text that was created. @throws CommandFailure if it is too long */
export function madeText(text: ByteString, { work }: Scope): ByteString {
  if (text.length > DOCUMENT_BYTES_MAX)
    throw new MongoFailure(10334, `a text of ${text.length} bytes; ${DOCUMENT_BYTES_MAX} at most`);
  produce(work, 0, text.length);
  spend(work, Math.floor(text.length / BYTES_PER_UNIT));
  return text;
}

/** Counts the elements of an array that an operator visits. @param parts number of parts evaluated for each element */
export function passed(count: number, work: Work, parts = 1): void {
  spend(work, (count * parts) / PARTS_PER_UNIT);
}

/** Counts an array that was created. @throws CommandFailure if it is larger than a document may be */
export function madeArray<T extends readonly Bson[]>(array: T, { work }: Scope): T {
  produce(work, array.length);
  passed(array.length, work);
  return measured(array);
}

/** Counts a document that was created. @throws CommandFailure if it is larger than a document may be */
export function madeDocument<T extends BsonDocument>(document: T, { work }: Scope): T {
  produce(work, document.size);
  passed(document.size, work);
  return measured(document);
}

/** Returns the name of a value's type for an error. */
export const kindOf = (value: Value): string => (value === undefined ? "missing" : typeOf(value).name);

/** @throws CommandFailure if the value is not a string */
export function textIn(value: Value, name: ByteString, code = 16702): ByteString {
  if (typeof value === "string") return value;
  throw new MongoFailure(code, `${name} requires a string, found: ${kindOf(value)}`);
}

/** @throws CommandFailure if the value is not an array */
export function arrayIn(value: Value, name: ByteString, code = 28664): readonly Bson[] {
  if (isArray(value)) return value;
  throw new MongoFailure(code, `the argument of ${name} must be an array, but is of type: ${kindOf(value)}`);
}
