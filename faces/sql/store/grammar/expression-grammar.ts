/**
 * Parses values and conditions. In English AND binds tighter than OR, and NOT applies to a complete comparison; in
 * Malagasy `ary` and `na` have the same precedence, from left to right, as in the database that `--sql` replaces. In
 * the standard form `<`, `<=`, `>` and `>=` bind tighter than `=`, `!=` and `is`.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { AGGREGATES, SCALAR_FUNCTIONS } from "./functions.js";
import { SqlMistake } from "./syntax-error.js";
import type {
  Arithmetic,
  Binary,
  Call,
  Case,
  CastType,
  Column,
  Comparison,
  Expression,
  Like,
  Membership,
  Query,
  Subquery,
} from "./syntax-tree.js";
import type { TokenReader } from "./token-reader.js";
import { unsupportedFunction } from "./unsupported-features.js";

const COMPARISONS: Readonly<Record<string, Comparison>> = {
  "=": "=",
  "!=": "!=",
  "<>": "!=",
  "<": "<",
  "<=": "<=",
  ">": ">",
  ">=": ">=",
};

/** @throws SqlMistake */
export function expression(reader: TokenReader): Expression {
  return reader.clause(() => nestedExpression(reader));
}

function nestedExpression(reader: TokenReader): Expression {
  return reader.nested(() => (reader.language === "english" ? disjunction(reader) : connected(reader)));
}

function connected(reader: TokenReader): Expression {
  let left = comparison(reader);
  for (;;) {
    const operator = reader.accept("and") ? "and" : reader.accept("or") ? "or" : null;
    if (operator === null) return left;
    left = binary(reader, operator, left, comparison(reader));
  }
}

function disjunction(reader: TokenReader): Expression {
  let left = conjunction(reader);
  while (reader.accept("or")) left = binary(reader, "or", left, conjunction(reader));
  return left;
}

function conjunction(reader: TokenReader): Expression {
  let left = negation(reader);
  while (reader.accept("and")) left = binary(reader, "and", left, negation(reader));
  return left;
}

function negation(reader: TokenReader): Expression {
  if (!reader.accept("not")) return comparison(reader);
  reader.countOperator();
  return { kind: "not", operand: reader.nested(() => negation(reader)) };
}

function comparison(reader: TokenReader): Expression {
  const isStandard = reader.form === "standard";
  const operand = isStandard ? ordering : sum;
  let left = operand(reader);
  for (;;) {
    const operator = reader.token.kind === "sign" ? COMPARISONS[reader.token.text] : undefined;
    if (operator !== undefined && !(isStandard && isOrdering(operator))) {
      reader.advance();
      const right = operand(reader);
      left = binary(reader, operator, left, right);
    } else if (reader.accept("is")) {
      left = nothing(reader, left);
    } else {
      const tested = isStandard ? test(reader, left) : null;
      if (tested === null) return left;
      left = tested;
    }
  }
}

/** The words that begin a test, with or without `not` before them. */
const TESTS = ["in", "between", "like", "null"] as const;

/** Returns the test that follows a value, or null if no test follows. */
function test(reader: TokenReader, operand: Expression): Expression | null {
  const { kind, lower } = reader.token;
  if (kind !== "word") return null;

  const isNegated = lower === "not";
  const next = isNegated ? reader.following.lower : lower;
  const name = TESTS.find((each) => each === next && (isNegated || each !== "null"));
  if (name === undefined) return null;

  if (isNegated) reader.advance();
  reader.advance();
  reader.countOperator();
  switch (name) {
    case "null":
      return { kind: "is-null", operand, isNegated };
    case "in": {
      const source = subquery(reader) ?? tableAfterIn(reader);
      return source === null
        ? { kind: "in", operand, list: values(reader), isNegated }
        : { kind: "in-query", operand, source, isNegated };
    }
    case "between": {
      const from = ordering(reader);
      reader.expect("and");
      return { kind: "between", operand, from, to: ordering(reader), isNegated };
    }
    case "like":
      return { kind: "like", operand, pattern: ordering(reader), escape: escapeOf(reader), isNegated };
  }
}

/** Parses a query in parentheses. Returns null if none follows, or if no expression here may contain one. */
function subquery(reader: TokenReader): Subquery | null {
  const isQuery =
    reader.token.text === "(" && reader.token.kind === "sign" && reader.following.lower === "select";
  if (reader.subqueries === null || !isQuery) return null;

  const { subqueries } = reader;
  reader.countOperator();
  reader.expectSign("(");
  const { at } = reader.token;
  const query = reader.nested(() => reader.query(reader));
  const text = reader.statement.slice(at, reader.token.at).trimEnd();
  reader.expectSign(")");
  reader.subqueries = subqueries + 1;
  return { kind: "query", query, text };
}

