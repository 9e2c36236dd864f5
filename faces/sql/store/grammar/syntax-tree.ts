/**
 * The syntax tree of a statement, the same for Malagasy and English words. Names and texts are UTF-8 bytes, as written.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Cell, Scalar } from "../values/cell.js";
import type { DomainAtom } from "../values/domain.js";
import type { Uniqueness } from "../values/table-column.js";
import type { ValueSet } from "../values/value-set.js";

/** The language of a statement's keywords, and of the reply. */
export type Language = "malagasy" | "english";

/**
 * The rules of a statement: those of the database that `--sql` replaces, for Malagasy, or standard SQL, for English.
 */
export type Form = "original" | "standard";

export type ObjectKind = "table" | "domain" | "view" | "index";

/** A statement that creates or drops the object with this name. */
interface SchemaChange {
  readonly name: ByteString;
  /** Whether the statement does nothing, instead of failing, if a `create` finds the object or a `drop` does not. */
  readonly ifNeeded?: true;
}

export type Statement =
  | (SchemaChange & { readonly kind: "create-database" })
  | (SchemaChange & { readonly kind: "drop-database" })
  | { readonly kind: "use"; readonly name: ByteString }
  | { readonly kind: "show"; readonly what: ObjectKind | "database" }
  | { readonly kind: "describe"; readonly name: ByteString }
  | (SchemaChange & { readonly kind: "create-domain"; readonly domain: readonly DomainPart[] })
  | (SchemaChange & { readonly kind: "create-table"; readonly columns: readonly ColumnDefinition[] })
  /** `text`: the query as written, which the database stores. */
  | (SchemaChange & { readonly kind: "create-view"; readonly query: Query; readonly text: ByteString })
  | CreateIndex
  | (SchemaChange & { readonly kind: "drop"; readonly what: ObjectKind })
  | Insert
  | Update
  | Delete
  | { readonly kind: "query"; readonly query: Query };

export interface CreateIndex extends SchemaChange {
  readonly kind: "create-index";
  readonly table: ByteString;
  readonly columns: readonly ByteString[];
  readonly isUnique: boolean;
}

export interface Insert {
  readonly kind: "insert";
  /** What replaces the error if a new row has a unique value of another row; undefined: the statement fails. */
  readonly onConflict?: "replace" | "ignore";
  readonly table: ByteString;
  /** The columns that receive values; empty means all columns, in order. */
  readonly columns: readonly ByteString[];
  readonly source: { readonly rows: readonly (readonly Expression[])[] } | { readonly query: Query };
  /** Whether its values contain queries. */
  readonly hasSubqueries?: true;
}

export interface Update {
  readonly kind: "update";
  readonly table: ByteString;
  readonly changes: readonly { readonly column: ByteString; readonly value: Expression }[];
  readonly where: Expression | null;
  /** Whether its expressions contain queries. */
  readonly hasSubqueries?: true;
}

export interface Delete {
  readonly kind: "delete";
  readonly table: ByteString;
  readonly where: Expression | null;
  /** Whether its condition contains queries. */
  readonly hasSubqueries?: true;
}

export type DomainPart = DomainAtom | { readonly kind: "named"; readonly name: ByteString };

export interface ColumnDefinition {
  readonly name: ByteString;
  readonly domain: readonly DomainPart[];
  readonly uniqueness: Uniqueness;
  /** Whether the column is `not null`. */
  readonly isRequired?: true;
  /** The default value for rows that do not name the column. */
  readonly preset?: Cell;
}

export type SetOperator = "union" | "union-all" | "difference" | "intersection";

export type Query = Select | SetQuery;

export interface SetQuery extends Tail {
  readonly kind: "set";
  readonly operator: SetOperator;
  readonly left: Query;
  readonly right: Query;
}

/** The clauses that sort the result and select a part of it. */
export interface Tail {
  readonly orderBy: readonly OrderKey[];
  readonly limit: Limit | null;
}

export interface OrderKey {
  readonly by: Expression;
  readonly isFalling: boolean;
}

