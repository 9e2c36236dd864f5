/** Expressions as functions of a row: columns are found once, whatever the number of rows. */
import { numberText } from "../../../protocol/sql-numbers.js";
import type { Arithmetic, Binary, Call, Column, Comparison, Expression } from "../../sql/tree.js";
import type { Scalar } from "../../values/relations/cell.js";
import { type Evaluation, failure } from "./evaluation.js";
import { placeOf, type RelationColumn, type RelationRow } from "./relation.js";
import { amount, compare, isEqual, isTrue } from "./scalars.js";

export type Compiled = (row: RelationRow) => Scalar;

/** What columns and calls mean. */
export interface Scope {
  column(column: Column): Compiled;
  call(call: Call): Compiled;
}

/** A scope of rows one by one, in which there is nothing to call. */
export function rowScope(columns: readonly RelationColumn[], evaluation: Evaluation): Scope {
  return {
    column: (column) => {
      const place = placeOf(column, columns, evaluation.language);
      return (row) => row[place] as Scalar;
    },
    call: ({ name }) => {
      throw failure(evaluation, "notByRow", name);
    },
  };
}

/** @throws CommandFailure  a column is not there, or meant by more than one */
export function compiled(expression: Expression, scope: Scope, evaluation: Evaluation): Compiled {
  switch (expression.kind) {
    case "literal":
    case "parameter": {
      const value = constantOf(expression, evaluation) as Scalar;
      return () => value;
    }
    case "column":
      return scope.column(expression);
    case "call":
      return scope.call(expression);
    case "not": {
      const operand = compiled(expression.operand, scope, evaluation);
      return (row) => !isTrue(operand(row));
    }
    case "negative": {
      const operand = compiled(expression.operand, scope, evaluation);
      return (row) => -amount(operand(row));
    }
    case "is-null": {
      const operand = compiled(expression.operand, scope, evaluation);
      const { isNegated } = expression;
      return (row) => (operand(row) === null) !== isNegated;
    }
    case "binary":
      return compiledBinary(expression, scope, evaluation);
  }
}

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

/** @throws CommandFailure  it divides by zero, or becomes too large */
function calculated(operator: Arithmetic, left: Scalar, right: Scalar, evaluation: Evaluation): number {
  const [one, other] = [amount(left), amount(right)];
  if (operator === "/" && other === 0) throw failure(evaluation, "dividedByZero", numberText(one));
  const result =
    operator === "+"
      ? one + other
      : operator === "-"
        ? one - other
        : operator === "*"
          ? one * other
          : one / other;
  if (!Number.isFinite(result)) throw failure(evaluation, "tooLarge");
  return result;
}

/** What an expression is whatever the row; undefined: that depends. */
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