/**
 * Parses the name of a table or a view after `in`, which stands for `(select * from name)`. Returns null if no name
 * follows, or if no expression here may contain a query.
 */
function tableAfterIn(reader: TokenReader): Subquery | null {
  if (reader.subqueries === null || reader.token.kind !== "word") return null;
  reader.countOperator();
  const { position, following } = reader;
  const name = reader.name("a list of values, a query or a table");
  if (following.kind === "sign" && following.text === "(")
    throw unsupportedFunction(position, name.toLowerCase());
  reader.subqueries++;
  return { kind: "query", query: allOf(name), text: position.found, isName: true };
}

/** Returns the query for all rows and columns of a table or a view. */
const allOf = (name: ByteString): Query => ({
  kind: "select",
  isDistinct: false,
  fields: null,
  source: { kind: "named", name, alias: null },
  joins: [],
  where: null,
  groupBy: null,
  having: null,
  orderBy: [],
  limit: null,
});

/** Parses `exists (select …)`. */
function existsOf(reader: TokenReader): Expression {
  reader.expect("exists");
  const source = subquery(reader);
  if (source === null) throw reader.mistake("a query: exists (select …)");
  return { kind: "exists", source };
}

/** Parses values in parentheses, possibly none. Each value that must be calculated counts as an operator. */
function values(reader: TokenReader): Membership["list"] {
  reader.expectSign("(");
  const list: Expression[] = [];
  if (reader.acceptSign(")")) return list;
  do {
    const value = nestedExpression(reader);
    if (value.kind !== "literal" && value.kind !== "parameter") reader.countOperator();
    list.push(value);
  } while (reader.acceptSign(","));
  reader.expectSign(")");
  return list;
}

function escapeOf(reader: TokenReader): Like["escape"] {
  if (!reader.accept("escape")) return null;
  const { kind, text } = reader.token;
  if (kind !== "text" && text !== "?") throw reader.mistake("a text of one character, or ?");
  return factor(reader);
}

const isOrdering = (operator: Comparison) => operator !== "=" && operator !== "!=";

function ordering(reader: TokenReader): Expression {
  let left = sum(reader);
  for (;;) {
    const operator = reader.token.kind === "sign" ? COMPARISONS[reader.token.text] : undefined;
    if (operator === undefined || !isOrdering(operator)) return left;
    reader.advance();
    left = binary(reader, operator, left, sum(reader));
  }
}

function nothing(reader: TokenReader, operand: Expression): Expression {
  reader.countOperator();
  const isNegated = reader.accept("not");
  if (!reader.accept("null")) throw new SqlMistake("only-null", reader.position, "null");
  return { kind: "is-null", operand, isNegated };
}

function sum(reader: TokenReader): Expression {
  let left = product(reader);
  for (;;) {
    const operator = signOf(reader, "+", "-");
    // In `- alaivo …` the sign is the set difference of two queries.
    if (operator === null || startsQuery(reader)) return left;
    reader.advance();
    left = binary(reader, operator, left, product(reader));
  }
}

function startsQuery(reader: TokenReader): boolean {
  return reader.language === "english" && reader.following.lower === "select";
}

function product(reader: TokenReader): Expression {
  let left = factor(reader);
  for (;;) {
    const operator = signOf(reader, "*", "/");
    if (operator === null) return left;
    reader.advance();
    left = binary(reader, operator, left, factor(reader));
  }
}

function signOf(reader: TokenReader, one: Arithmetic, other: Arithmetic): Arithmetic | null {
  const { kind, text } = reader.token;
  return kind === "sign" && (text === one || text === other) ? text : null;
}

function binary(
  reader: TokenReader,
  operator: Binary["operator"],
  left: Expression,
  right: Expression,
): Binary {
  reader.countOperator();
  return { kind: "binary", operator, left, right };
}

function factor(reader: TokenReader): Expression {
  const { kind, text } = reader.token;
  if (kind === "sign") {
    if (reader.acceptSign("!")) return { kind: "not", operand: reader.nested(() => factor(reader)) };
    if (reader.acceptSign("-")) return { kind: "negative", operand: reader.nested(() => factor(reader)) };
    if (reader.form === "standard" && reader.acceptSign("+")) {
      return reader.nested(() => factor(reader));
    }
    if (reader.acceptSign("?")) return { kind: "parameter", number: reader.parameters++ };

    const query = subquery(reader);
    if (query !== null) return query;

    if (reader.acceptSign("(")) {
      const inner = nestedExpression(reader);
      reader.expectSign(")");
      return inner;
    }
  }

  if (kind === "number") return { kind: "literal", value: numberToken(reader) };
  if (kind === "text") {
    reader.advance();
    return { kind: "literal", value: text };
  }
  if (kind !== "word") throw reader.mistake("a value");
  if (reader.accept("null")) return { kind: "literal", value: null };
  if (reader.accept("case")) return caseOf(reader);
  if (reader.form === "standard" && reader.sees("exists")) return existsOf(reader);

  return reader.following.text === "(" && reader.following.kind === "sign" ? call(reader) : column(reader);
}

