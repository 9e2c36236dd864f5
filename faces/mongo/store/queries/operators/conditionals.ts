/** Comparisons, conditions and variables in expressions. Source: MongoDB's manual, "Expression Operators". */

import { type Bson, type BsonDocument, Int32, isArray, isDocument } from "../../values/bson.js";
import { isTrue } from "../command-fields.js";
import { checkVariable, compiled, type Operator, type Variable } from "../expressions.js";
import { composed, type Expression, valueIn, valuesIn } from "../long-evaluation.js";
import { failedToParse, MongoFailure } from "../mongo-failure.js";
import { compareCounted } from "../value-size.js";
import { isNothing, namedOperands, ofOne, ofValues, operandsOf, type Value } from "./operator.js";

const ANY: readonly [number, number] = [0, Number.POSITIVE_INFINITY];

const compares = (passes: (order: number) => boolean): Operator =>
  ofValues([2, 2], ([a, b], { work }) => passes(compareCounted(a, b, work)));

/** Whether a value counts as true in a condition. */
export const isTruth = (value: Value): boolean => value !== undefined && isTrue(value);

/** Returns an operator that evaluates operands until one is `end`, which is then the result. */
const until =
  (end: boolean): Operator =>
  (operand, scope, name) => {
    const parts = operandsOf(operand, scope, name, ANY);
    return composed(
      parts,
      (root) => parts.some((part) => isTruth(part(root)) === end) === end,
      function* (root) {
        for (const part of parts) if (isTruth(yield* valueIn(part, root)) === end) return end;
        return !end;
      },
    );
  };

const cond: Operator = (operand, scope, name) => {
  const operands = isDocument(operand)
    ? ["if", "then", "else"].map(
        (field) => namedOperands(operand, name, ["if", "then", "else"]).get(field) as Bson,
      )
    : operand;
  const [condition, then, otherwise] = operandsOf(operands, scope, name, [3, 3]) as [
    Expression,
    Expression,
    Expression,
  ];
  return composed(
    [condition, then, otherwise],
    (root) => (isTruth(condition(root)) ? then(root) : otherwise(root)),
    function* (root) {
      return yield* valueIn(isTruth(yield* valueIn(condition, root)) ? then : otherwise, root);
    },
  );
};

const ifNull: Operator = (operand, scope, name) => {
  const parts = operandsOf(operand, scope, name, [2, Number.POSITIVE_INFINITY]);
  const now = (root: BsonDocument) => {
    let value: Value;
    for (const part of parts) {
      value = part(root);
      if (!isNothing(value)) break;
    }
    return value;
  };

  return composed(parts, now, function* (root) {
    let value: Value;
    for (const part of parts) {
      value = yield* valueIn(part, root);
      if (!isNothing(value)) break;
    }
    return value;
  });
};

const branching: Operator = (operand, scope, name) => {
  const spec = namedOperands(operand, name, ["branches"], ["default"]);
  const branches = spec.get("branches") as Bson;
  if (!isArray(branches) || branches.length === 0)
    throw new MongoFailure(40068, "$switch requires at least one branch");

  const cases = branches.map((branch) => {
    const one = namedOperands(branch, name, ["case", "then"]);
    return [compiled(one.get("case") as Bson, scope), compiled(one.get("then") as Bson, scope)] as const;
  });
  const otherwise = spec.has("default") ? compiled(spec.get("default") as Bson, scope) : noBranch;
  const now: Expression = (root) => {
    for (const [condition, then] of cases) if (isTruth(condition(root))) return then(root);
    return otherwise(root);
  };

  return composed([...cases.flat(), otherwise], now, function* (root) {
    for (const [condition, then] of cases)
      if (isTruth(yield* valueIn(condition, root))) return yield* valueIn(then, root);
    return yield* valueIn(otherwise, root);
  });
};

const noBranch: Expression = () => {
  throw new MongoFailure(
    40066,
    "$switch could not find a matching branch for an input, and no default was specified",
  );
};

const letting: Operator = (operand, scope, name) => {
  const spec = namedOperands(operand, name, ["vars", "in"]);
  const definitions = spec.get("vars");
  if (!isDocument(definitions)) throw failedToParse("$let: vars has to be an object");

  const variables = new Map(scope.variables);
  const bindings = [...definitions.keys()].map((variable) => {
    checkVariable(variable);
    const binding: Variable = { value: undefined };
    variables.set(variable, binding);
    return binding;
  });
  const values = [...definitions.values()].map((value) => compiled(value, scope));
  const body = compiled(spec.get("in") as Bson, { ...scope, variables });

  const bind = (bound: readonly Value[]) => {
    for (const [i, binding] of bindings.entries()) binding.value = bound[i];
  };

  const now: Expression = (root) => {
    bind(values.map((calculate) => calculate(root)));
    return body(root);
  };

  return composed([...values, body], now, function* (root) {
    bind(yield* valuesIn(values, root));
    return yield* valueIn(body, root);
  });
};

const RANDOM_RANGE = 2 ** 32;

/** `$rand`: returns a number ≥ 0 and < 1, derived from the unit's id and the number of earlier choices. */
const random: Operator = (operand, scope) => {
  if (!isDocument(operand) || operand.size > 0)
    throw new MongoFailure(3040501, "$rand does not accept arguments");
  return () => scope.choose(RANDOM_RANGE) / RANDOM_RANGE;
};

export const conditionals: Readonly<Record<string, Operator>> = {
  eq: compares((order) => order === 0),
  ne: compares((order) => order !== 0),
  gt: compares((order) => order > 0),
  gte: compares((order) => order >= 0),
  lt: compares((order) => order < 0),
  lte: compares((order) => order <= 0),
  cmp: ofValues([2, 2], ([a, b], { work }) => new Int32(Math.sign(compareCounted(a, b, work)))),
  and: until(false),
  or: until(true),
  not: ofOne((value) => !isTruth(value)),
  cond,
  ifNull,
  switch: branching,
  let: letting,
  rand: random,
};
