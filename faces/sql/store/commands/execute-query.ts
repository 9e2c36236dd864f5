/**
 * Executes queries, from their sources to the rows of the reply. Each operation adds a suffix to the name of the
 * relation, as in the database that `--sql` replaces.
 */
import type { ByteString } from "../../../../protocol/byte-string.js";
import { finish, STEP_ITEMS } from "../../../../protocol/steps.js";
import { expressionText, standardText } from "../grammar/expression-text.js";
import { namesIn } from "../grammar/query-names.js";
import type {
  Expression,
  Field,
  Limit,
  Query,
  Select,
  SetOperator,
  SetQuery,
  Source,
} from "../grammar/syntax-tree.js";
import { rowKey } from "../values/cell.js";
import { numberOfText } from "../values/number-text.js";
import { findSources, ofView } from "./catalogue.js";
import type { Compiled } from "./comparisons.js";
import { compiled, condition, constantOf, countCalculated, rowsAStep } from "./compiled-expressions.js";
import {
  checkColumns,
  checkSize,
  countRows,
  type Evaluation,
  failure,
  holdRows,
  holdTexts,
  KEY_BYTES,
  spend,
  spendSource,
} from "./evaluation-context.js";
import { joinedSources } from "./joins.js";
import { isRepeated, onceForRows } from "./outer-rows.js";
import { joinedColumns, type Relation, tableRelation, withoutDuplicates } from "./relation.js";
import type { RelationColumn, RelationRow } from "./relation-row.js";
import { groupsOf, isGrouped } from "./row-grouping.js";
import { allFields, sorted, sortedBy, sortKeys } from "./row-sorting.js";
import { filtered, selected } from "./select-rows.js";
import type { View } from "./sources.js";
import { type Execute, prepared, Subqueries, withOuterValues } from "./subqueries.js";

/** Maximum nesting of views: each level uses stack space. */
const VIEWS_MAX = 8;

/** The source of a select that names no source: one row without columns. */
const DUAL: Relation = { name: "dual", columns: [], rows: [[]], table: null, isSet: true };

/**
 * Returns the result of a query in a writing statement. Works in one step, since no other command may run before the
 * statement ends.
 * @throws CommandFailure
 */
export function answered(query: Query, evaluation: Evaluation, depth = 0): Relation {
  return finish(answering(query, evaluation, depth));
}

/**
 * Returns the result of a query on the current tables; rows are found in steps.
 * @param depth number of views around the query
 * @throws CommandFailure
 */
export function answering(query: Query, evaluation: Evaluation, depth = 0): Generator<void, Relation> {
  findSources(namesIn(query), evaluation);
  return released(answeredQuery(query, evaluation, depth), evaluation);
}

function* released(work: Generator<void, Relation>, { sources }: Evaluation): Generator<void, Relation> {
  try {
    return yield* work;
  } finally {
    sources.release();
  }
}

/** Returns the result of a query whose sources have been found. */
export function* answeredQuery(
  query: Query,
  evaluation: Evaluation,
  depth: number,
): Generator<void, Relation> {
  if (query.kind === "select") return yield* answeredSelect(query, evaluation, depth);
  if (query.operator === "union-all")
    return yield* ended(yield* chained(query, evaluation, depth), query, evaluation);

  const left = yield* answeredQuery(query.left, evaluation, depth);
  const right = yield* answeredQuery(query.right, evaluation, depth);
  checkWidths(left, right, evaluation);
  const all = yield* together(query.operator, { left, right }, evaluation);
  return yield* ended(all, query, evaluation);
}

type Named = Pick<Relation, "name" | "columns">;

/** @throws CommandFailure if the relations have different numbers of columns */
function checkWidths(left: Named, right: Named, evaluation: Evaluation): void {
  if (left.columns.length === right.columns.length) return;
  const widths = [left, right].flatMap(({ name, columns }) => [name, String(columns.length)]);
  throw failure(evaluation, "differentWidths", ...widths);
}

/** Returns the queries that a chain of `union all` combines. */
function linksOf({ left, right }: SetQuery): readonly [Query, ...Query[]] {
  const isLink =
    left.kind === "set" && left.operator === "union-all" && left.orderBy.length === 0 && left.limit === null;
  return isLink ? [...linksOf(left), right] : [left, right];
}