/** Parses `when … then …`, at least once, with or without a value before them. */
function caseOf(reader: TokenReader): Case {
  const operand = reader.sees("when") ? null : nestedExpression(reader);
  const branches: Case["branches"][number][] = [];
  while (branches.length === 0 ? reader.expect("when") === undefined : reader.accept("when")) {
    reader.countOperator();
    const when = nestedExpression(reader);
    reader.expect("result");
    branches.push({ when, result: nestedExpression(reader) });
  }

  const otherwise = reader.accept("else") ? nestedExpression(reader) : null;
  reader.expect("end");
  return { kind: "case", operand, branches, otherwise };
}

/** The types to which a value can be converted, by the names that SQL users try. */
const CAST_TYPES: ReadonlyMap<string, CastType> = new Map([
  ..."number real double float decimal numeric".split(" ").map((name) => [name, "number"] as const),
  ..."integer int bigint smallint signed".split(" ").map((name) => [name, "integer"] as const),
  ..."text varchar char character string".split(" ").map((name) => [name, "text"] as const),
]);

/** Parses `(value as type)`. */
function cast(reader: TokenReader): Expression {
  reader.expectSign("(");
  const operand = nestedExpression(reader);
  reader.expect("as");
  const type = reader.token.kind === "word" ? CAST_TYPES.get(reader.token.lower) : undefined;
  if (type === undefined) throw reader.mistake("number, integer or text");
  reader.advance();
  reader.countOperator();
  reader.expectSign(")");
  return { kind: "cast", operand, type };
}

const HEXADECIMAL = /^0x/i;

/** @throws SqlMistake if the number is too large; a hexadecimal one must be an integer up to 2^53 */
export function numberToken(reader: TokenReader): number {
  if (reader.token.kind !== "number") throw reader.mistake("a number");
  const { text } = reader.token;
  const value = Number(text);
  const isExact = !HEXADECIMAL.test(text) || Number.isSafeInteger(value);
  if (!Number.isFinite(value) || !isExact)
    throw new SqlMistake("limit", reader.position, "a number that is too large");
  reader.advance();
  return value;
}

function call(reader: TokenReader): Expression {
  const { position } = reader;
  const { text: name, lower } = reader.advance();
  if (reader.form === "standard" && lower === "cast") return cast(reader);
  if (reader.form === "standard" && !AGGREGATES.has(lower)) {
    const expected = SCALAR_FUNCTIONS.get(lower);
    if (expected === undefined) throw unsupportedFunction(position, lower);
    const read = argumentsOf(reader, name);
    const count = read.arguments?.length ?? 0;
    if (read.isDistinct === true || count < expected.min || count > expected.max)
      throw new SqlMistake("unexpected", position, expected.words);
    return read;
  }

  return argumentsOf(reader, name);
}

function argumentsOf(reader: TokenReader, name: ByteString): Call {
  reader.expectSign("(");
  if (reader.acceptSign("*")) {
    reader.expectSign(")");
    return { kind: "call", name, arguments: null };
  }

  const operands: Expression[] = [];
  const isStandard = reader.form === "standard";
  const isDistinct = isStandard && reader.accept("distinct");
  // `all` is the default of the aggregates; no other function has it.
  const isAll = isStandard && AGGREGATES.has(name.toLowerCase()) && reader.accept("all");
  if (isDistinct || isAll || !reader.acceptSign(")")) {
    do operands.push(nestedExpression(reader));
    while (reader.acceptSign(","));
    reader.expectSign(")");
  }

  const call = { kind: "call", name, arguments: operands } as const;
  return isDistinct ? { ...call, isDistinct } : call;
}

/** Parses `name` or `origin.name`. */
export function column(reader: TokenReader): Column {
  const isQuoted = reader.token.kind === "word" && reader.token.lower === "";
  const first = reader.name("a column");
  if (!reader.acceptSign(".")) {
    const plain = { kind: "column", origin: null, name: first } as const;
    return isQuoted ? { ...plain, isQuoted } : plain;
  }
  return { kind: "column", origin: first, name: reader.name("a column") };
}
