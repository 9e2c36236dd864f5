/** Compiles expressions to functions of a row: columns are looked up once, regardless of the number of rows. */

import { STEP_ITEMS } from "../../../../protocol/steps.js";
import { numberText } from "../../bytes/sql-numbers.js";
import { SCALAR_FUNCTIONS } from "../grammar/functions.js";
import {
  type Arithmetic,
  type Binary,
  type Call,
  type Column,
  type Comparison,
  type Expression,
  operandsOf,
} from "../grammar/syntax-tree.js";
import type { Scalar } from "../values/cell.js";
import { compiledCase, compiledCast } from "./conversions.js";
import { type Evaluation, failure, notByRow } from "./evaluation-context.js";
import { isText, positionOf } from "./relation.js";
import type { RelationColumn, RelationRow } from "./relation-row.js";
import { amount, compare, isEqual, isTrue } from "./scalar-comparison.js";
import { scalarCall } from "./scalar-functions.js";
import { compiledTest } from "./standard-tests.js";
import {
  type Compiled,
  combinedTruth,
  finiteNumber,
  standardAmount,
  standardOrder,
  truthOf,
} from "./standard-values.js";

/** Defines the meaning of columns and calls in an expression. */
export interface Scope {
  column(column: Column): Compiled;
  call(call: Call): Compiled;
  /**
   * Returns a function for an expression whose value is already available in each row, for example an aggregate, so
   * that the parts of the expression need not be compiled; undefined for other expressions.
   */
  known?(expression: Expression): Compiled | undefined;
}

/** Returns a scope for single rows, without aggregates. */
export function rowScope(columns: readonly RelationColumn[], evaluation: Evaluation): Scope {
  return {
    column: (column) => {
      if (isText(column, columns)) return () => column.name;
      const position = positionOf(column, columns, evaluation);
      return (row) => row[position] as Scalar;
    },
    call: (call) => {
      throw notByRow(evaluation, call);
    },
  };
}

/** @throws CommandFailure if a column does not exist, or its name is ambiguous */
export function compiled(expression: Expression, scope: Scope, evaluation: Evaluation): Compiled {
  const available = scope.known?.(expression);
  if (available !== undefined) return available;
  const isStandard = evaluation.form === "standard";
  switch (expression.kind) {
    case "literal":
    case "parameter": {
      const value = constantOf(expression, evaluation) as Scalar;
      return () => value;
    }
    case "column":
      return scope.column(expression);
    case "call":
      return isStandard && SCALAR_FUNCTIONS.has(expression.name.toLowerCase())
        ? scalarCall(expression, (each) => compiled(each, scope, evaluation), evaluation)
        : scope.call(expression);
    case "not": {
      const operand = compiled(expression.operand, scope, evaluation);
      if (!isStandard) return (row) => !isTrue(operand(row));
      return (row) => {
        const truth = truthOf(operand(row));
        return truth === null ? null : !truth;
      };
    }
    case "negative": {
      const operand = compiled(expression.operand, scope, evaluation);
      if (!isStandard) return (row) => -amount(operand(row));
      return (row) => {
        const value = operand(row);
        return value === null ? null : 0 - standardAmount(value, evaluation);
      };
    }
    case "is-null": {
      const operand = compiled(expression.operand, scope, evaluation);
      const { isNegated } = expression;
      return (row) => (operand(row) === null) !== isNegated;
    }
    case "in":
    case "in-set":
    case "between":
    case "like":
      return compiledTest(expression, (each) => compiled(each, scope, evaluation), evaluation);
    case "case":
      return compiledCase(expression, (each) => compiled(each, scope, evaluation));
    case "cast":
      return compiledCast(expression.type, compiled(expression.operand, scope, evaluation), evaluation);
    // Their values replace queries before the select is executed.
    case "query":
    case "in-query":
    case "exists":
      throw new Error("a query without its value");
    case "binary":
      return isStandard
        ? standardBinary(expression, scope, evaluation)
        : compiledBinary(expression, scope, evaluation);
  }
}

/** Maximum number of operators that one step calculates for all its rows together. */
const STEP_OPERATORS = 32 * STEP_ITEMS;

/** Returns the number of rows for which one step calculates these expressions: the more operators, the fewer rows. */
export function rowsAStep(expressions: readonly Expression[]): number {
  const operators = partsOfAll(expressions);
  return Math.max(1, Math.min(STEP_ITEMS, Math.floor(STEP_OPERATORS / Math.max(1, operators))));
}

/** Number of parts of expressions whose calculation is included in the cost of reading a row. */
const PARTS_INCLUDED = 8;
/** Cost in steps of each further part. */
const STEPS_PER_PART = 2;

/** Counts expressions that are about to be calculated for rows, in addition to reading the rows. @throws BudgetExceeded */
export function countCalculated(
  { effort }: Evaluation,
  rows: number,
  expressions: readonly Expression[],
): void {
  effort.work(rows * stepsPerRow(expressions));
}

