/** Rows put together, and what is told of each group: count, sum, avg, min, max. Null counts for nothing. */
import type { Call, Column, Expression, Select } from "../../sql/tree.js";
import { rowKey, type Scalar } from "../../values/relations/cell.js";
import type { Compiled, Scope } from "./compiled.js";
import { type Evaluation, failure, spend } from "./evaluation.js";
import { placeOf, type Relation, type RelationColumn, type RelationRow } from "./relation.js";
import { sortOrder } from "./scalars.js";

const FUNCTIONS = ["count", "sum", "avg", "min", "max"] as const;
type FunctionName = (typeof FUNCTIONS)[number];

const functionNamed = (name: string): FunctionName | undefined =>
  FUNCTIONS.find((each) => each === name.toLowerCase());

/** Whether a select is about groups: it names columns to group by, or asks for what is told of groups. */
export function isGrouped({ groupBy, fields, having, orderBy }: Select): boolean {
  if (groupBy !== null && groupBy.length > 0) return true;
  const asked = [...(fields ?? []).map(({ value }) => value), ...orderBy.map(({ by }) => by)];
  return having !== null || asked.some(asksOfGroup);
}

function asksOfGroup(expression: Expression): boolean {
  switch (expression.kind) {
    case "call":
      return functionNamed(expression.name) !== undefined;
    case "binary":
      return asksOfGroup(expression.left) || asksOfGroup(expression.right);
    case "not":
    case "negative":
    case "is-null":
      return asksOfGroup(expression.operand);
    default:
      return false;
  }
}

interface Aggregate {
  readonly name: FunctionName;
  /** null: `*`. */
  readonly place: number | null;
}

/** A row for each group: the columns that it is made by, and behind them what is told of it. */
export interface Groups {
  readonly scope: Scope;
  /** To be called once everything has been compiled in the scope. */
  rows(): readonly RelationRow[];
}

export function groupsOf(relation: Relation, groupBy: readonly Column[], evaluation: Evaluation): Groups {
  const { columns } = relation;
  const places = groupBy.map((column) => placeOf(column, columns, evaluation.language));
  const aggregates: Aggregate[] = [];
  const scope: Scope = {
    column: (column) => {
      const place = places.indexOf(placeOf(column, columns, evaluation.language));
      if (place < 0) throw failure(evaluation, "notGrouped", column.origin ?? "null", column.name);
      return (row) => row[place] as Scalar;
    },
    call: (call): Compiled => {
      const slot = places.length + aggregates.length;
      aggregates.push(aggregateOf(call, columns, evaluation));
      return (row) => row[slot] as Scalar;
    },
  };
  return { scope, rows: () => groupRows(relation.rows, places, aggregates, evaluation) };
}

function aggregateOf(
  { name, arguments: given }: Call,
  columns: readonly RelationColumn[],
  evaluation: Evaluation,
): Aggregate {
  const known = functionNamed(name);
  if (known === undefined) throw failure(evaluation, "unknownFunction", name);
  if (given === null && known === "count") return { name: known, place: null };
  if (given?.length !== 1) throw failure(evaluation, "oneArgument", name);
  const [column] = given;
  if (column?.kind !== "column") throw failure(evaluation, "columnArgument", name);
  return { name: known, place: placeOf(column, columns, evaluation.language) };
}

function groupRows(
  rows: readonly RelationRow[],
  places: readonly number[],
  aggregates: readonly Aggregate[],
  evaluation: Evaluation,
): readonly RelationRow[] {
  const groups = new Map<string, { readonly by: RelationRow; readonly totals: readonly Total[] }>();
  const groupOf = (by: RelationRow) => {
    const key = rowKey(by);
    const known = groups.get(key);
    if (known !== undefined) return known;
    const group = { by, totals: aggregates.map(() => ({ count: 0, sum: 0, least: null, greatest: null })) };
    groups.set(key, group);
    return group;
  };
  spend(evaluation, rows.length);
  // All rows are one group, even where there are none.
  if (places.length === 0) groupOf([]);
  for (const row of rows) {
    const { totals } = groupOf(places.map((place) => row[place] as Scalar));
    for (const [i, aggregate] of aggregates.entries())
      addTo(
        totals[i] as Total,
        aggregate,
        aggregate.place === null ? true : row[aggregate.place],
        evaluation,
      );
  }
  return [...groups.values()].map(({ by, totals }) => [
    ...by,
    ...aggregates.map(({ name }, i) => resultOf(totals[i] as Total, name)),
  ]);
}

interface Total {
  count: number;
  sum: number;
  least: Scalar;
  greatest: Scalar;
}

function addTo(total: Total, { name }: Aggregate, value: Scalar | undefined, evaluation: Evaluation): void {
  if (value === null || value === undefined) return;
  total.count++;
  if (name === "sum" || name === "avg") {
    if (typeof value !== "number") throw failure(evaluation, "notNumeric", name.toUpperCase());
    total.sum += value;
    if (!Number.isFinite(total.sum)) throw failure(evaluation, "tooLarge");
  }
  if (total.least === null || sortOrder(value, total.least) < 0) total.least = value;
  if (total.greatest === null || sortOrder(value, total.greatest) > 0) total.greatest = value;
}

function resultOf({ count, sum, least, greatest }: Total, name: FunctionName): Scalar {
  switch (name) {
    case "count":
      return count;
    case "sum":
      return sum;
    case "avg":
      return count === 0 ? 0 : sum / count;
    case "min":
      return least;
    case "max":
      return greatest;
  }
}
