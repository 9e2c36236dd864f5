/** Arrays in expressions. Source: MongoDB's manual, "Array Expression Operators" and "Set Expression Operators". */
import type { ByteString } from "../../../../../protocol/byte-string.js";
import { STEP_ITEMS } from "../../../../../protocol/steps.js";
import { type Bson, Int32, isArray } from "../../values/bson.js";
import { integerOf, isNumber } from "../../values/bson-numbers.js";
import {
  checkVariable,
  compiled,
  type Operator,
  partsOf,
  type Scope,
  type Variable,
} from "../expressions.js";
import { type Expression, long, valueIn, valuesIn } from "../long-evaluation.js";
import { MongoFailure, produce, type Work } from "../mongo-failure.js";
import { checkCount, compareCounted, isLarge, keyCounted, sortedInSlices } from "../value-size.js";
import { isTruth } from "./conditionals.js";
import {
  arrayIn,
  isNothing,
  kindOf,
  madeArray,
  namedOperands,
  ofLarge,
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

/**
 * Returns elements of an array in a new one, and yields at the end of each slice.
 * @param to  the index after the last
 */
function* copied(
  array: readonly Bson[],
  { work }: Scope,
  from = 0,
  to = array.length,
): Generator<void, Bson[]> {
  const copy: Bson[] = [];
  for (let at = Math.max(0, from); at < Math.min(array.length, to); at += STEP_ITEMS) {
    const part = array.slice(at, Math.min(at + STEP_ITEMS, to));
    passed(part.length, work);
    for (const one of part) copy.push(one);
    if (work.effort.endsSlice()) yield;
  }

  return copy;
}

function* slice(
  [value, first, second]: readonly Value[],
  scope: Scope,
  name: ByteString,
): Generator<void, Value> {
  if (isNothing(value) || isNothing(first) || second === null) return null;
  const array = arrayIn(value, name, 28724);
  const start = integerIn(first, name, 28726);
  if (second === undefined) {
    const [from, to] = start < 0 ? [array.length + start, array.length] : [0, start];
    return madeArray(yield* copied(array, scope, from, to), scope);
  }

  const count = integerIn(second, name, 28728);
  if (count <= 0) throw new MongoFailure(28729, "Third argument to $slice must be positive");

  const from = start < 0 ? Math.max(0, array.length + start) : start;
  return madeArray(yield* copied(array, scope, from, from + count), scope);
}

/** Compiles an operator that evaluates an expression for each element of its `input`. */
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
  const { effort } = scope.work;
  return long(function* (root) {
    const [value, max] = yield* valuesIn([input, limit], root);
    if (isNothing(value)) return null;

    const array = arrayIn(value, name, 28651);
    const end = isNothing(max) ? array.length : integerIn(max, name, 327391);
    const passing: Bson[] = [];
    for (const one of array) {
      if (passing.length >= end) break;
      passed(1, scope.work, parts);
      element.value = one;
      if (isTruth(calculate.inSteps === undefined ? calculate(root) : yield* calculate.inSteps(root)))
        passing.push(one);
      if (effort.endsSlice()) yield;
    }

    return madeArray(passing, scope);
  });
};

const map: Operator = (operand, scope, name) => {
  const { input, calculate, element, parts } = forEach(operand, scope, name, "in");
  const { effort } = scope.work;
  return long(function* (root) {
    const value = input.inSteps === undefined ? input(root) : yield* input.inSteps(root);
    if (isNothing(value)) return null;

    const array = arrayIn(value, name, 16883);
    const results: Bson[] = [];
    for (const one of array) {
      passed(1, scope.work, parts);
      element.value = one;
      const result = calculate.inSteps === undefined ? calculate(root) : yield* calculate.inSteps(root);
      results.push(result ?? null);
      if (effort.endsSlice()) yield;
    }

    return madeArray(results, scope);
  });
};

