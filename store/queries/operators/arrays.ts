/** Arrays in expressions. Source: MongoDB's manual, "Array Expression Operators" and "Set Expression Operators". */
import type { ByteString } from "../../../protocol/byte-string.js";
import { type Bson, Int32, isArray } from "../../values/collections/bson.js";
import { integerOf, isNumber } from "../../values/collections/bson-numbers.js";
import { compareBson, keyOf } from "../../values/collections/bson-order.js";
import {
  checkVariable,
  compiled,
  type Operator,
  partsOf,
  type Scope,
  type Variable,
} from "../expressions.js";
import { MongoFailure } from "../mongo-failure.js";
import { isTruth } from "./conditionals.js";
import {
  arrayIn,
  isNothing,
  kindOf,
  madeArray,
  namedOperands,
  ofOne,
  ofValues,
  passed,
  type Value,
} from "./operator.js";

function integerIn(value: Value, name: ByteString, code: number): number {
  const integer = isNumber(value) ? integerOf(value) : undefined;
  if (integer === undefined || BigInt.asIntN(32, integer) !== integer)
    throw new MongoFailure(code, `${name} requires an integer of 32 bits, found: ${kindOf(value)}`);
  return Number(integer);
}

/** Returns an element of an array; null for null or a missing value. @param index if negative, counted from the end */
function elementAt(value: Value, index: Value, name: ByteString): Value {
  if (isNothing(value) || isNothing(index)) return null;
  return arrayIn(value, name, 28689).at(integerIn(index, name, 28691));
}

function slice([value, first, second]: readonly Value[], scope: Scope, name: ByteString): Value {
  if (isNothing(value) || isNothing(first) || second === null) return null;
  const array = arrayIn(value, name, 28724);
  const start = integerIn(first, name, 28726);
  if (second === undefined) return madeArray(start < 0 ? array.slice(start) : array.slice(0, start), scope);
  const count = integerIn(second, name, 28728);
  if (count <= 0) throw new MongoFailure(28729, "Third argument to $slice must be positive");
  const from = start < 0 ? Math.max(0, array.length + start) : start;
  return madeArray(array.slice(from, from + count), scope);
}

/** Returns an operator that evaluates an expression for each element of its `input`. */
function forEach(operand: Bson, scope: Scope, name: ByteString, body: "cond" | "in") {
  const spec = namedOperands(operand, name, ["input", body], ["as", ...(body === "cond" ? ["limit"] : [])]);
  const as = spec.get("as") ?? "this";
  if (typeof as !== "string") throw new MongoFailure(9, `${name}: 'as' must be a string`);
  checkVariable(as);
  const element: Variable = { value: undefined };
  const inside = spec.get(body) as Bson;
  const input = compiled(spec.get("input") as Bson, scope);
  const calculate = compiled(inside, { ...scope, variables: new Map(scope.variables).set(as, element) });
  return { spec, input, calculate, element, parts: partsOf(inside) };
}

const filter: Operator = (operand, scope, name) => {
  const { spec, input, calculate, element, parts } = forEach(operand, scope, name, "cond");
  const limit = compiled(spec.get("limit") ?? null, scope);
  return (root) => {
    const [value, max] = [input(root), limit(root)];
    if (isNothing(value)) return null;
    const array = arrayIn(value, name, 28651);
    passed(array.length, scope.work, parts);
    const end = isNothing(max) ? array.length : integerIn(max, name, 327391);
    const passing: Bson[] = [];
    for (const one of array) {
      if (passing.length >= end) break;
      element.value = one;
      if (isTruth(calculate(root))) passing.push(one);
    }
    return madeArray(passing, scope);
  };
};

const map: Operator = (operand, scope, name) => {
  const { input, calculate, element, parts } = forEach(operand, scope, name, "in");
  return (root) => {
    const value = input(root);
    if (isNothing(value)) return null;
    const array = arrayIn(value, name, 16883);
    passed(array.length, scope.work, parts);
    const results = array.map((one) => {
      element.value = one;
      return calculate(root) ?? null;
    });
    return madeArray(results, scope);
  };
};

const reduce: Operator = (operand, scope, name) => {
  const spec = namedOperands(operand, name, ["input", "initialValue", "in"]);
  const [element, sum]: [Variable, Variable] = [{ value: undefined }, { value: undefined }];
  const inside = spec.get("in") as Bson;
  const parts = partsOf(inside);
  const [input, first] = [spec.get("input"), spec.get("initialValue")].map((one) =>
    compiled(one as Bson, scope),
  );
  const variables = new Map(scope.variables).set("this", element).set("value", sum);
  const calculate = compiled(inside, { ...scope, variables });
  return (root) => {
    const value = input?.(root);
    if (isNothing(value)) return null;
    const array = arrayIn(value, name, 40080);
    passed(array.length, scope.work, parts);
    let result = first?.(root);
    for (const one of array) {
      [element.value, sum.value] = [one, result];
      result = calculate(root);
    }
    return result ?? null;
  };
};

