/**
 * Names of columns without an alias: in the original form those of the database that `--sql` replaces, on which its
 * clients may depend; in the standard form the SQL text.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { numberText } from "../../bytes/sql-numbers.js";
import type { Scalar } from "../values/cell.js";
import type { Domain, DomainAtom } from "../values/domain.js";
import type { BinaryExpression, Case, Column, Expression, Test } from "./syntax-tree.js";

const OPERATORS: Readonly<Record<BinaryExpression["operator"], string>> = {
  and: "AND",
  or: "OR",
  "=": "Eq",
  "!=": "Neq",
  "<": "Lt",
  "<=": "Lte",
  ">": "Gt",
  ">=": "Gte",
  "+": "ADD",
  "-": "MIN",
  "*": "MUL",
  "/": "DIV",
};

/** Returns an expression as English SQL, with parentheses around nested operators. */
export function standardText(expression: Expression): ByteString {
  switch (expression.kind) {
    case "literal": {
      const { value } = expression;
      return typeof value === "string" ? `'${value.replaceAll("'", "''")}'` : String(value);
    }
    case "parameter":
      return "?";
    case "column":
      return expression.origin === null ? expression.name : `${expression.origin}.${expression.name}`;
    case "binary":
      return `${operandText(expression.left)} ${expression.operator} ${operandText(expression.right)}`;
    case "not":
      return `not ${operandText(expression.operand)}`;
    case "negative":
      return `-${operandText(expression.operand)}`;
    case "is-null":
      return `${operandText(expression.operand)} is ${expression.isNegated ? "not " : ""}null`;
    case "call": {
      const operands = expression.arguments?.map(standardText).join(", ") ?? "*";
      return `${expression.name}(${expression.isDistinct === true ? "distinct " : ""}${operands})`;
    }
    case "cast":
      return `cast(${standardText(expression.operand)} as ${expression.type})`;
    case "case":
      return caseText(expression);
    case "query":
      return `(${expression.text})`;
    case "exists":
      return `exists (${expression.source.text})`;
    case "in-query": {
      const { operand, source, isNegated } = expression;
      const list = source.isName === true ? source.text : `(${source.text})`;
      return `${operandText(operand)}${isNegated ? " not" : ""} in ${list}`;
    }
    default:
      return testText(expression);
  }
}

function caseText({ operand, branches, otherwise }: Case): ByteString {
  const first = operand === null ? "case" : `case ${operandText(operand)}`;
  const parts = branches.map(({ when, result }) => `when ${standardText(when)} then ${standardText(result)}`);
  const last = otherwise === null ? [] : [`else ${standardText(otherwise)}`];
  return [first, ...parts, ...last, "end"].join(" ");
}

function testText(test: Test): ByteString {
  // The name of a field has the query as written, so the values of its set need no text.
  const kind = test.kind === "in-set" ? "in" : test.kind;
  const value = `${operandText(test.operand)}${test.isNegated ? " not" : ""} ${kind}`;
  switch (test.kind) {
    case "in":
      return `${value} (${test.list.map(standardText).join(", ")})`;
    case "in-set":
      return `${value} (…)`;
    case "between":
      return `${value} ${operandText(test.from)} and ${operandText(test.to)}`;
    case "like": {
      const escaped = test.escape === null ? "" : ` escape ${standardText(test.escape)}`;
      return `${value} ${operandText(test.pattern)}${escaped}`;
    }
  }
}

function operandText(expression: Expression): ByteString {
  const text = standardText(expression);
  return ["literal", "parameter", "column", "call", "case", "cast", "query", "exists"].includes(
    expression.kind,
  )
    ? text
    : `(${text})`;
}

/** Returns an expression as the database that `--sql` replaces writes it. */
export function expressionText(expression: Expression): ByteString {
  switch (expression.kind) {
    case "literal": {
      const { value } = expression;
      if (value === null) return "NULLVALUE(null)";
      return typeof value === "number" ? `NUMBER(${numberText(value)})` : `STRING(${value})`;
    }
    case "parameter":
      return "?";
    case "column":
      return `ID(${identifierText(expression)})`;
    case "binary": {
      const { operator, left, right } = expression;
      return `(${expressionText(left)} ${OPERATORS[operator]} ${expressionText(right)})`;
    }
    case "not":
      return `NOT(${expressionText(expression.operand)})`;
    case "negative":
      return `NEG(${expressionText(expression.operand)})`;
    case "is-null":
      return `(${expressionText(expression.operand)} ${expression.isNegated ? "IsNot" : "Is"} NULLVALUE(null))`;
    case "in":
    case "in-set":
    case "between":
    case "like":
    case "case":
    case "cast":
    case "query":
    case "in-query":
    case "exists":
      return standardText(expression);
    case "call":
      return `FunctionExpr(${expression.name}, [${expression.arguments?.map(expressionText).join(", ") ?? "*"}])`;
  }
}

const identifierText = ({ origin, name }: Column) => `QualifiedIdentifier [origin=${origin}, name=${name}]`;

/** Returns a value for use in a message. */
export function scalarText(value: Scalar): ByteString {
  if (typeof value === "string") return `"${value}"`;
  return typeof value === "number" ? numberText(value) : String(value);
}

/** Returns the values that a column accepts, in the words of the database that `--sql` replaces. */
export function domainWords(domain: Domain): ByteString {
  return domain.map(atomWords).join(", ");
}

function atomWords(atom: DomainAtom): ByteString {
  switch (atom.kind) {
    case "number":
      return `NUMBER(min:${edgeText(atom.min)},max:${edgeText(atom.max)})`;
    case "text":
      return `VARCHAR( ${atom.min},${atom.max} )`;
    case "date":
      return "DATE";
    case "enumeration": {
      const values = atom.allowed.map((each) => (typeof each === "number" ? numberText(each) : each));
      return `DomainEnum{allowedValues=[${values.join(", ")}], size=${values.length}}`;
    }
  }
}

const edgeText = (edge: number | null) => (edge === null ? "null" : numberText(edge));
