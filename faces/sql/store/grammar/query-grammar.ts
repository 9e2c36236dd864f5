/** Parses queries: one select, or a combination of several. */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { column, expression, numberToken } from "./expression-grammar.js";
import { SqlMistake } from "./syntax-error.js";
import {
  type Expression,
  type Join,
  type JoinKind,
  type Limit,
  type OrderKey,
  operandsOf,
  type Query,
  queryIn,
  type Select,
  type SelectField,
  type SetOperator,
  type SetQuery,
  type Source,
  type Tail,
} from "./syntax-tree.js";
import type { Token, TokenReader } from "./token-reader.js";

/** Maximum number of sources in a join, and of selects in a combination: their rows multiply. */
const PARTS_MAX = 32;

const JOIN_KINDS: readonly JoinKind[] = ["inner", "left", "right", "full", "natural"];
const SET_SIGNS: readonly (readonly [sign: string, operator: Exclude<SetOperator, "union-all">])[] = [
  ["+", "union"],
  ["-", "difference"],
  ["^", "intersection"],
];

/** @throws SqlMistake */
export function query(reader: TokenReader): Query {
  return reader.nested(() => {
    let combined: Query = select(reader);
    for (let parts = 1; ; parts++) {
      const { position } = reader;
      const setKind = setOperator(reader);
      if (setKind === null) return combined;
      const operator = setKind === "union" && acceptedAll(reader) ? "union-all" : setKind;
      if (parts === PARTS_MAX)
        throw new SqlMistake("limit", reader.position, `more than ${PARTS_MAX} queries`);
      if (reader.form === "standard" && hasTail(combined))
        throw new SqlMistake("unexpected", position, "order by and limit after the last query");
      combined = { kind: "set", operator, left: combined, right: operand(reader), ...NO_TAIL };
      if (reader.form === "standard") combined = withTail(combined, reader);
      if (combined.orderBy.some(({ by }) => hasQuery(by)))
        throw new SqlMistake(
          "unexpected",
          position,
          "a column in order by; write select … from (select … union select …) x order by (select …)",
        );
    }
  });
}

const hasQuery = (expression: Expression): boolean =>
  queryIn(expression) !== undefined || operandsOf(expression).some(hasQuery);

const NO_TAIL: Tail = { orderBy: [], limit: null };
const hasTail = ({ orderBy, limit }: Tail) => orderBy.length > 0 || limit !== null;

/**
 * Applies `order by` and `limit` after the last of several combined queries to the combination. If the last query is in
 * parentheses, these clauses follow the parentheses and are parsed here; otherwise they were parsed as clauses of the
 * last query, and are moved from there.
 */
function withTail(query: SetQuery, reader: TokenReader): Query {
  const { right } = query;
  const isEnclosed = reader.endedQuery === right;
  if (!isEnclosed && hasTail(right))
    return { ...query, right: { ...right, ...NO_TAIL }, orderBy: right.orderBy, limit: right.limit };
  return isEnclosed ? { ...query, ...tail(reader) } : query;
}

function operand(reader: TokenReader): Query {
  if (!reader.acceptSign("(")) return select(reader);
  const inner = query(reader);
  reader.expectSign(")");
  reader.endedQuery = inner;
  return inner;
}

function acceptedAll(reader: TokenReader): boolean {
  return reader.form === "standard" && reader.accept("all");
}

function setOperator(reader: TokenReader): Exclude<SetOperator, "union-all"> | null {
  for (const [sign, operator] of SET_SIGNS) {
    if (reader.accept(operator)) return operator;
    if (reader.language === "malagasy" && reader.acceptMarkedSign(sign)) {
      reader.acceptSign("@");
      return operator;
    }
  }
  return null;
}

