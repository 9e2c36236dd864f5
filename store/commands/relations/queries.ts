/** Queries, from their sources to the rows that are answered. Each step adds to the relation's name, as in the original. */
import type { ByteString } from "../../../protocol/byte-string.js";
import { expressionText } from "../../sql/expression-text.js";
import type { Expression, Field, Limit, Query, Select, SetOperator, Source } from "../../sql/tree.js";
import { rowKey } from "../../values/relations/cell.js";
import { numberOfText } from "../../values/relations/domain.js";
import { tableNamed, viewNamed } from "./catalogue.js";
import { type Compiled, compiled, constantOf, rowScope, type Scope } from "./compiled.js";
import { checkColumns, checkSize, type Evaluation, failure, SOURCE_WORK, spend } from "./evaluation.js";
import { groupsOf, isGrouped } from "./grouping.js";
import { joined, naturallyJoined } from "./joining.js";
import {
  type Relation,
  type RelationColumn,
  type RelationRow,
  tableRelation,
  withoutDuplicates,
} from "./relation.js";
import { isTrue, sortOrder } from "./scalars.js";
import { selected } from "./selection.js";

/** Views within views: each takes stack. */
const VIEWS_MAX = 8;

/** What there is to select from where nothing is named: one row. */
const DUAL: Relation = { name: "dual", columns: [], rows: [[]], table: null, isSet: true };

/** @param depth  how many views it stands in @throws CommandFailure */
export function answered(query: Query, evaluation: Evaluation, depth = 0): Relation {
  if (query.kind === "select") return answeredSelect(query, evaluation, depth);
  const left = answered(query.left, evaluation, depth);
  const right = answered(query.right, evaluation, depth);
  if (left.columns.length !== right.columns.length) {
    const widths = [left, right].flatMap(({ name, columns }) => [name, String(columns.length)]);
    throw failure(evaluation, "differentWidths", ...widths);
  }
  return together(query.operator, left, right);
}

const SET_NAMES: Readonly<Record<SetOperator, string>> = {
  union: "Union",
  difference: "diff",
  intersection: "inter",
};

function together(operator: SetOperator, left: Relation, right: Relation): Relation {
  const name = `${left.name}_${SET_NAMES[operator]}_${right.name}`;
  const { columns } = left;
  if (operator === "union") {
    const rows = withoutDuplicates([...left.rows, ...right.rows]);
    return { name, columns, rows, table: null, isSet: true };
  }
  const others = new Set(right.rows.map(rowKey));
  if (operator === "difference") {
    const rows = left.rows.filter((row) => !others.has(rowKey(row)));
    return { name, columns, rows, table: null, isSet: left.isSet };
  }
  const rows = withoutDuplicates(left.rows.filter((row) => others.has(rowKey(row))));
  return { name, columns, rows, table: null, isSet: true };
}

function answeredSelect(select: Select, evaluation: Evaluation, depth: number): Relation {
  const { source, fields, where, groupBy, orderBy, limit } = select;
  checkColumns(evaluation, Math.max(fields?.length ?? 0, groupBy?.length ?? 0, orderBy.length));
  if (source === null && fields === null) throw failure(evaluation, "noSource");
  let relation = source === null ? DUAL : combined(select, source, evaluation, depth);
  if (where !== null) relation = selected(relation, where, evaluation);
  relation = isGrouped(select) ? grouped(relation, select, evaluation) : shaped(relation, select, evaluation);
  if (select.isDistinct)
    relation = {
      ...relation,
      name: `${relation.name}_distinct`,
      rows: withoutDuplicates(relation.rows),
      table: null,
      isSet: true,
    };
  return limit === null ? relation : limited(relation, limit, evaluation);
}

/** All sources, joined. */
function combined({ joins }: Select, source: Source, evaluation: Evaluation, depth: number): Relation {
  if (joins.length === 0) return sourceRelation(source, evaluation, depth);
  const aliases = new Set<ByteString>();
  const read = (each: Source): Relation => {
    if (each.alias !== null && aliases.has(each.alias)) throw failure(evaluation, "aliasUsed", each.alias);
    if (each.alias !== null) aliases.add(each.alias);
    return sourceRelation(each, evaluation, depth);
  };
  let relation = read(source);
  for (const join of joins) {
    const right = read(join.source);
    if (join.kind === "natural") {
      relation = naturallyJoined(relation, right, evaluation);
      if (join.on !== null) relation = selected(relation, join.on, evaluation);
    } else relation = joined(relation, right, join, evaluation);
  }
  return relation;
}