const reduce: Operator = (operand, scope, name) => {
  const spec = namedOperands(operand, name, ["input", "initialValue", "in"]);
  const [element, sum]: [Variable, Variable] = [{ value: undefined }, { value: undefined }];
  const inside = spec.get("in") as Bson;
  const parts = partsOf(inside);
  const [input, first] = ["input", "initialValue"].map((field) =>
    compiled(spec.get(field) as Bson, scope),
  ) as [Expression, Expression];
  const variables = new Map(scope.variables).set("this", element).set("value", sum);
  const calculate = compiled(inside, { ...scope, variables });
  const { effort } = scope.work;
  return long(function* (root) {
    const value = yield* valueIn(input, root);
    if (isNothing(value)) return null;

    const array = arrayIn(value, name, 40080);
    let result = yield* valueIn(first, root);
    for (const one of array) {
      passed(1, scope.work, parts);
      [element.value, sum.value] = [one, result];
      result = calculate.inSteps === undefined ? calculate(root) : yield* calculate.inSteps(root);
      if (effort.endsSlice()) yield;
    }

    return result ?? null;
  });
};

function* range(values: readonly Value[], scope: Scope, name: ByteString): Generator<void, Value> {
  const [start = 0, end = 0, step = 1] = values.map((value) => integerIn(value, name, 34443));
  if (step === 0) throw new MongoFailure(34449, "$range requires a non-zero step value");

  const count = Math.max(0, Math.ceil((end - start) / step));
  checkCount(count);
  const numbers: Bson[] = [];
  for (let i = 0; i < count; i++) {
    passed(1, scope.work);
    numbers.push(new Int32(start + i * step));
    if (i % STEP_ITEMS === 0 && scope.work.effort.endsSlice()) yield;
  }

  return madeArray(numbers, scope);
}

function* joined(values: readonly Value[], scope: Scope, name: ByteString): Generator<void, Value> {
  if (values.some(isNothing)) return null;
  const arrays = values.map((value) => arrayIn(value, name, 28664));
  checkCount(arrays.reduce((sum, { length }) => sum + length, 0));

  const all: Bson[] = [];
  for (const array of arrays) {
    for (const [i, one] of array.entries()) {
      all.push(one);
      if ((i + 1) % STEP_ITEMS !== 0) continue;
      passed(STEP_ITEMS, scope.work);
      if (scope.work.effort.endsSlice()) yield;
    }
  }

  return madeArray(all, scope);
}

/** The values of a set, by their keys. */
type Keyed = ReadonlyMap<ByteString, Bson>;

/** Returns the distinct values of an array, in the order of their first occurrences. */
function* keyed(array: readonly Bson[], work: Work): Generator<void, Keyed> {
  const different = new Map<ByteString, Bson>();
  for (const value of array) {
    passed(1, work, KEYED_PARTS);
    const key = keyCounted(value, work);
    if (!different.has(key)) different.set(key, value);
    if (work.effort.endsSlice()) yield;
  }
  produce(work, different.size);
  return different;
}
/** Cost of the key of a value, in parts of an expression. */
const KEYED_PARTS = 4;

/** Returns values, sorted, so that the result does not depend on how a set is stored. */
function* ordered(set: Keyed, scope: Scope): Generator<void, Value> {
  const values = [...set.values()];
  const { work } = scope;
  passed(values.length, work, 32 - Math.clz32(values.length));
  return madeArray(yield* sortedInSlices(values, work, (a, b) => compareCounted(a, b, work), isLarge), scope);
}

/** Returns an operator on sets; for null or a missing value it returns null. */
const ofSets = (
  range: readonly [number, number],
  calculate: (sets: readonly Keyed[], scope: Scope) => Generator<void, Value>,
  ofNothing: "null" | "error" = "null",
): Operator =>
  ofLarge(range, function* (values, scope, name) {
    if (ofNothing === "null" && values.some(isNothing)) return null;
    const sets: Keyed[] = [];
    for (const array of values.map((value) => arrayIn(value, name, 17043)))
      sets.push(yield* keyed(array, scope.work));
    return yield* calculate(sets, scope);
  });

/** Returns the members of the first set whose presence in each of the remaining sets is `isIn`. */
function* compared(
  [first, ...others]: readonly Keyed[],
  isIn: boolean,
  { work }: Scope,
): Generator<void, Map<ByteString, Bson>> {
  const members = new Map<ByteString, Bson>();
  for (const [key, value] of first ?? []) {
    passed(others.length, work);
    if (others.every((other) => other.has(key) === isIn)) members.set(key, value);
    if (work.effort.endsSlice()) yield;
  }

  return members;
}