/** Parses one select, without the queries with which it may be combined. */
export function select(reader: TokenReader): Select {
  reader.expect("select");
  // Only standard expressions contain queries. Those of enclosed selects are counted for these alone.
  const outer = reader.subqueries;
  if (reader.form === "standard") reader.subqueries = 0;
  const read = selectAfterWord(reader);
  const hasSubqueries = reader.subqueries !== null && reader.subqueries > 0;
  reader.subqueries = outer;
  return hasSubqueries ? { ...read, hasSubqueries } : read;
}

function selectAfterWord(reader: TokenReader): Select {
  const isDistinct = reader.accept("distinct");
  if (!isDistinct) acceptedAll(reader);
  const fields = fieldList(reader);
  const from = reader.accept("from") ? source(reader) : null;
  return {
    kind: "select",
    isDistinct,
    fields,
    source: from,
    joins: from === null ? [] : joins(reader),
    where: reader.accept("where") ? expression(reader) : null,
    groupBy: reader.accept("group") ? grouping(reader) : null,
    having: reader.accept("having") ? expression(reader) : null,
    ...tail(reader),
  };
}

function tail(reader: TokenReader): Tail {
  return {
    orderBy: reader.accept("order") ? order(reader) : [],
    limit: reader.accept("limit") ? limit(reader) : null,
  };
}

/** Parses the list of fields; null means only `*`. */
function fieldList(reader: TokenReader): Select["fields"] {
  const isStandard = reader.form === "standard";
  if (!isStandard && reader.acceptSign("*")) return null;
  const isOnlyAll =
    reader.token.text === "*" && reader.token.kind === "sign" && !isSign(reader.following, ",");
  if (isOnlyAll && reader.acceptSign("*")) return null;
  const fields: SelectField[] = [];
  do {
    const origin = isStandard ? acceptAll(reader) : undefined;
    fields.push(
      origin === undefined ? { value: expression(reader), alias: alias(reader) } : allColumns(origin),
    );
  } while (reader.acceptSign(","));

  return fields;
}

const isSign = ({ kind, text }: Token, sign: string) => kind === "sign" && text === sign;

const allColumns = (origin: ByteString | null): SelectField => ({
  value: { kind: "all", origin },
  alias: null,
});

/** Returns the source of `t.*`, null for `*`, or undefined if neither follows. */
function acceptAll(reader: TokenReader): ByteString | null | undefined {
  if (reader.acceptSign("*")) return null;
  const { token, following } = reader;
  const star = following.next;
  const isAll = token.kind === "word" && following.text === "." && star?.kind === "sign" && star.text === "*";
  if (!isAll) return undefined;
  const origin = reader.name("a table");
  reader.advance();
  reader.advance();
  return origin;
}

function alias(reader: TokenReader): ByteString | null {
  const name = reader.accept("as") ? reader.name("a name") : reader.bareAlias();
  if (name !== null && reader.token.kind === "sign" && reader.token.text === ".")
    throw new SqlMistake("dotted-alias", reader.position, "a name without '.'");
  return name;
}

function source(reader: TokenReader): Source {
  if (!reader.acceptSign("("))
    return { kind: "named", name: reader.name("a table or a view"), alias: alias(reader) };

  if (reader.sees("select")) {
    const inner = query(reader);
    reader.expectSign(")");
    const { position } = reader;
    const name = alias(reader);
    if (name === null) throw new SqlMistake("no-alias", position, "a name for the query");
    return { kind: "derived", query: inner, alias: name };
  }

  const name = reader.name("a table, a view or a query");
  reader.expectSign(")");
  return { kind: "named", name, alias: alias(reader) };
}

function joins(reader: TokenReader): readonly Join[] {
  const list: Join[] = [];
  for (;;) {
    const kind = joinKind(reader);
    if (kind === null) return list;
    if (list.length === PARTS_MAX)
      throw new SqlMistake("limit", reader.position, `more than ${PARTS_MAX} joins`);
    const joined = source(reader);
    list.push({ kind, source: joined, on: reader.accept("on") ? expression(reader) : null });
  }
}