function range(values: readonly Value[], scope: Scope, name: ByteString): Value {
  const [start = 0, end = 0, step = 1] = values.map((value) => integerIn(value, name, 34443));
  if (step === 0) throw new MongoFailure(34449, "$range requires a non-zero step value");
  const count = Math.max(0, Math.ceil((end - start) / step));
  passed(count, scope.work);
  return madeArray(
    Array.from({ length: Math.min(count, RANGE_MAX + 1) }, (_, i) => new Int32(start + i * step)),
    scope,
  );
}
/** Maximum length of a range, checked before the array is created. */
const RANGE_MAX = 5_000_000;

function joined(values: readonly Value[], scope: Scope, name: ByteString): Value {
  if (values.some(isNothing)) return null;
  return madeArray(
    values.flatMap((value) => [...arrayIn(value, name, 28664)]),
    scope,
  );
}

/** Returns the distinct values of arrays, sorted, so that the result does not depend on how a set is stored. */
const setOf = (values: Iterable<Bson>): readonly Bson[] => {
  const different = new Map<ByteString, Bson>();
  for (const value of values) if (!different.has(keyOf(value))) different.set(keyOf(value), value);
  return [...different.values()].sort(compareBson);
};

/** Returns an operator on sets; for null or a missing value it returns null. */
const ofSets = (
  range: readonly [number, number],
  calculate: (sets: readonly (readonly Bson[])[], keys: readonly ReadonlySet<ByteString>[]) => Bson,
  ofNothing: "null" | "error" = "null",
): Operator =>
  ofValues(range, (values, scope, name) => {
    if (ofNothing === "null" && values.some(isNothing)) return null;
    const sets = values.map((value) => arrayIn(value, name, 17043));
    for (const { length } of sets) passed(length, scope.work, 2);
    return calculate(
      sets,
      sets.map((set) => new Set(set.map(keyOf))),
    );
  });

export const arrays: Readonly<Record<string, Operator>> = {
  allElementsTrue: ofOne((value, _, name) => arrayIn(value, name, 17040).every(isTruth)),
  anyElementTrue: ofOne((value, _, name) => arrayIn(value, name, 17041).some(isTruth)),
  arrayElemAt: ofValues([2, 2], ([value, index], _, name) => elementAt(value, index, name)),
  concatArrays: ofValues([0, Number.POSITIVE_INFINITY], joined),
  filter,
  first: ofOne((value, _, name) => elementAt(value, new Int32(0), name)),
  in: ofValues([2, 2], ([value, list], scope, name) => {
    const array = arrayIn(list, name, 40081);
    passed(array.length, scope.work);
    return array.some((one) => compareBson(one, value) === 0);
  }),
  indexOfArray: ofValues([2, 4], ([list, value, start, end], scope, name) => {
    if (isNothing(list)) return null;
    const array = arrayIn(list, name, 40090);
    passed(array.length, scope.work);
    const from = start === undefined ? 0 : integerIn(start, name, 40096);
    const to = end === undefined ? array.length : integerIn(end, name, 40096);
    return new Int32(array.findIndex((one, i) => i >= from && i < to && compareBson(one, value) === 0));
  }),
  last: ofOne((value, _, name) => elementAt(value, new Int32(-1), name)),
  map,
  range: ofValues([2, 3], range),
  reduce,
  reverseArray: ofOne((value, scope, name) =>
    isNothing(value) ? null : madeArray([...arrayIn(value, name, 34435)].reverse(), scope),
  ),
  setDifference: ofSets([2, 2], ([a = []], [, b]) =>
    [...new Map(a.map((one) => [keyOf(one), one])).values()].filter((one) => b?.has(keyOf(one)) === false),
  ),
  setEquals: ofSets(
    [2, Number.POSITIVE_INFINITY],
    (_, [first, ...others]) =>
      others.every((one) => one.size === first?.size && [...one].every((key) => first.has(key))),
    "error",
  ),
  setIntersection: ofSets([0, Number.POSITIVE_INFINITY], ([first = []], [, ...others]) =>
    setOf(first.filter((one) => others.every((keys) => keys.has(keyOf(one))))),
  ),
  setIsSubset: ofSets([2, 2], (_, [a, b]) => [...(a ?? [])].every((key) => b?.has(key) === true), "error"),
  setUnion: ofSets([0, Number.POSITIVE_INFINITY], (sets) => setOf(sets.flat())),
  size: ofOne((value) => {
    if (isArray(value)) return new Int32(value.length);
    throw new MongoFailure(
      17124,
      `The argument to $size must be an array, but was of type: ${kindOf(value)}`,
    );
  }),
  slice: ofValues([2, 3], slice),
};