/** Executes a chain of `union all`. All rows are added to one list, so that no link copies the rows before it. */
function* chained(query: SetQuery, evaluation: Evaluation, depth: number): Generator<void, Relation> {
  const [first, ...others] = linksOf(query);
  const { columns, ...left } = yield* answeredQuery(first, evaluation, depth);
  let { name } = left;
  const rows: RelationRow[] = [];
  yield* append(rows, left.rows, evaluation);
  for (const each of others) {
    const right = yield* answeredQuery(each, evaluation, depth);
    checkWidths({ name, columns }, right, evaluation);
    checkSize(evaluation, rows.length + right.rows.length, columns.length);
    yield* append(rows, right.rows, evaluation);
    name = nameOfSet("union-all", name, right.name);
  }

  return { name, columns, rows, table: null, isSet: false };
}

/** Memory of a row in a further list. */
const REFERENCE_BYTES = 8;

/** Adds rows to a list in steps. */
function* append(list: RelationRow[], rows: readonly RelationRow[], evaluation: Evaluation): Generator<void> {
  spend(evaluation, rows.length);
  countRows(evaluation, rows.length);
  evaluation.effort.hold(rows.length * REFERENCE_BYTES);
  for (const [i, row] of rows.entries()) {
    list.push(row);
    if (i % STEP_ITEMS === STEP_ITEMS - 1) yield;
  }
}

/** Sorts the result of a set operation by its columns, and applies the limit of the query. */
function* ended(relation: Relation, { orderBy, limit }: SetQuery, evaluation: Evaluation) {
  let all = relation;
  if (orderBy.length > 0) {
    checkColumns(evaluation, orderBy.length);
    const { name, columns, isSet } = relation;
    const { fields, scope } = allFields(null, columns, evaluation);
    const rows = yield* sorted(relation.rows, { orderBy, fields }, scope, evaluation);
    all = { name: `${name}_order`, columns, rows, table: null, isSet };
  }
  return limit === null ? all : limited(all, limit, evaluation);
}

const SET_NAMES: Readonly<Record<SetOperator, string>> = {
  union: "Union",
  "union-all": "UnionAll",
  difference: "diff",
  intersection: "inter",
};

const nameOfSet = (operator: SetOperator, left: ByteString, right: ByteString) =>
  `${left}_${SET_NAMES[operator]}_${right}`;

function* together(
  operator: Exclude<SetOperator, "union-all">,
  { left, right }: { readonly left: Relation; readonly right: Relation },
  evaluation: Evaluation,
): Generator<void, Relation> {
  const { form } = evaluation;
  const name = nameOfSet(operator, left.name, right.name);
  const { columns } = left;
  if (operator === "union") {
    const all: RelationRow[] = [];
    for (const { rows } of [left, right]) yield* append(all, rows, evaluation);
    const rows = yield* withoutDuplicates(all, evaluation);
    return { name, columns, rows, table: null, isSet: true };
  }

  countRows(evaluation, left.rows.length + right.rows.length);
  evaluation.effort.hold(right.rows.length * KEY_BYTES);
  const others = new Set<string>();
  for (const [i, row] of right.rows.entries()) {
    others.add(rowKey(row));
    if (i % STEP_ITEMS === STEP_ITEMS - 1) yield;
  }

  const isKept = operator === "intersection";
  const rows = yield* filtered(
    left.rows,
    (row) => others.has(rowKey(row)) === isKept,
    STEP_ITEMS,
    evaluation,
  );
  // In the original form a difference retains equal rows.
  if (operator === "difference" && form === "original")
    return { name, columns, rows, table: null, isSet: left.isSet };

  return { name, columns, rows: yield* withoutDuplicates(rows, evaluation), table: null, isSet: true };
}