function sourceRelation(source: Source, evaluation: Evaluation, depth: number): Relation {
  spend(evaluation, SOURCE_WORK);
  if (source.kind === "derived") return withOrigin(answered(source.query, evaluation, depth), source.alias);
  const { name, alias } = source;
  const view = viewNamed(evaluation, name);
  if (view === undefined) return tableRelation(name, alias ?? name, tableNamed(evaluation, name).value);
  if (depth === VIEWS_MAX) throw failure(evaluation, "nestedViews", String(VIEWS_MAX));
  return { ...withOrigin(answered(view, evaluation, depth + 1), alias ?? name), name };
}

function withOrigin({ columns, ...rest }: Relation, origin: ByteString): Relation {
  return { ...rest, columns: columns.map(({ name }) => ({ name, origin })) };
}

/** Sorted, and its fields calculated. */
function shaped(relation: Relation, select: Select, evaluation: Evaluation): Relation {
  const scope = rowScope(relation.columns, evaluation);
  const { fields } = select;
  const isSorted = select.orderBy.length > 0;
  const rows = isSorted ? sorted(relation.rows, select, scope, evaluation)() : null;
  const { columns, isSet } = relation;
  const name = isSorted ? `${relation.name}_order` : relation.name;
  if (fields === null) return rows === null ? relation : { name, columns, rows, table: null, isSet };
  const made = fields.map(({ value }) => compiled(value, scope, evaluation));
  return projected(name, rows ?? relation.rows, fields, made, evaluation);
}

function projected(
  name: ByteString,
  rows: readonly RelationRow[],
  fields: readonly Field[],
  made: readonly Compiled[],
  evaluation: Evaluation,
): Relation {
  checkSize(evaluation, rows.length, fields.length);
  return {
    name: `${name}_projection`,
    columns: fields.map(columnOf),
    rows: rows.map((row) => made.map((each) => each(row))),
    table: null,
    isSet: false,
  };
}

function columnOf({ value, alias }: Field): RelationColumn {
  if (alias !== null) return { name: alias, origin: null };
  return value.kind === "column"
    ? { name: value.name, origin: value.origin }
    : { name: expressionText(value), origin: null };
}

function grouped(relation: Relation, select: Select, evaluation: Evaluation): Relation {
  const { fields, having, groupBy } = select;
  if (fields === null) throw failure(evaluation, "groupedAll");
  const groups = groupsOf(relation, groupBy ?? [], evaluation);
  const { scope } = groups;
  const made = fields.map(({ value }) => compiled(value, scope, evaluation));
  const holds = having === null ? null : compiled(having, scope, evaluation);
  const sort = select.orderBy.length > 0 ? sorted(null, select, scope, evaluation) : null;
  const all = groups.rows();
  const kept = holds === null ? all : all.filter((row) => isTrue(holds(row)));
  const rows = sort === null ? kept : sort(kept);
  const name = `${relation.name}_groupBy${holds === null ? "" : "_having"}${sort === null ? "" : "_order"}`;
  return { ...projected(name, rows, fields, made, evaluation), name };
}

/** @param given  null: they come when everything has been compiled @returns what sorts */
function sorted(
  given: readonly RelationRow[] | null,
  { orderBy, fields }: Select,
  scope: Scope,
  evaluation: Evaluation,
): (rows?: readonly RelationRow[]) => readonly RelationRow[] {
  const keys = orderBy.map(({ by, isFalling }) => ({
    value: compiled(meant(by, fields), scope, evaluation),
    sign: isFalling ? -1 : 1,
  }));
  return (rows = given ?? []) => {
    spend(evaluation, rows.length);
    return rows
      .map((row) => ({ row, by: keys.map(({ value }) => value(row)) }))
      .sort((a, b) => {
        for (const [i, { sign }] of keys.entries()) {
          const order = sortOrder(a.by[i] ?? null, b.by[i] ?? null);
          if (order !== 0) return sign * order;
        }
        return 0;
      })
      .map(({ row }) => row);
  };
}

/** A field by the name that the query gives it. */
function meant(by: Expression, fields: Select["fields"]): Expression {
  if (by.kind !== "column" || by.origin !== null) return by;
  return fields?.find(({ alias }) => alias === by.name)?.value ?? by;
}

function limited(relation: Relation, { from, to, count }: Limit, evaluation: Evaluation): Relation {
  const start = from === null ? 0 : wholeNumber(from, evaluation);
  const end =
    count !== null
      ? start + wholeNumber(count, evaluation)
      : to === null
        ? undefined
        : wholeNumber(to, evaluation);
  return {
    name: `${relation.name}_limit`,
    columns: relation.columns,
    rows: relation.rows.slice(start, end),
    table: null,
    isSet: relation.isSet,
  };
}

function wholeNumber(bound: Expression, evaluation: Evaluation): number {
  const value = constantOf(bound, evaluation);
  const number = typeof value === "string" ? numberOfText(value) : value;
  if (typeof number !== "number" || !Number.isSafeInteger(number) || number < 0)
    throw failure(evaluation, "wrongLimit", String(value));
  return number;
}
