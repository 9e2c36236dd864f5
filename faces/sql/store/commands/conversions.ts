/** `case` and `cast` of standard statements. */
import type { Case, CastType, Expression } from "../grammar/syntax-tree.js";
import type { Scalar } from "../values/cell.js";
import type { Evaluation } from "./evaluation-context.js";
import {
  type Compiled,
  finiteNumber,
  standardAmount,
  standardOrder,
  textFor,
  truthOf,
} from "./standard-values.js";

/**
 * Compiles `case`: the result of the first branch that applies is calculated, and no result of another branch. A branch
 * whose condition is unknown does not apply.
 */
export function compiledCase(
  { operand, branches, otherwise }: Case,
  compile: (expression: Expression) => Compiled,
): Compiled {
  const value = operand === null ? null : compile(operand);
  const compiledBranches = branches.map(({ when, result }) => [compile(when), compile(result)] as const);
  const rest = otherwise === null ? () => null : compile(otherwise);
  return (row) => {
    const compared = value === null ? null : value(row);
    for (const [when, result] of compiledBranches) {
      const holds = value === null ? truthOf(when(row)) : standardOrder(compared, when(row)) === 0;
      if (holds === true) return result(row);
    }
    return rest(row);
  };
}

const LEADING_DIGITS = /^\s*[+-]?\d+/;

/** The conversions of a value that is not null, as in SQLite. */
const CONVERSIONS: Readonly<
  Record<CastType, (value: number | string | boolean, evaluation: Evaluation) => Scalar>
> = {
  number: standardAmount,
  integer: (value, evaluation) => {
    const number = typeof value === "string" ? Number(LEADING_DIGITS.exec(value)?.[0] ?? 0) : Number(value);
    return finiteNumber(Math.trunc(number) + 0, evaluation);
  },
  text: textFor,
};

/** Compiles `cast`. A text without a number at its beginning becomes 0; one that is too large a number is an error. */
export function compiledCast(type: CastType, operand: Compiled, evaluation: Evaluation): Compiled {
  const convert = CONVERSIONS[type];
  return (row) => {
    const value = operand(row);
    return value === null ? null : convert(value, evaluation);
  };
}