function* answeredSelect(written: Select, evaluation: Evaluation, depth: number): Generator<void, Relation> {
  const { source, fields, groupBy, orderBy, limit } = written;
  checkColumns(evaluation, Math.max(fields?.length ?? 0, groupBy?.length ?? 0, orderBy.length));
  if (source === null && fields === null) throw failure(evaluation, "noSource");

  const relations = yield* sourcesOf(written, evaluation, depth);
  const isPlain = written.hasSubqueries !== true && evaluation.outer === undefined;
  const columns = isPlain ? [] : columnsOfAll(relations, written, evaluation);
  const named = withOuterValues(written, columns, evaluation);
  const execute: Execute = (query, within) => answeredQuery(query, within, depth);
  const queries = named.hasSubqueries === true ? new Subqueries(columns, execute, evaluation) : null;
  const { select, late } = queries === null ? { select: named, late: null } : yield* prepared(named, queries);
  let relation = yield* combined(relations, select, evaluation);
  if (queries !== null) relation = yield* withRowQueries(relation, queries, late);
  relation = isGrouped(select, evaluation.form)
    ? yield* grouped(relation, select, evaluation)
    : yield* shaped(relation, select, evaluation);
  if (select.isDistinct) {
    countRows(evaluation, relation.rows.length);
    relation = {
      ...relation,
      name: `${relation.name}_distinct`,
      rows: yield* withoutDuplicates(relation.rows, evaluation),
      table: null,
      isSet: true,
    };
  }

  return limit === null ? relation : limited(relation, limit, evaluation);
}

/** Applies the queries that are executed for each row. @param late a condition with their values */
function* withRowQueries(
  relation: Relation,
  { inCondition, inFields }: Subqueries,
  late: Expression | null,
): Generator<void, Relation> {
  const all = relation.rows;
  const rows =
    late === null ? all : (yield* inCondition.matching(all, late)).map((at) => all[at] as RelationRow);
  if (inFields.isEmpty) return late === null ? relation : { ...relation, rows, table: null };
  return { ...relation, columns: inFields.columns, rows: yield* inFields.extended(rows), table: null };
}

/** Returns the columns of all sources together. @throws CommandFailure if there are too many */
function columnsOfAll(
  relations: readonly Relation[],
  { joins }: Select,
  evaluation: Evaluation,
): readonly RelationColumn[] {
  let [columns, ...others] = relations.map((relation) => relation.columns) as [
    readonly RelationColumn[],
    ...(readonly RelationColumn[])[],
  ];
  for (const [i, right] of others.entries()) {
    checkColumns(evaluation, columns.length + right.length);
    columns = joinedColumns(columns, right, joins[i]?.kind ?? "inner").columns;
  }

  return columns;
}

/** Joins all sources, and returns the rows that meet the condition. */
function* combined(
  relations: readonly Relation[],
  select: Select,
  evaluation: Evaluation,
): Generator<void, Relation> {
  const [only] = relations as [Relation];
  const { where } = select;
  if (relations.length > 1) return yield* joinedSources(relations, select, evaluation);
  return where === null ? only : yield* selected(only, where, evaluation);
}

function* sourcesOf(
  { source, joins }: Select,
  evaluation: Evaluation,
  depth: number,
): Generator<void, readonly Relation[]> {
  if (source === null) return [DUAL];
  if (joins.length === 0) return [yield* sourceRelation(source, evaluation, depth)];

  const aliases = new Set<ByteString>();
  const read = function* (each: Source): Generator<void, Relation> {
    if (each.alias !== null && aliases.has(each.alias)) throw failure(evaluation, "aliasUsed", each.alias);
    if (each.alias !== null) aliases.add(each.alias);
    return yield* sourceRelation(each, evaluation, depth);
  };
  const relations = [yield* read(source)];
  for (const join of joins) relations.push(yield* read(join.source));
  return relations;
}

function* sourceRelation(source: Source, evaluation: Evaluation, depth: number): Generator<void, Relation> {
  spendSource(evaluation, isRepeated(evaluation.outer));
  const { outer } = evaluation;
  if (source.kind === "derived") {
    const execute = () => answeredQuery(source.query, evaluation, depth);
    return withOrigin(yield* onceForRows(source, outer, execute), source.alias);
  }

  const { name, alias } = source;
  const namedSource = evaluation.sources.named(name);
  if (namedSource.kind === "table") return tableRelation(name, alias ?? name, namedSource);

  const rows = yield* onceForRows(namedSource, outer, () => viewRows(namedSource.view, evaluation, depth));
  return { ...withOrigin(rows, alias ?? name), name };
}

function* viewRows(view: View, evaluation: Evaluation, depth: number): Generator<void, Relation> {
  // The length of the view's text is counted, because parsing a long view takes time.
  spend(evaluation, view.chars);
  if (depth === VIEWS_MAX) throw failure(evaluation, "nestedViews", String(VIEWS_MAX));
  return yield* answeredQuery(view.parsed.statement.query, ofView(view, evaluation), depth + 1);
}

