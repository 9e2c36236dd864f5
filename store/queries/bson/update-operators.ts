/**
 * Updates of BSON documents, and the operators that only the MDB.* commands have. Source: MongoDB's manual, "Update
 * Operators".
 */
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
import {
  type BsonNumber,
  bigOf,
  isInteger,
  isNumber,
  productOf,
  sumOf,
} from "../../values/collections/bson-numbers.js";
import { compareBson } from "../../values/collections/bson-order.js";
import { typeOf } from "../../values/collections/bson-type.js";
import { Decimal, decimalOf } from "../../values/collections/decimal.js";
import { type FieldPath, isArrayIndex } from "../../values/collections/index-keys.js";
import {
  assignment,
  type Change,
  type ChangeAtPath,
  type UpdateAlgebra,
  type UpdateCall,
} from "../update-compiler.js";
import { type ArrayChange, addedToSet, popped, pulled, pulledAll, pushed } from "./array-operators.js";
import { pathTo } from "./document-paths.js";
import type { Scope } from "./expressions.js";
import { badValue, failedToParse, notImplemented, typeMismatch } from "./mongo-failure.js";
import { unknownName } from "./mongodb-names.js";
import { isPositional, type PositionalElements } from "./positional-elements.js";

export interface UpdateContext extends Scope {
  /** Whether the update inserts the document. */
  readonly isInsert: boolean;
  /**
   * The array elements that the filter matched, and those that `arrayFilters` selects, or null if positional paths are
   * rejected.
   */
  readonly elements: PositionalElements | null;
}

/** $rename: the field receives the value of another field, which is removed. */
export interface Renaming {
  readonly from: FieldPath;
}

export type BsonChange = ChangeAtPath<Bson, FieldPath, Renaming>;
type Call = UpdateCall<Bson, FieldPath>;

const UNCHANGED: Change<Bson> = { makes: false, become: (old) => old };

const RENAME = "$rename";
type Operator = (call: Call, algebra: BsonUpdates, context: UpdateContext) => Change<Bson>;
const OPERATORS: ReadonlyMap<string, Operator> = new Map<string, Operator>([
  ["$setOnInsert", ({ operand }, _, { isInsert }) => (isInsert ? assignment(operand) : UNCHANGED)],
  ["$mul", (call) => ({ makes: true, become: counted(call, "multiply", productOf, zeroLike) })],
  ["$min", ({ operand }) => chosen(operand, (order) => order < 0)],
  ["$max", ({ operand }) => chosen(operand, (order) => order > 0)],
  ["$currentDate", ({ operand }, _, { at }) => assignment(dateOf(operand, at))],
  ["$addToSet", (call, algebra) => ofArray(call, algebra, addedToSet(call.operand), true)],
  ["$pullAll", (call, algebra) => ofArray(call, algebra, pulledAll(call.operand), false)],
  ["$pop", (call, algebra) => ofArray(call, algebra, popped(call.operand), false)],
  ["$bit", (call) => ({ makes: true, become: bits(call) })],
]);

const OPERATOR_NAMES = [...OPERATORS.keys(), RENAME];

export class BsonUpdates implements UpdateAlgebra<Bson, FieldPath, Renaming> {
  readonly operators = OPERATOR_NAMES;
  readonly #context: UpdateContext;

  constructor(context: UpdateContext) {
    this.#context = context;
  }

  unknownOperator(operator: string): Error {
    const about = operator.startsWith("$")
      ? "does not exist"
      : "is not an operator, and a replacement must not contain operators";
    return unknownName("update", operator, failedToParse(`Unknown modifier: ${operator} ${about}`));
  }

  membersOf(_: string, operands: Bson): BsonDocument {
    if (isDocument(operands)) return operands;
    throw failedToParse(`Modifiers operate on fields but we found type ${typeOf(operands).name} instead`);
  }