export interface Select extends Tail {
  readonly kind: "select";
  readonly isDistinct: boolean;
  /** The selected fields; null means all columns. */
  readonly fields: readonly SelectField[] | null;
  /** The source of the rows; null means one row without columns. */
  readonly source: Source | null;
  readonly joins: readonly Join[];
  readonly where: Expression | null;
  /**
   * The expressions of `group by`; null if the select has no such clause. Without the clause an aggregate function
   * makes all rows one group.
   */
  readonly groupBy: readonly Expression[] | null;
  readonly having: Expression | null;
  /** Whether expressions of this select contain queries. */
  readonly hasSubqueries?: true;
}

/** The rows to return: those from the index `from` to the index `to`, exclusive, or `count` rows from `from`. */
export interface Limit {
  readonly from: Expression | null;
  readonly to: Expression | null;
  readonly count: Expression | null;
}

export interface Field {
  readonly value: Expression;
  readonly alias: ByteString | null;
}

/** `t.*`, or `*` next to other fields. */
export interface AllColumns {
  readonly kind: "all";
  /** The source whose columns are selected; null means all sources. */
  readonly origin: ByteString | null;
}

export type SelectField = Field | { readonly value: AllColumns; readonly alias: null };

export type Source =
  | { readonly kind: "named"; readonly name: ByteString; readonly alias: ByteString | null }
  | { readonly kind: "derived"; readonly query: Query; readonly alias: ByteString };

export type JoinKind = "inner" | "left" | "right" | "full" | "natural";

export interface Join {
  readonly kind: JoinKind;
  readonly source: Source;
  readonly on: Expression | null;
}

export interface Column {
  readonly kind: "column";
  readonly origin: ByteString | null;
  readonly name: ByteString;
  /** Whether the name is in double quotes: it is a text if no such column exists. */
  readonly isQuoted?: true;
}

export type Connective = "and" | "or";
export type Comparison = "=" | "!=" | "<" | "<=" | ">" | ">=";
export type Arithmetic = "+" | "-" | "*" | "/";

export interface Binary {
  readonly kind: "binary";
  readonly operator: Connective | Comparison | Arithmetic;
  readonly left: Expression;
  readonly right: Expression;
}

export interface Call {
  readonly kind: "call";
  readonly name: ByteString;
  /** The arguments; null means `*`. */
  readonly arguments: readonly Expression[] | null;
  /** Whether equal values count only once. */
  readonly isDistinct?: true;
}

export type Expression =
  /** `isCalculated`: whether the value replaces another expression; an integer then refers to no field. */
  | { readonly kind: "literal"; readonly value: Scalar; readonly isCalculated?: true }
  /** A `?`: its value is the argument with this number (from 0) after the statement. */
  | { readonly kind: "parameter"; readonly number: number }
  | Column
  | Binary
  | { readonly kind: "not" | "negative"; readonly operand: Expression }
  | { readonly kind: "is-null"; readonly operand: Expression; readonly isNegated: boolean }
  | Test
  | Case
  | Cast
  | Subquery
  | QueryMembership
  | Exists
  | Call;

/** A query as a value: that of the only column of its only row, or null without rows. */
export interface Subquery {
  readonly kind: "query";
  readonly query: Query;
  /** The query as written. */
  readonly text: ByteString;
  /** Whether it is written as the name of a table or a view: `k in t`. */
  readonly isName?: true;
}

/** Whether a value is in the only column of a query. */
export interface QueryMembership {
  readonly kind: "in-query";
  readonly operand: Expression;
  readonly source: Subquery;
  readonly isNegated: boolean;
}

/** Whether a query has rows. */
export interface Exists {
  readonly kind: "exists";
  readonly source: Subquery;
}

/** A value of the standard form that depends on conditions. */
export interface Case {
  readonly kind: "case";
  /** The value to compare with that of each branch; null: each branch has a condition. */
  readonly operand: Expression | null;
  readonly branches: readonly { readonly when: Expression; readonly result: Expression }[];
  /** The result if no branch applies; null means that it is null. */
  readonly otherwise: Expression | null;
}

export type CastType = "number" | "integer" | "text";

/** A conversion of the standard form. */
export interface Cast {
  readonly kind: "cast";
  readonly operand: Expression;
  readonly type: CastType;
}

/** A test of the standard form; if the test is unknown, so is its negation. */
export type Test = Membership | SetMembership | Between | Like;

