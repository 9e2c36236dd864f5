/** Documents in expressions. Source: MongoDB's manual, "Object Expression Operators". */
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { type Bson, type BsonDocument, isArray, isDocument } from "../../values/bson.js";
import { checkedPath } from "../document-paths.js";
import { compiled, type Operator, type Scope } from "../expressions.js";
import { composed, type Expression, valueIn } from "../long-evaluation.js";
import { MongoFailure, produce } from "../mongo-failure.js";
import {
  arrayIn,
  calculated,
  isNothing,
  kindOf,
  madeArray,
  madeDocument,
  namedOperands,
  ofLarge,
  passed,
  type Value,
} from "./operator.js";

function documentIn(value: Value, name: ByteString, code: number): BsonDocument {
  if (isDocument(value)) return value;
  throw new MongoFailure(code, `${name} requires an object, found: ${kindOf(value)}`);
}

function* merged(values: readonly Value[], scope: Scope, name: ByteString): Generator<void, Value> {
  const [only] = values;
  const { work } = scope;
  const result = new Map<ByteString, Bson>();
  for (const value of values.length === 1 && isArray(only) ? only : values) {
    passed(1, work);
    if (isNothing(value)) continue;
    const document = documentIn(value, name, 40400);
    passed(document.size, work);
    for (const [field, one] of document) result.set(field, one);
    if (work.effort.endsSlice()) yield;
  }

  return madeDocument(result, scope);
}

/** Returns the name of a field, which may begin with `$` if it is in a `$literal`. */
function fieldName(value: Bson, name: ByteString): ByteString {
  const literal = isDocument(value) && value.size === 1 ? value.get("$literal") : undefined;
  const field = literal ?? value;
  if (typeof field !== "string" || (literal === undefined && field.startsWith("$")))
    throw new MongoFailure(4161107, `${name} requires 'field' to evaluate to a constant string`);
  checkedPath([field]);
  return field;
}

const getField: Operator = (operand, scope, name) => {
  const isShort = !isDocument(operand) || operand.has("$literal");
  const spec = isShort ? new Map([["field", operand]]) : namedOperands(operand, name, ["field"], ["input"]);
  const field = fieldName(spec.get("field") as Bson, name);
  return calculated([compiled(spec.get("input") ?? "$$CURRENT", scope)], ([document]) =>
    isDocument(document) ? document.get(field) : isNothing(document) ? null : undefined,
  );
};

const setting =
  (hasValue: boolean): Operator =>
  (operand, scope, name) => {
    const spec = namedOperands(operand, name, hasValue ? ["field", "input", "value"] : ["field", "input"]);
    const field = fieldName(spec.get("field") as Bson, name);
    const input = compiled(spec.get("input") as Bson, scope);
    const value: Expression = hasValue ? compiled(spec.get("value") as Bson, scope) : () => undefined;

    const withField = (document: BsonDocument, one: Value) => {
      const result = new Map(document);
      if (one === undefined) result.delete(field);
      else result.set(field, one);
      return madeDocument(result, scope);
    };

    const now: Expression = (root) => {
      const document = input(root);
      return isNothing(document) ? null : withField(documentIn(document, name, 4161105), value(root));
    };

    return composed([input, value], now, function* (root) {
      const document = yield* valueIn(input, root);
      if (isNothing(document)) return null;
      return withField(documentIn(document, name, 4161105), yield* valueIn(value, root));
    });
  };

/** Number of parts of a pair of a name and a value. */
const PAIR_PARTS = 4;

function* fieldsOf([value]: readonly Value[], scope: Scope, name: ByteString): Generator<void, Value> {
  if (isNothing(value)) return null;
  const pairs: Bson[] = [];
  for (const [k, v] of documentIn(value, name, 40390)) {
    produce(scope.work, PAIR_PARTS);
    passed(1, scope.work, PAIR_PARTS);
    pairs.push(
      new Map<ByteString, Bson>([
        ["k", k],
        ["v", v],
      ]),
    );
    if (scope.work.effort.endsSlice()) yield;
  }

  return madeArray(pairs, scope);
}

function* documentOf([value]: readonly Value[], scope: Scope, name: ByteString): Generator<void, Value> {
  if (isNothing(value)) return null;
  const pairs = arrayIn(value, name, 40386);
  const [first] = pairs;
  if (first !== undefined && !isArray(first) && !isDocument(first))
    throw new MongoFailure(40398, `Unrecognised input type format for ${name}: ${kindOf(first)}`);

  const pairOf = isArray(first) ? listedPair : namedPair;
  const result = new Map<ByteString, Bson>();
  for (const one of pairs) {
    passed(1, scope.work, PAIR_PARTS);
    if (scope.work.effort.endsSlice()) yield;
    const [key, fieldValue] = pairOf(one, name);
    result.set(key, fieldValue);
  }

  return madeDocument(result, scope);
}

/** The name and the value of a field. */
type Pair = readonly [ByteString, Bson];

/** Returns the pair that an array contains. @throws CommandFailure */
function listedPair(pair: Bson, name: ByteString): Pair {
  if (!isArray(pair)) throw inconsistent(40396, name, `Array was detected, now found: ${kindOf(pair)}`);
  const [key, value] = pair;
  if (pair.length !== 2 || value === undefined)
    throw new MongoFailure(
      40397,
      `${name} requires an array of size 2 arrays, found array of size: ${pair.length}`,
    );
  if (typeof key === "string") return [keyName(key, 4940400), value];

  throw new MongoFailure(
    40395,
    `${name} requires an array of key-value pairs, where the key must be of type string. Found key type: ${kindOf(key)}`,
  );
}

/** Returns the pair that the fields `k` and `v` of a document contain. @throws CommandFailure */
function namedPair(pair: Bson, name: ByteString): Pair {
  if (!isDocument(pair)) throw inconsistent(40391, name, `Object was detected, now found: ${kindOf(pair)}`);
  if (pair.size !== 2)
    throw new MongoFailure(
      40392,
      `${name} requires an object keys of 'k' and 'v'. Found incorrect number of keys:${pair.size}`,
    );
  const [key, value] = [pair.get("k"), pair.get("v")];
  if (key === undefined || value === undefined)
    throw new MongoFailure(
      40393,
      `${name} requires an object with keys 'k' and 'v'. Missing either or both keys`,
    );
  if (typeof key === "string") return [keyName(key, 4940401), value];

  throw new MongoFailure(
    40394,
    `${name} requires an object with keys 'k' and 'v', where the value of 'k' must be of type string. Found type: ${kindOf(key)}`,
  );
}

const inconsistent = (code: number, name: ByteString, found: string): MongoFailure =>
  new MongoFailure(
    code,
    `${name} requires a consistent input format. Elements must all be arrays or all be objects. ${found}`,
  );

function keyName(key: ByteString, code: number): ByteString {
  if (key.includes("\0")) throw new MongoFailure(code, "Key field cannot contain an embedded null byte");
  return key;
}

export const objects: Readonly<Record<string, Operator>> = {
  arrayToObject: ofLarge([1, 1], documentOf),
  getField,
  mergeObjects: ofLarge([0, Number.POSITIVE_INFINITY], merged),
  objectToArray: ofLarge([1, 1], fieldsOf),
  setField: setting(true),
  unsetField: setting(false),
};