  pathOf(name: string): FieldPath {
    return updatePath(name, this.#context.elements);
  }

  add(call: Call): (old: Bson | undefined) => Bson {
    return counted(call, "increment", sumOf, (amount) => amount);
  }

  append({ operand }: Call): ArrayChange {
    return pushed(operand, this.#context.work);
  }

  pull({ operand }: Call): ArrayChange {
    return pulled(operand, this.#context.work);
  }

  listOf(value: Bson, { operator, name }: Call): readonly Bson[] {
    if (isArray(value)) return value;
    throw badValue(`The field '${name}' must be an array but is of type ${typeOf(value).name} (${operator})`);
  }

  changesOf(call: Call): readonly BsonChange[] {
    const { operator, path, operand } = call;
    if (operator !== RENAME) {
      const make = OPERATORS.get(operator) as Operator;
      return [{ operator, path, change: make(call, this, this.#context) }];
    }
    if (typeof operand !== "string") throw badValue("The 'to' field for $rename must be a string");
    for (const part of [...path, ...pathTo(operand)])
      if (isPositional(part))
        throw badValue(`The source and target field for $rename must not be dynamic: ${operand}`);
    return [
      { operator, path: updatePath(operand, null), change: { from: path } },
      // This entry makes any other change of the source path a conflict.
      { operator, path, change: UNCHANGED },
    ];
  }
}

/** @param combine throws BsonFault if the result of two integers does not fit in 64 bits */
function counted(
  { operator, operand, name }: Call,
  verb: string,
  combine: (a: BsonNumber, b: BsonNumber) => BsonNumber,
  first: (amount: BsonNumber) => BsonNumber,
): (old: Bson | undefined) => Bson {
  if (!isNumber(operand))
    throw typeMismatch(`Cannot ${verb} with non-numeric argument: {${name}: ${typeOf(operand).name}}`);
  return (old) => {
    if (old === undefined) return first(operand);
    if (!isNumber(old))
      throw typeMismatch(
        `Cannot apply ${operator} to a value of non-numeric type: the field '${name}' is of type ${typeOf(old).name}`,
      );
    try {
      return combine(old, operand);
    } catch (fault) {
      if (!(fault instanceof BsonFault)) throw fault;
      throw badValue(
        `Failed to apply ${operator} operations to current value of '${name}': ${fault.message}`,
      );
    }
  };
}

function zeroLike(amount: BsonNumber): BsonNumber {
  if (amount instanceof Int32) return new Int32(0);
  if (amount instanceof Decimal) return decimalOf({ isNegative: false, coefficient: 0n, exponent: 0 });
  return typeof amount === "bigint" ? 0n : 0;
}

const chosen = (operand: Bson, isBetter: (order: number) => boolean): Change<Bson> => ({
  makes: true,
  become: (old) => (old === undefined || isBetter(compareBson(operand, old)) ? operand : old),
});

const MILLISECONDS = 1000;

function dateOf(operand: Bson, at: number): Bson {
  const type = isDocument(operand) && operand.size === 1 ? operand.get("$type") : null;
  if (typeof operand === "boolean" || type === "date") return new BsonDate(BigInt(at));
  if (type === "timestamp") return new Timestamp((BigInt(Math.floor(at / MILLISECONDS)) << 32n) | 1n);
  throw badValue("$currentDate takes true, {$type: 'date'} or {$type: 'timestamp'}");
}

const ofArray = (call: Call, algebra: BsonUpdates, next: ArrayChange, makes: boolean): Change<Bson> => ({
  makes,
  become: (old) => next(old === undefined ? [] : algebra.listOf(old, call)),
});

/** $bit: combines the bits of 32-bit or 64-bit integers. */
function bits({ operand, name }: Call): (old: Bson | undefined) => Bson {
  const parts = isDocument(operand) ? [...operand] : [];
  if (parts.length === 0) throw badValue(`$bit takes {and, or, xor: integer} for '${name}'`);
  for (const [operation, value] of parts) {
    if (!["and", "or", "xor"].includes(operation))
      throw badValue(`The $bit modifier only supports 'and', 'or', and 'xor', not '${operation}'`);
    if (!isInteger(value))
      throw badValue(`The $bit modifier field must be an Integer (32/64 bit): '${name}'`);
  }
  return (old = new Int32(0)) => {
    if (!isInteger(old))
      throw badValue(
        `Cannot apply $bit to a value of non-integral type: '${name}' is of type ${typeOf(old).name}`,
      );
    let result = bigOf(old);
    let isNarrow = old instanceof Int32;
    for (const [operation, value] of parts as readonly (readonly [string, bigint | Int32])[]) {
      const other = bigOf(value);
      result = operation === "and" ? result & other : operation === "or" ? result | other : result ^ other;
      isNarrow &&= value instanceof Int32;
    }
    return isNarrow ? new Int32(Number(result)) : result;
  };
}

/** @throws CommandFailure if the name is not valid for a field, or names unknown array elements */
function updatePath(name: ByteString, elements: PositionalElements | null): FieldPath {
  const path = pathTo(name);
  for (const [i, part] of path.entries()) {
    if (part === "") throw failedToParse(`The update path '${name}' contains an empty field name`);
    if (isPositional(part)) {
      if (elements === null)
        throw notImplemented(`positional elements are not supported by this server: '${name}'`);
      if (i === 0)
        throw badValue(
          `Cannot have array filter identifier or positional element in the first position in path '${name}'`,
        );
      elements.use(part, name);
    } else if (part.startsWith("$"))
      throw badValue(`The dollar ($) prefixed field '${part}' in '${name}' is not allowed`);
  }
  return path;
}

/** Orders the paths of an update: fields by name, array elements by number. */
export function comparePaths(a: FieldPath, b: FieldPath): number {
  for (let i = 0; i < a.length && i < b.length; i++) {
    const [x, y] = [a[i] as ByteString, b[i] as ByteString];
    if (x === y) continue;
    if (isArrayIndex(x) && isArrayIndex(y) && x.length !== y.length) return x.length - y.length;
    return x < y ? -1 : 1;
  }
  return a.length - b.length;
}