/** Returns the cost in steps of calculating expressions for a row, in addition to reading it. */
export const stepsPerRow = (expressions: readonly Expression[]): number =>
  Math.max(0, partsOfAll(expressions) - PARTS_INCLUDED) * STEPS_PER_PART;

const partsOfAll = (expressions: readonly Expression[]) =>
  expressions.reduce((sum, each) => sum + partsOf(each), 0);

/**
 * Returns the number of parts of an expression: its operators, names and values. The literal values of a list count as
 * one part, because they are looked up in one operation.
 */
function partsOf(expression: Expression): number {
  return operandsOf(expression).reduce((sum, each) => sum + partsOf(each), 1 - writtenValues(expression));
}

const writtenValues = (expression: Expression) =>
  expression.kind === "in"
    ? expression.list.reduce((sum, { kind }) => sum + Number(kind === "literal" || kind === "parameter"), 0)
    : 0;

/** Compiles an expression as a condition: an unknown value counts as false. */
export function condition(
  expression: Expression,
  scope: Scope,
  evaluation: Evaluation,
): (row: RelationRow) => boolean {
  const value = compiled(expression, scope, evaluation);
  return evaluation.form === "standard" ? (row) => truthOf(value(row)) === true : (row) => isTrue(value(row));
}

/**
 * Compiles an operator of a standard statement. Conditions have three truth values: null is neither true nor false, and
 * a result calculated from null is null.
 */
function standardBinary({ operator, ...sides }: Binary, scope: Scope, evaluation: Evaluation): Compiled {
  const left = compiled(sides.left, scope, evaluation);
  const right = compiled(sides.right, scope, evaluation);
  switch (operator) {
    case "and":
    case "or":
      return combinedTruth(operator, left, right);
    case "+":
    case "-":
    case "*":
    case "/":
      return (row) => {
        const [one, other] = [left(row), right(row)];
        if (one === null || other === null) return null;
        const [first, second] = [standardAmount(one, evaluation), standardAmount(other, evaluation)];
        return operator === "/" && second === 0 ? null : result(operator, first, second, evaluation);
      };
    default: {
      const holds = STANDARD_COMPARISONS[operator];
      return (row) => {
        const order = standardOrder(left(row), right(row));
        return order === null ? null : holds(order);
      };
    }
  }
}

const STANDARD_COMPARISONS: Readonly<Record<Comparison, (order: number) => boolean>> = {
  "=": (order) => order === 0,
  "!=": (order) => order !== 0,
  "<": (order) => order < 0,
  "<=": (order) => order <= 0,
  ">": (order) => order > 0,
  ">=": (order) => order >= 0,
};

function compiledBinary({ operator, ...sides }: Binary, scope: Scope, evaluation: Evaluation): Compiled {
  const left = compiled(sides.left, scope, evaluation);
  const right = compiled(sides.right, scope, evaluation);
  switch (operator) {
    case "and":
      return (row) => isTrue(left(row)) && isTrue(right(row));
    case "or":
      return (row) => isTrue(left(row)) || isTrue(right(row));
    case "=":
      return (row) => isEqual(left(row), right(row));
    case "+":
    case "-":
    case "*":
    case "/":
      return (row) => calculated(operator, left(row), right(row), evaluation);
    default: {
      const holds = COMPARISONS[operator];
      return (row) => holds(left(row), right(row));
    }
  }
}

const COMPARISONS: Readonly<Record<Exclude<Comparison, "=">, (one: Scalar, other: Scalar) => boolean>> = {
  "!=": (one, other) => one !== null && other !== null && !isEqual(one, other),
  "<": (one, other) => (compare(one, other) ?? 0) < 0,
  "<=": (one, other) => (compare(one, other) ?? 1) <= 0,
  ">": (one, other) => (compare(one, other) ?? 0) > 0,
  ">=": (one, other) => (compare(one, other) ?? -1) >= 0,
};

/** @throws CommandFailure if the divisor is 0 or the result is too large */
function calculated(operator: Arithmetic, left: Scalar, right: Scalar, evaluation: Evaluation): number {
  const [one, other] = [amount(left), amount(right)];
  if (operator === "/" && other === 0) throw failure(evaluation, "dividedByZero", numberText(one));
  return result(operator, one, other, evaluation);
}

/** @throws CommandFailure if the result is too large */
function result(operator: Arithmetic, one: number, other: number, evaluation: Evaluation): number {
  const number =
    operator === "+"
      ? one + other
      : operator === "-"
        ? one - other
        : operator === "*"
          ? one * other
          : one / other;
  return finiteNumber(number, evaluation);
}

/** Returns the value of a literal, a parameter or a negated number; undefined for any other expression. */
export function constantOf(expression: Expression, { parameters }: Evaluation): Scalar | undefined {
  if (expression.kind === "literal") return expression.value;
  if (expression.kind === "parameter") return parameters[expression.number] ?? null;
  const { kind } = expression;
  const isNegative =
    kind === "negative" &&
    expression.operand.kind === "literal" &&
    typeof expression.operand.value === "number";
  return isNegative ? -amount((expression.operand as { value: Scalar }).value) : undefined;
}