function withOrigin({ columns, ...rest }: Relation, origin: ByteString): Relation {
  return { ...rest, columns: columns.map(({ name }) => ({ name, origin })) };
}

/** Sorts the rows and calculates the fields. */
function* shaped(relation: Relation, select: Select, evaluation: Evaluation): Generator<void, Relation> {
  const isSorted = select.orderBy.length > 0;
  const { columns, isSet } = relation;
  if (select.fields === null && !isSorted) return relation;
  const { scope, fields } = allFields(select.fields, columns, evaluation);
  const keys = { orderBy: select.orderBy, fields };
  const rows = isSorted ? yield* sorted(relation.rows, keys, scope, evaluation) : null;
  const name = isSorted ? `${relation.name}_order` : relation.name;
  if (select.fields === null) return { name, columns, rows: rows ?? relation.rows, table: null, isSet };
  const compiledFields = fields.map(({ value }) => compiled(value, scope, evaluation));
  return yield* projected(name, rows ?? relation.rows, { fields, compiledFields }, evaluation);
}

function* projected(
  name: ByteString,
  rows: readonly RelationRow[],
  {
    fields,
    compiledFields,
  }: { readonly fields: readonly Field[]; readonly compiledFields: readonly Compiled[] },
  evaluation: Evaluation,
): Generator<void, Relation> {
  checkSize(evaluation, rows.length, fields.length);
  holdRows(evaluation, rows.length, fields.length);
  const result: RelationRow[] = [];
  const values = fields.map(({ value }) => value);
  countCalculated(evaluation, rows.length, values);
  const step = rowsAStep(values);
  const isCalculated = values.some(({ kind }) => kind !== "column");
  for (const row of rows) {
    const cells = compiledFields.map((each) => each(row));
    if (isCalculated) holdTexts(evaluation, cells);
    if (result.push(cells) % step === 0 || evaluation.effort.endsSlice()) yield;
  }

  return {
    name: `${name}_projection`,
    columns: fields.map((field) => columnOf(field, evaluation)),
    rows: result,
    table: null,
    isSet: false,
  };
}

function columnOf({ value, alias }: Field, { form }: Evaluation): RelationColumn {
  if (alias !== null) return { name: alias, origin: null };
  if (value.kind === "column") return { name: value.name, origin: value.origin };
  return { name: form === "standard" ? standardText(value) : expressionText(value), origin: null };
}

function* grouped(relation: Relation, select: Select, evaluation: Evaluation): Generator<void, Relation> {
  const { having } = select;
  if (select.fields === null) throw failure(evaluation, "groupedAll");

  const { fields } = allFields(select.fields, relation.columns, evaluation);
  const groups = groupsOf(relation, select, fields, evaluation);
  const { scope } = groups;
  const compiledFields = fields.map(({ value }) => compiled(value, scope, evaluation));
  const holds = having === null ? null : condition(having, scope, evaluation);
  const keys =
    select.orderBy.length > 0 ? sortKeys({ orderBy: select.orderBy, fields }, scope, evaluation) : null;
  const all = yield* groups.rows();
  if (having !== null) countCalculated(evaluation, all.length, [having]);
  const remaining =
    holds === null || having === null ? all : yield* filtered(all, holds, rowsAStep([having]), evaluation);
  const rows = keys === null ? remaining : yield* sortedBy(remaining, keys, evaluation);
  const name = `${relation.name}_groupBy${holds === null ? "" : "_having"}${keys === null ? "" : "_order"}`;
  return { ...(yield* projected(name, rows, { fields, compiledFields }, evaluation)), name };
}

function limited(relation: Relation, { from, to, count }: Limit, evaluation: Evaluation): Relation {
  const start = from === null ? 0 : nonNegativeInteger(from, evaluation);
  const end =
    count !== null
      ? start + nonNegativeInteger(count, evaluation)
      : to === null
        ? undefined
        : nonNegativeInteger(to, evaluation);
  return {
    name: `${relation.name}_limit`,
    columns: relation.columns,
    rows: relation.rows.slice(start, end),
    table: null,
    isSet: relation.isSet,
  };
}

function nonNegativeInteger(bound: Expression, evaluation: Evaluation): number {
  const value = constantOf(bound, evaluation);
  const number = typeof value === "string" ? numberOfText(value) : value;
  if (typeof number !== "number" || !Number.isSafeInteger(number) || number < 0)
    throw failure(evaluation, "wrongLimit", String(value));
  return number;
}