/** Whether an element counts as true, or as false. */
function* hasElement(array: readonly Bson[], { work }: Scope, wanted: boolean): Generator<void, boolean> {
  for (const one of array) {
    passed(1, work);
    if (isTruth(one) === wanted) return true;
    if (work.effort.endsSlice()) yield;
  }
  return false;
}

/** Returns the index of the first element that equals a value; -1 if there is none. */
function* indexOf(
  array: readonly Bson[],
  value: Value,
  work: Work,
  from = 0,
  to = array.length,
): Generator<void, number> {
  for (let i = Math.max(0, from); i < Math.min(array.length, to); i++) {
    passed(1, work);
    if (compareCounted(array[i], value, work) === 0) return i;
    if (work.effort.endsSlice()) yield;
  }
  return -1;
}

export const arrays: Readonly<Record<string, Operator>> = {
  allElementsTrue: ofLarge([1, 1], function* ([value], scope, name) {
    return !(yield* hasElement(arrayIn(value, name, 17040), scope, false));
  }),
  anyElementTrue: ofLarge([1, 1], function* ([value], scope, name) {
    return yield* hasElement(arrayIn(value, name, 17041), scope, true);
  }),
  arrayElemAt: ofValues([2, 2], ([value, index], _, name) => elementAt(value, index, name)),
  concatArrays: ofLarge([0, Number.POSITIVE_INFINITY], joined),
  filter,
  first: ofOne((value, _, name) => elementAt(value, new Int32(0), name)),
  in: ofLarge([2, 2], function* ([value, list], { work }, name) {
    return (yield* indexOf(arrayIn(list, name, 40081), value, work)) >= 0;
  }),
  indexOfArray: ofLarge([2, 4], function* ([list, value, start, end], { work }, name) {
    if (isNothing(list)) return null;
    const array = arrayIn(list, name, 40090);
    const from = start === undefined ? 0 : integerIn(start, name, 40096);
    const to = end === undefined ? array.length : integerIn(end, name, 40096);
    return new Int32(yield* indexOf(array, value, work, from, to));
  }),
  last: ofOne((value, _, name) => elementAt(value, new Int32(-1), name)),
  map,
  range: ofLarge([2, 3], range),
  reduce,
  reverseArray: ofLarge([1, 1], function* ([value], scope, name) {
    return isNothing(value)
      ? null
      : madeArray((yield* copied(arrayIn(value, name, 34435), scope)).reverse(), scope);
  }),
  setDifference: ofSets([2, 2], function* (sets, scope) {
    return madeArray([...(yield* compared(sets, false, scope)).values()], scope);
  }),
  setEquals: ofSets(
    [2, Number.POSITIVE_INFINITY],
    function* (sets, scope) {
      const [first, ...others] = sets;
      if (others.some(({ size }) => size !== first?.size)) return false;
      return (yield* compared(sets, true, scope)).size === first?.size;
    },
    "error",
  ),
  setIntersection: ofSets([0, Number.POSITIVE_INFINITY], function* (sets, scope) {
    return yield* ordered(yield* compared(sets, true, scope), scope);
  }),
  setIsSubset: ofSets(
    [2, 2],
    function* (sets, scope) {
      return (yield* compared(sets, true, scope)).size === sets[0]?.size;
    },
    "error",
  ),
  setUnion: ofSets([0, Number.POSITIVE_INFINITY], function* (sets, scope) {
    const union = new Map<ByteString, Bson>();
    for (const set of sets)
      for (const [key, value] of set) {
        passed(1, scope.work);
        if (!union.has(key)) union.set(key, value);
        if (scope.work.effort.endsSlice()) yield;
      }
    return yield* ordered(union, scope);
  }),
  size: ofOne((value) => {
    if (isArray(value)) return new Int32(value.length);
    throw new MongoFailure(
      17124,
      `The argument to $size must be an array, but was of type: ${kindOf(value)}`,
    );
  }),
  slice: ofLarge([2, 3], slice),
};
