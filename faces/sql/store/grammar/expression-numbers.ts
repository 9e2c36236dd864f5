/** Assigns numbers to expressions: two expressions with the same number have the same value in every row. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { ValueSet } from "../values/value-set.js";
import { type Column, type Expression, operandsOf } from "./syntax-tree.js";

export class ExpressionNumbers {
  readonly #parameters: readonly ByteString[];
  readonly #columnOf: (column: Column) => number | ByteString;
  readonly #known = new Map<Expression, number>();
  readonly #sets = new Map<ValueSet, number>();
  /** Numbers of expressions, by the kind of the expression and the numbers of its operands. */
  readonly #numbers = new Map<string, number>();

  /**
   * @param parameters the values of the `?` in the statement, in order
   * @param columnOf returns the index of the column, or the text that a name in double quotes represents
   */
  constructor(parameters: readonly ByteString[], columnOf: (column: Column) => number | ByteString) {
    this.#parameters = parameters;
    this.#columnOf = columnOf;
  }

  /** Returns an expression's number; visits each part only once, even if it occurs in several expressions. */
  of(expression: Expression): number {
    const known = this.#known.get(expression);
    if (known !== undefined) return known;
    const shape = JSON.stringify(this.#shapeOf(expression));
    const number = this.#numbers.get(shape) ?? this.#numbers.size;
    this.#numbers.set(shape, number);
    this.#known.set(expression, number);
    return number;
  }

  #ofAny(expression: Expression | null): number | null {
    return expression === null ? null : this.of(expression);
  }

  #shapeOf(expression: Expression): readonly unknown[] {
    switch (expression.kind) {
      case "literal":
        return ["value", expression.value];
      case "parameter":
        return ["value", this.#parameters[expression.number] ?? null];
      case "column":
        return ["column", this.#columnOf(expression)];
      case "binary":
        return [expression.operator, this.of(expression.left), this.of(expression.right)];
      case "not":
      case "negative":
        return [expression.kind, this.of(expression.operand)];
      case "is-null":
        return [expression.kind, expression.isNegated, this.of(expression.operand)];
      case "call": {
        const operands = expression.arguments?.map((each) => this.of(each)) ?? null;
        const name = expression.name.toLowerCase();
        return [expression.kind, name, expression.isDistinct === true, operands];
      }
      // Their values replace queries before expressions are numbered.
      case "query":
      case "in-query":
      case "exists":
        throw new Error("a query without its value");
      case "cast":
        return [expression.kind, expression.type, this.of(expression.operand)];
      case "case": {
        const { operand, branches, otherwise } = expression;
        const numbers = branches.map(({ when, result }) => [this.of(when), this.of(result)]);
        return [expression.kind, this.#ofAny(operand), numbers, this.#ofAny(otherwise)];
      }
      case "in-set": {
        const { isNegated, operand, set } = expression;
        const number = this.#sets.get(set) ?? this.#sets.size;
        this.#sets.set(set, number);
        return [expression.kind, isNegated, number, this.of(operand)];
      }
      case "in":
      case "between":
      case "like": {
        const operands = operandsOf(expression).map((each) => this.of(each));
        return [expression.kind, expression.isNegated, operands];
      }
    }
  }
}
