/**
 * Executes the queries in expressions. A query that names no column of the statement around it is executed once, and
 * its value replaces it before the statement is planned. Any other query is executed for each row, and a further column
 * of the row has its value.
 */
import { STEP_ITEMS } from "../../../../protocol/steps.js";
import { standardText } from "../grammar/expression-text.js";
import { AGGREGATES } from "../grammar/functions.js";
import {
  type Column,
  type Expression,
  type Field,
  type Join,
  type OrderKey,
  operandsOf,
  type Query,
  queryIn,
  type Select,
  type SelectField,
  type Subquery,
  withOperands,
} from "../grammar/syntax-tree.js";
import { rowKey, type Scalar } from "../values/cell.js";
import { ValueSet } from "../values/value-set.js";
import { compiled, condition, countCalculated, rowScope } from "./compiled-expressions.js";
import {
  countRows,
  countScanned,
  type Evaluation,
  failure,
  holdRows,
  KEY_BYTES,
  spendExecution,
} from "./evaluation-context.js";
import {
  chainOf,
  NamesOuterRow,
  OuterRow,
  onceForRows,
  readAgain,
  resultsIn,
  type Tracked,
  tracked,
} from "./outer-rows.js";
import { CALCULATED, fold, indexOfColumn, positionOf, type Relation } from "./relation.js";
import type { RelationColumn, RelationRow } from "./relation-row.js";
import { isGrouped } from "./row-grouping.js";
import { ALL_FIELDS } from "./row-sorting.js";
import { conditionPartsOf } from "./select-rows.js";

/** Executes a query. */
export type Execute = (query: Query, evaluation: Evaluation) => Generator<void, Relation>;

/** What an expression needs of a query: a value, the values of its column, or whether it has rows. */
type Result = Scalar | ValueSet;

type Replaced = Generator<void, Expression>;
type QueryExpression = Extract<Expression, { kind: "query" | "in-query" | "exists" }>;

/** Maximum number of values, of all results of a query, that are stored for further rows with the same values. */
const KNOWN_VALUES_MAX = 100_000;
/** Number of rows in one step, for each of which queries are executed. */
const EXECUTED_ROWS_A_STEP = 16;

/** A query that is executed for each row. */
class RowQuery {
  readonly expression: QueryExpression;
  readonly query: Subquery;
  /** Indexes of the columns of the row that the query names. */
  readonly named = new Set<number>();
  /** Results by the values of these columns. */
  readonly #known = new Map<string, Tracked<Result>>();
  #values = 0;
  #held = 0;

  constructor(expression: QueryExpression) {
    this.expression = expression;
    this.query = queryIn(expression) as Subquery;
  }

  *resultFor(
    row: RelationRow,
    { outer, evaluation }: { readonly outer: OuterRow; readonly evaluation: Evaluation },
    execute: () => Generator<void, Result>,
  ): Generator<void, Result> {
    countRows(evaluation, 1);
    const known = this.#known.get(this.#keyOf(row));
    if (known !== undefined) {
      readAgain(known);
      return known.value;
    }

    spendExecution(evaluation, this.query.text.length);
    const { size } = this.named;
    outer.named = this.named;
    outer.row = row;
    const { effort } = evaluation;
    const before = { held: effort.held, results: resultsIn(outer) };
    const result = yield* tracked(outer.outer, execute);

    // The rows of this execution are garbage now, unless a part of them is a result for further rows.
    if (resultsIn(outer) === before.results) effort.free(before.held);
    const values = result.value instanceof ValueSet ? result.value.size + 1 : 1;
    if (this.named.size > size || this.#values + values > KNOWN_VALUES_MAX) this.#forget();
    if (values <= KNOWN_VALUES_MAX) {
      this.#values += values;
      effort.hold(Math.max(0, this.#values - this.#held) * KEY_BYTES);
      this.#held = Math.max(this.#held, this.#values);
      this.#known.set(this.#keyOf(row), result);
    }

    return result.value;
  }

  #keyOf(row: RelationRow): string {
    return rowKey([...this.named].map((position) => row[position] ?? null));
  }

  #forget(): void {
    this.#known.clear();
    this.#values = 0;
  }
}

/** Queries that name columns of the rows of a statement, in the order in which they are executed. */
export class RowQueries {
  readonly #queries: RowQuery[] = [];
  readonly #outer: OuterRow;
  readonly #execute: (expression: QueryExpression) => Generator<void, Result>;
  readonly #evaluation: Evaluation;

  constructor(
    outer: OuterRow,
    execute: (expression: QueryExpression) => Generator<void, Result>,
    evaluation: Evaluation,
  ) {
    this.#outer = outer;
    this.#execute = execute;
    this.#evaluation = evaluation;
  }

