/** The operators of updates, each for one place of a document. Source: MongoDB's manual, "Update Operators". */
import type { ByteString } from "../../../protocol/byte-string.js";
import {
  type Bson,
  BsonDate,
  type BsonDocument,
  BsonFault,
  Int32,
  isArray,
  isDocument,
  Timestamp,
} from "../../values/collections/bson.js";
import { type BsonNumber, isNumber, productOf, sumOf } from "../../values/collections/bson-numbers.js";
import { compareBson } from "../../values/collections/bson-order.js";
import { typeOf } from "../../values/collections/bson-type.js";
import { Decimal, decimalOf } from "../../values/collections/decimal.js";
import { type FieldPath, isPlace } from "../../values/collections/index-keys.js";
import { addedToSet, popped, pulled, pulledAll, pushed } from "./array-operators.js";
import { badValue, failedToParse, mismatch, notHere, type Work } from "./mongo-failure.js";
import { putAt, removeAt, valueAt } from "./update-paths.js";
import { wayTo } from "./ways.js";

export interface UpdateContext {
  /** Of the unit; milliseconds since 1970. */
  readonly at: number;
  readonly work: Work;
  /** Whether the document is being made. */
  readonly isInsert: boolean;
}

/** Changes a document at a place. */
export type Change = (document: BsonDocument, path: FieldPath, context: UpdateContext) => void;
/** Looks at an operand before any document is changed. @throws CommandFailure */
type Operator = (operand: Bson, name: ByteString, context: UpdateContext) => Change;

const put =
  (operand: Bson): Change =>
  (document, path, { work }) =>
    putAt(document, path, operand, work);

export const UPDATE_OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["$set", put],
  ["$unset", () => (document, path) => void removeAt(document, path)],
  ["$setOnInsert", (operand, _, { isInsert }) => (isInsert ? put(operand) : () => {})],
  ["$inc", (operand, name) => counted("$inc", operand, name, sumOf, (amount) => amount)],
  ["$mul", (operand, name) => counted("$mul", operand, name, productOf, zeroLike)],
  ["$min", (operand) => chosen(operand, (order) => order < 0)],
  ["$max", (operand) => chosen(operand, (order) => order > 0)],
  ["$currentDate", (operand, _, { at }) => put(dateOf(operand, at))],
  ["$push", (operand, _, { work }) => onArray("$push", pushed(operand, work))],
  ["$addToSet", (operand) => onArray("$addToSet", addedToSet(operand))],
  ["$pull", (operand, _, { work }) => onArrayThere("$pull", pulled(operand, work))],
  ["$pullAll", (operand) => onArrayThere("$pullAll", pulledAll(operand))],
  ["$pop", (operand) => onArrayThere("$pop", popped(operand))],
]);

function counted(
  operator: string,
  operand: Bson,
  name: ByteString,
  combine: (a: BsonNumber, b: BsonNumber) => BsonNumber,
  first: (amount: BsonNumber) => BsonNumber,
): Change {
  const verb = operator === "$inc" ? "increment" : "multiply";
  if (!isNumber(operand))
    throw mismatch(`Cannot ${verb} with non-numeric argument: {${name}: ${typeOf(operand).name}}`);
  return (document, path, { work }) => {
    const old = valueAt(document, path);
    if (old !== undefined && !isNumber(old))
      throw mismatch(
        `Cannot apply ${operator} to a value of non-numeric type: the field '${name}' is of type ${typeOf(old).name}`,
      );
    try {
      putAt(document, path, old === undefined ? first(operand) : combine(old, operand), work);
    } catch (fault) {
      if (fault instanceof BsonFault)
        throw badValue(
          `Failed to apply ${operator} operations to current value of '${name}': ${fault.message}`,
        );
      throw fault;
    }
  };
}

function zeroLike(amount: BsonNumber): BsonNumber {
  if (amount instanceof Int32) return new Int32(0);
  if (amount instanceof Decimal) return decimalOf({ isNegative: false, coefficient: 0n, exponent: 0 });
  return typeof amount === "bigint" ? 0n : 0;
}

function chosen(operand: Bson, isBetter: (order: number) => boolean): Change {
  return (document, path, { work }) => {
    const old = valueAt(document, path);
    if (old === undefined || isBetter(compareBson(operand, old))) putAt(document, path, operand, work);
  };
}

const MILLISECONDS = 1000;

function dateOf(operand: Bson, at: number): Bson {
  const type = isDocument(operand) && operand.size === 1 ? operand.get("$type") : null;
  if (typeof operand === "boolean" || type === "date") return new BsonDate(BigInt(at));
  if (type === "timestamp") return new Timestamp((BigInt(Math.floor(at / MILLISECONDS)) << 32n) | 1n);
  throw badValue("$currentDate takes true, {$type: 'date'} or {$type: 'timestamp'}");
}

function onArray(operator: string, next: (array: readonly Bson[]) => readonly Bson[]): Change {
  return (document, path, { work }) =>
    putAt(document, path, next(arrayIn(document, path, operator) ?? []), work);
}

function onArrayThere(operator: string, next: (array: readonly Bson[]) => readonly Bson[]): Change {
  return (document, path, { work }) => {
    const array = arrayIn(document, path, operator);
    if (array !== undefined) putAt(document, path, next(array), work);
  };
}

function arrayIn(document: BsonDocument, path: FieldPath, operator: string): readonly Bson[] | undefined {
  const old = valueAt(document, path);
  if (old === undefined || isArray(old)) return old;
  throw badValue(
    `The field '${path.join(".")}' must be an array but is of type ${typeOf(old).name} (${operator})`,
  );
}

/** @param from  where the value comes from */
export function renamed(from: FieldPath): Change {
  return (document, path, { work }) => {
    const value = valueAt(document, from);
    if (value === undefined) return;
    for (const way of [from, path]) {
      for (let length = 1; length < way.length; length++)
        if (isArray(valueAt(document, way.slice(0, length))))
          throw badValue(`$rename: the way '${way.join(".")}' goes through an array`);
    }
    removeAt(document, from);
    putAt(document, path, value, work);
  };
}

/** @throws CommandFailure  no field can have the name, or it names elements by what a filter has found */
export function updatePath(name: ByteString): FieldPath {
  const path = wayTo(name);
  for (const part of path) {
    if (part === "") throw failedToParse(`The update path '${name}' contains an empty field name`);
    if (part === "$" || part.startsWith("$["))
      throw notHere(`positional elements are not supported by this server: '${name}'`);
    if (part.startsWith("$"))
      throw badValue(`The dollar ($) prefixed field '${part}' in '${name}' is not allowed`);
  }
  return path;
}

/** Order of ways in an update: by names, elements by their numbers. */
export function comparePaths(a: FieldPath, b: FieldPath): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const [x, y] = [a[i] as ByteString, b[i] as ByteString];
    if (x === y) continue;
    if (isPlace(x) && isPlace(y) && x.length !== y.length) return x.length - y.length;
    return x < y ? -1 : 1;
  }
  return a.length - b.length;
}