/** Parses the kind of a join: `#tonona:avia@`, or `left join`. */
function joinKind(reader: TokenReader): JoinKind | null {
  if (reader.language === "english") {
    if (reader.acceptSign(",") || acceptedCross(reader)) return "inner";
    const kind = JOIN_KINDS.find((each) => reader.accept(each));
    const isOuter = kind === "left" || kind === "right" || kind === "full";
    if (isOuter) reader.accept("outer");
    if (kind !== undefined) reader.expect("join");
    else if (!reader.accept("join")) return null;
    return kind ?? "inner";
  }

  if (!reader.accept("join")) return null;
  if (!reader.acceptSign(":")) return "inner";
  if (reader.acceptSign("@")) return "inner";

  const kind = JOIN_KINDS.find((each) => reader.accept(each));
  if (kind === undefined) throw reader.mistake("a kind of join");

  return kind;
}

function acceptedCross(reader: TokenReader): boolean {
  if (!reader.accept("cross")) return false;
  reader.expect("join");
  return true;
}

/** Parses the expressions to group by, in parentheses, which English statements may leave out. */
function grouping(reader: TokenReader): readonly Expression[] {
  if (reader.form === "standard") return standardGrouping(reader);
  const isEnclosed = reader.acceptSign("(");
  if (!isEnclosed && reader.language === "malagasy") throw reader.mistake("'('");
  const columns: Expression[] = [];
  if (isEnclosed && reader.acceptSign(")")) return columns;
  do columns.push(column(reader));
  while (reader.acceptSign(","));
  if (isEnclosed) reader.expectSign(")");
  return columns;
}

/** Parses expressions separated by commas; an expression in parentheses may be a list. */
function standardGrouping(reader: TokenReader): readonly Expression[] {
  const keys: Expression[] = [];
  do {
    if (!beginsList(reader.token)) {
      keys.push(expression(reader));
      continue;
    }

    reader.advance();
    if (reader.acceptSign(")")) continue;
    do keys.push(expression(reader));
    while (reader.acceptSign(","));
    reader.expectSign(")");
  } while (reader.acceptSign(","));

  return keys;
}

/**
 * Whether a token begins a list in parentheses, which contains no expression or several. Parentheses around one
 * expression are part of it, and it may continue after them.
 */
function beginsList(first: Token): boolean {
  if (!isSign(first, "(") || first.next === null) return false;
  if (isSign(first.next, ")")) return true;
  if (first.next.lower === "select") return false;

  let depth = 0;
  for (let token: Token | null = first; token !== null; token = token.next) {
    if (isSign(token, "(")) depth++;
    else if (isSign(token, ")")) depth--;
    else if (depth === 1 && isSign(token, ",")) return true;
    if (depth === 0) return false;
  }

  return false;
}

function order(reader: TokenReader): readonly OrderKey[] {
  const keys: OrderKey[] = [];
  do {
    const by = expression(reader);
    const isFalling = reader.accept("falling");
    if (!isFalling) reader.accept("rising");
    keys.push({ by, isFalling });
  } while (reader.acceptSign(","));
  return keys;
}

function limit(reader: TokenReader): Limit {
  const first = bound(reader);
  if (reader.accept("offset")) return { from: bound(reader), to: null, count: first };
  // `limit from, count`.
  if (reader.form === "standard" && reader.acceptSign(","))
    return { from: first, to: null, count: bound(reader) };
  const { kind, text } = reader.token;
  const hasMore = kind === "number" || (kind === "sign" && text === "?");
  if (!hasMore && reader.form === "standard") return { from: null, to: null, count: first };
  return { from: first, to: hasMore ? bound(reader) : null, count: null };
}

function bound(reader: TokenReader): Expression {
  if (reader.acceptSign("?")) return { kind: "parameter", number: reader.parameters++ };
  return { kind: "literal", value: numberToken(reader) };
}