  get isEmpty(): boolean {
    return this.#queries.length === 0;
  }

  get count(): number {
    return this.#queries.length;
  }

  /** Returns the column that contains the value of the query. */
  add(expression: QueryExpression): Expression {
    return {
      kind: "column",
      origin: CALCULATED,
      name: String(this.#queries.push(new RowQuery(expression)) - 1),
    };
  }

  /** The columns of the statement's rows, followed by those that contain the values of the queries. */
  get columns(): readonly RelationColumn[] {
    const added = this.#queries.map((_, i) => ({ origin: CALCULATED, name: String(i) }));
    return [...this.#outer.columns, ...added];
  }

  /** Yields the rows with the values of the queries, in the order of `columns`. */
  *extended(rows: readonly RelationRow[]): Generator<void, readonly RelationRow[]> {
    const extend = this.#compiled(rows.length);
    holdRows(this.#evaluation, rows.length, this.columns.length);
    const extended: RelationRow[] = [];
    for (const row of rows) if (extended.push(yield* extend(row)) % EXECUTED_ROWS_A_STEP === 0) yield;
    return extended;
  }

  /** Returns the indexes of the rows for which a condition holds that contains values of the queries. */
  *matching(rows: readonly RelationRow[], where: Expression): Generator<void, readonly number[]> {
    const extend = this.#compiled(rows.length);
    const holds = condition(where, rowScope(this.columns, this.#evaluation), this.#evaluation);
    countCalculated(this.#evaluation, rows.length, [where]);
    const indexes: number[] = [];
    for (const [i, row] of rows.entries()) {
      if (holds(yield* extend(row))) indexes.push(i);
      if (i % EXECUTED_ROWS_A_STEP === 0) yield;
    }
    return indexes;
  }

  /** Returns a function that extends a row. @param rows number of rows for which it will be called */
  #compiled(rows: number): (row: RelationRow) => Generator<void, RelationRow> {
    const scope = rowScope(this.columns, this.#evaluation);
    const queries = this.#queries.map((query) => {
      const { expression } = query;
      if (expression.kind !== "in-query") return { query, operand: null, isNegated: false };
      countCalculated(this.#evaluation, rows, [expression.operand]);
      const operand = compiled(expression.operand, scope, this.#evaluation);
      return { query, operand, isNegated: expression.isNegated };
    });
    const context = { outer: this.#outer, evaluation: this.#evaluation };
    const execute = this.#execute;
    return function* (row) {
      const extended = [...row];
      for (const { query, operand, isNegated } of queries) {
        const result = yield* query.resultFor(row, context, () => execute(query.expression));
        if (result instanceof ValueSet) {
          const truth = result.test(operand?.(extended) ?? null);
          extended.push(truth === null ? null : truth !== isNegated);
        } else extended.push(result);
      }
      return extended;
    };
  }
}

/** A condition in two parts. */
export interface SplitCondition {
  /** The part whose queries have been replaced by their values. */
  readonly early: Expression | null;
  /** The part that contains values of queries which are executed for each row. */
  readonly late: Expression | null;
}

/** Why a query that is executed for each row is refused at its place. */
type Refusal = "outerInOn" | "outerInGroups";

/** The queries in the expressions of one select, or of one change. */
export class Subqueries {
  /** The queries of the condition, and those of the fields and of the order. */
  readonly inCondition: RowQueries;
  readonly inFields: RowQueries;
  readonly #outer: OuterRow;
  readonly #execute: Execute;
  readonly #evaluation: Evaluation;
  readonly #sets = new Set<ValueSet>();

  /** @param columns the columns of the rows of the statement */
  constructor(columns: readonly RelationColumn[], execute: Execute, evaluation: Evaluation) {
    this.#outer = new OuterRow(columns, evaluation.outer);
    this.#execute = execute;
    this.#evaluation = evaluation;
    const forRow = (expression: QueryExpression) => this.#result(expression);
    this.inCondition = new RowQueries(this.#outer, forRow, evaluation);
    this.inFields = new RowQueries(this.#outer, forRow, evaluation);
  }

  /** Replaces the queries in a condition of rows. */
  *condition(where: Expression | null): Generator<void, SplitCondition> {
    if (where === null || !hasQuery(where)) return { early: where, late: null };
    const parts: Record<"early" | "late", Expression | null> = { early: null, late: null };
    for (const part of conditionPartsOf(where, "standard").parts) {
      const { count } = this.inCondition;
      const right = yield* this.replaced(part, this.inCondition);
      const time = this.inCondition.count > count ? "late" : "early";
      const left = parts[time];
      parts[time] = left === null ? right : { kind: "binary", operator: "and", left, right };
    }
    return parts;
  }

  /** @param place the queries to which one is added that must be executed for each row; or why it is refused */
  *replaced(expression: Expression, place: RowQueries | Refusal): Replaced {
    const parents = new Set<Expression>();
    findParents(expression, parents);
    return yield* this.#replaced(expression, parents, place);
  }

  *#replaced(
    expression: Expression,
    parents: ReadonlySet<Expression>,
    place: RowQueries | Refusal,
  ): Replaced {
    if (!parents.has(expression)) return expression;
    const operands = new Map<Expression, Expression>();
    for (const each of operandsOf(expression))
      operands.set(each, yield* this.#replaced(each, parents, place));
    const result = withOperands(expression, (each) => operands.get(each) as Expression);
    return isQueryExpression(result) ? yield* this.#valueOf(result, place) : result;
  }

  *#valueOf(expression: QueryExpression, place: RowQueries | Refusal): Replaced {
    try {
      this.#outer.row = null;
      const result = yield* this.#result(expression);
      if (!(result instanceof ValueSet)) return { kind: "literal", value: result, isCalculated: true };
      if (expression.kind !== "in-query") throw new Error("values without an operand");
      const { operand, isNegated } = expression;
      return { kind: "in-set", operand, set: yield* this.#shared(result), isNegated };
    } catch (problem) {
      if (!(problem instanceof NamesOuterRow) || problem.outer !== this.#outer) throw problem;
      if (typeof place !== "string") return place.add(expression);
      const { origin, name } = problem.column;
      throw failure(this.#evaluation, place, origin === null ? name : `${origin}.${name}`);
    }
  }

  /** Executes a query for the current row, unless its result is known. */
  *#result(expression: QueryExpression): Generator<void, Result> {
    const subquery = queryIn(expression) as Subquery;
    const execute = () => this.#executed(expression.kind, subquery.query);
    return yield* onceForRows(subquery, this.#outer, execute);
  }

  *#executed(kind: QueryExpression["kind"], query: Query): Generator<void, Result> {
    const evaluation = { ...this.#evaluation, outer: this.#outer };
    const { columns, rows } = yield* this.#execute(query, evaluation);
    if (kind === "exists") return rows.length > 0;
    if (columns.length !== 1) throw failure(evaluation, "subqueryWidth", String(columns.length));
    if (kind === "in-query") return yield* setOf(rows, evaluation);
    if (rows.length > 1) throw failure(evaluation, "subqueryRows", String(rows.length));
    return rows[0]?.[0] ?? null;
  }

  /** Returns a set that is the same for all queries with the same values, so that their expressions are equal. */
  *#shared(set: ValueSet): Generator<void, ValueSet> {
    for (const other of this.#sets) {
      countScanned(this.#evaluation, Math.min(set.size, other.size));
      if (yield* set.isSame(other)) return other;
    }
    this.#sets.add(set);
    return set;
  }
}

/** A select whose queries have been replaced, and what remains to be done for each row. */
export interface PreparedSelect {
  readonly select: Select;
  /** The part of the condition that contains values of queries which are executed for each row. */
  readonly late: Expression | null;
}

/** Replaces the queries in the expressions of a select. A field keeps the name that it has with the query. */
export function* prepared(select: Select, queries: Subqueries): Generator<void, PreparedSelect> {
  const inRow = isGrouped(select, "standard") ? "outerInGroups" : queries.inFields;
  const fields: SelectField[] = [];
  for (const { value, alias } of select.fields ?? [])
    fields.push(
      value.kind === "all"
        ? { value, alias: null }
        : withValue({ value, alias }, yield* queries.replaced(value, inRow)),
    );

  const joins: Join[] = [];
  for (const join of select.joins)
    joins.push({ ...join, on: join.on && (yield* queries.replaced(join.on, "outerInOn")) });
  const { early, late } = yield* queries.condition(select.where);
  const groupBy: Expression[] = [];
  for (const key of select.groupBy ?? []) groupBy.push(yield* queries.replaced(key, "outerInGroups"));
  const having = select.having && (yield* queries.replaced(select.having, "outerInGroups"));
  const orderBy: OrderKey[] = [];
  for (const key of select.orderBy) orderBy.push({ ...key, by: yield* queries.replaced(key.by, inRow) });
  const hasFields = select.fields !== null || !queries.inFields.isEmpty;
  return {
    select: {
      ...select,
      fields: !hasFields ? null : select.fields === null ? ALL_FIELDS : fields,
      joins,
      where: early,
      groupBy: select.groupBy && groupBy,
      having,
      orderBy,
    },
    late,
  };
}

function* setOf(rows: readonly RelationRow[], evaluation: Evaluation): Generator<void, ValueSet> {
  countRows(evaluation, rows.length);
  const set = new ValueSet();
  for (const [i, [value = null]] of rows.entries()) {
    const { size } = set;
    set.add(value);
    if (set.size > size) evaluation.effort.hold(KEY_BYTES);
    if (i % STEP_ITEMS === STEP_ITEMS - 1) yield;
  }
  return set;
}

const isQueryExpression = (expression: Expression): expression is QueryExpression =>
  queryIn(expression) !== undefined;

const hasQuery = (expression: Expression): boolean =>
  isQueryExpression(expression) || operandsOf(expression).some(hasQuery);

/** Finds the expressions that contain queries. Returns whether the given expression is one of them. */
function findParents(expression: Expression, parents: Set<Expression>): boolean {
  let isParent = isQueryExpression(expression);
  for (const each of operandsOf(expression)) if (findParents(each, parents)) isParent = true;
  if (isParent) parents.add(expression);
  return isParent;
}

/**
 * Replaces the columns of enclosing queries that a select names by their values.
 * @param columns the columns of the select's own sources, which take precedence
 * @throws NamesOuterRow if a row is not known yet
 * @throws CommandFailure if there is no such column
 */
export function withOuterValues(
  select: Select,
  columns: readonly RelationColumn[],
  evaluation: Evaluation,
): Select {
  if (evaluation.outer === undefined) return select;
  const aliases = new Set((select.fields ?? []).map(({ alias }) => (alias === null ? null : fold(alias))));
  let unknown: NamesOuterRow | null = null;
  const valueIn = (column: Column): Expression => {
    if (indexOfColumn(column, columns, evaluation) !== undefined) return column;
    for (const outer of chainOf(evaluation.outer)) {
      const position = indexOfColumn(column, outer.columns, evaluation);
      if (position === undefined) continue;
      if (outer.row === null) unknown ??= new NamesOuterRow(outer, column);
      outer.reads++;
      outer.named.add(position);
      return { kind: "literal", value: outer.row?.[position] ?? null, isCalculated: true };
    }

    // The names of other queries are checked although the query may not be executed for any row.
    if (column.isQuoted !== true) positionOf(column, columns, evaluation);
    return column;
  };

  const inRow = (each: Expression): Expression => {
    if (each.kind === "column") return valueIn(each);
    checkAggregate(each, columns, evaluation);
    return withOperands(each, inRow);
  };

  const afterFields = (each: Expression): Expression => {
    if (each.kind === "column" && each.origin === null && aliases.has(fold(each.name))) return each;
    if (each.kind === "column") return valueIn(each);
    checkAggregate(each, columns, evaluation);
    return withOperands(each, afterFields);
  };
  const replaced = {
    ...select,
    fields:
      select.fields?.map(({ value, alias }): SelectField => {
        return value.kind === "all" ? { value, alias: null } : withValue({ value, alias }, inRow(value));
      }) ?? null,
    joins: select.joins.map((join) => ({ ...join, on: join.on && inRow(join.on) })),
    where: select.where && inRow(select.where),
    groupBy: select.groupBy?.map(afterFields) ?? null,
    having: select.having && afterFields(select.having),
    orderBy: select.orderBy.map((key) => ({ ...key, by: afterFields(key.by) })),
  };
  if (unknown !== null) throw unknown;

  return replaced;
}

/**
 * Refuses an aggregate of columns that only belong to enclosing queries. In standard SQL, it would be an aggregate of
 * such a query.
 * @throws CommandFailure
 */
function checkAggregate(call: Expression, columns: readonly RelationColumn[], evaluation: Evaluation): void {
  if (call.kind !== "call" || !AGGREGATES.has(call.name.toLowerCase())) return;
  const named = columnsIn(call).filter(({ isQuoted }) => isQuoted !== true);
  const isOuter = (column: Column) => indexOfColumn(column, columns, evaluation) === undefined;
  if (named.length > 0 && named.every(isOuter)) throw failure(evaluation, "outerAggregate", call.name);
}

const columnsIn = (expression: Expression): readonly Column[] =>
  expression.kind === "column" ? [expression] : operandsOf(expression).flatMap(columnsIn);

/** Returns a field with another value. It keeps the name that it has without an alias. */
function withValue({ value: before, alias }: Field, value: Expression): Field {
  if (value === before) return { value, alias };
  return { value, alias: alias ?? (before.kind === "column" ? before.name : standardText(before)) };
}