export interface Membership {
  readonly kind: "in";
  readonly operand: Expression;
  readonly list: readonly Expression[];
  readonly isNegated: boolean;
}

/** Whether a value is in a set: the values of a query that has been executed. */
export interface SetMembership {
  readonly kind: "in-set";
  readonly operand: Expression;
  readonly set: ValueSet;
  readonly isNegated: boolean;
}

export interface Between {
  readonly kind: "between";
  readonly operand: Expression;
  readonly from: Expression;
  readonly to: Expression;
  readonly isNegated: boolean;
}

export interface Like {
  readonly kind: "like";
  readonly operand: Expression;
  readonly pattern: Expression;
  /** A value that does not depend on columns. */
  readonly escape: Expression | null;
  readonly isNegated: boolean;
}

/** Returns the direct operands of an expression. */
export function operandsOf(expression: Expression): readonly Expression[] {
  switch (expression.kind) {
    case "literal":
    case "parameter":
    case "column":
    case "query":
    case "exists":
      return [];
    case "not":
    case "negative":
    case "is-null":
    case "cast":
    case "in-query":
    case "in-set":
      return [expression.operand];
    case "case": {
      const { operand, branches, otherwise } = expression;
      const inBranches = branches.flatMap(({ when, result }) => [when, result]);
      return [operand, ...inBranches, otherwise].filter((each) => each !== null);
    }
    case "binary":
      return [expression.left, expression.right];
    case "in":
      return [expression.operand, ...expression.list];
    case "between":
      return [expression.operand, expression.from, expression.to];
    case "like": {
      const { operand, pattern, escape: sign } = expression;
      return sign === null ? [operand, pattern] : [operand, pattern, sign];
    }
    case "call":
      return expression.arguments ?? [];
  }
}

/** Returns an expression with other operands, or the same expression if all operands are the same. */
export function withOperands(
  expression: Expression,
  changed: (operand: Expression) => Expression,
): Expression {
  const before = operandsOf(expression);
  const after = before.map(changed);
  if (after.every((each, i) => each === before[i])) return expression;

  // In the order of `operandsOf`.
  const all = after.values();
  const next = () => all.next().value as Expression;
  const nextOf = (each: Expression | null) => (each === null ? null : next());
  switch (expression.kind) {
    case "literal":
    case "parameter":
    case "column":
    case "query":
    case "exists":
      return expression;
    case "not":
    case "negative":
    case "is-null":
    case "cast":
    case "in-query":
    case "in-set":
      return { ...expression, operand: next() };
    case "case": {
      const operand = nextOf(expression.operand);
      const branches = expression.branches.map(() => ({ when: next(), result: next() }));
      return { kind: "case", operand, branches, otherwise: nextOf(expression.otherwise) };
    }
    case "binary":
      return { ...expression, left: next(), right: next() };
    case "in":
      return { ...expression, operand: next(), list: expression.list.map(next) };
    case "between":
      return { ...expression, operand: next(), from: next(), to: next() };
    case "like":
      return { ...expression, operand: next(), pattern: next(), escape: nextOf(expression.escape) };
    case "call":
      return { ...expression, arguments: after };
  }
}

/** Returns the query that is an operand of an expression, or undefined if there is none. */
export function queryIn(expression: Expression): Subquery | undefined {
  if (expression.kind === "query") return expression;
  return expression.kind === "in-query" || expression.kind === "exists" ? expression.source : undefined;
}

/** Returns the expressions of a change, without those in a query that an insert adds. */
export function expressionsOfChange(change: Insert | Update | Delete): readonly Expression[] {
  if (change.kind === "insert") return "rows" in change.source ? change.source.rows.flat() : [];
  const { where } = change;
  const values = change.kind === "update" ? change.changes.map(({ value }) => value) : [];
  return where === null ? values : [...values, where];
}

/** Returns the expressions of a select, without those in its sources. */
export function expressionsOf({
  fields,
  joins,
  where,
  groupBy,
  having,
  orderBy,
}: Select): readonly Expression[] {
  const all = [
    ...(fields ?? []).map(({ value }) => (value.kind === "all" ? null : value)),
    ...joins.map(({ on }) => on),
    ...[where, ...(groupBy ?? []), having],
    ...orderBy.map(({ by }) => by),
  ];
  return all.filter((each) => each !== null);
}
