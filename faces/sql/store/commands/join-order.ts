/** The order in which the sources of a select are joined, and its rows in the order in which they are written. */
import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import { STEP_ITEMS, sortedInSteps } from "../../../../protocol/steps.js";
import { type Expression, operandsOf, type Select } from "../grammar/syntax-tree.js";
import type { Scalar } from "../values/cell.js";
import { countRows, type Evaluation, holdRows, spend } from "./evaluation-context.js";
import { nameOfJoin } from "./join-result.js";
import { isText, positionOf, type Relation } from "./relation.js";
import type { RelationColumn, RelationRow } from "./relation-row.js";
import { conditionPartsOf, isEquality } from "./select-rows.js";

/** Maximum number of rows of all sources together: their rows are numbered, so no index finds them. */
const REORDERED_ROWS_MAX = 10_000;
/** With fewer sources, the written order creates few rows, or there is no better one. */
const SOURCES_MIN = 3;

/** Returns the indexes of the sources in the order in which they are joined, or null for the written order. */
export function orderOf(
  relations: readonly Relation[],
  { joins, where }: Select,
  evaluation: Evaluation,
): readonly number[] | null {
  const isList = joins.every(({ kind, on }) => kind === "inner" && on === null);
  if (evaluation.form !== "standard" || where === null || relations.length < SOURCES_MIN || !isList)
    return null;

  const rows = relations.reduce((sum, each) => sum + (each.table?.size ?? each.rows.length), 0);
  if (rows > REORDERED_ROWS_MAX) return null;

  const pairs = equalSources(relations, where, evaluation);
  const order: number[] = [0];
  const remaining = new Set(relations.keys());
  for (remaining.delete(0); remaining.size > 0; ) {
    const isJoined = (source: number) =>
      pairs.some(([one, other]) =>
        one === source ? order.includes(other) : other === source && order.includes(one),
      );
    const sources = [...remaining];
    const next = sources.find(isJoined) ?? (sources[0] as number);
    remaining.delete(next);
    order.push(next);
  }

  return order.every((source, at) => source === at) ? null : order;
}

/** Returns the pairs of sources of which the condition requires values to be equal. */
function equalSources(
  relations: readonly Relation[],
  where: Expression,
  evaluation: Evaluation,
): readonly (readonly [number, number])[] {
  const columns = relations.flatMap((relation) => relation.columns);
  const owners = relations.flatMap((relation, source) => relation.columns.map(() => source));
  const pairs: (readonly [number, number])[] = [];
  for (const { left, right } of conditionPartsOf(where, evaluation.form).parts.filter(isEquality)) {
    const [one, other] = [left, right].map((side) => {
      const sources = new Set(positionsIn(side, columns, evaluation).map((at) => owners[at] as number));
      return sources.size === 1 ? [...sources][0] : undefined;
    });
    if (one !== undefined && other !== undefined && one !== other) pairs.push([one, other]);
  }

  return pairs;
}

/** Returns the indexes of an expression's columns. The plan reports columns that do not exist. */
function positionsIn(
  expression: Expression,
  columns: readonly RelationColumn[],
  evaluation: Evaluation,
): readonly number[] {
  if (expression.kind !== "column")
    return operandsOf(expression).flatMap((each) => positionsIn(each, columns, evaluation));
  if (isText(expression, columns)) return [];

  try {
    return [positionOf(expression, columns, evaluation)];
  } catch (problem) {
    if (problem instanceof CommandFailure) return [];
    throw problem;
  }
}

/** A name that no statement can contain. */
const NUMBER: RelationColumn = { name: "\0", origin: null };

/** Returns a relation whose last column contains the number of the row. */
export function withNumbers({ name, columns, rows, isSet }: Relation, evaluation: Evaluation): Relation {
  spend(evaluation, rows.length);
  holdRows(evaluation, rows.length, columns.length + 1);
  const numbered = rows.map((row, number) => [...row, number]);
  return { name, columns: [...columns, NUMBER], rows: numbered, table: null, isSet };
}

interface Written {
  readonly relations: readonly Relation[];
  /** The sources of the joined rows, from left to right. */
  readonly order: readonly number[];
  readonly evaluation: Evaluation;
}

export function* inWrittenOrder(
  joined: Relation,
  { relations, order, evaluation }: Written,
): Generator<void, Relation> {
  const starts: number[] = [];
  let width = 0;
  for (const source of order) {
    starts[source] = width;
    width += (relations[source] as Relation).columns.length + 1;
  }

  const numbers = relations.map(({ columns }, source) => (starts[source] as number) + columns.length);
  const compareRows = (one: RelationRow, other: RelationRow): number => {
    for (const at of numbers) if (one[at] !== other[at]) return Number(one[at]) - Number(other[at]);
    return 0;
  };

  countRows(evaluation, joined.rows.length);
  holdRows(evaluation, joined.rows.length, width - relations.length);

  const rows: RelationRow[] = [];
  for (const row of yield* sortedInSteps([...joined.rows], compareRows)) {
    const cells: Scalar[] = [];
    for (const [source, { columns }] of relations.entries()) {
      const start = starts[source] as number;
      for (let at = start; at < start + columns.length; at++) cells.push(row[at] as Scalar);
    }
    if (rows.push(cells) % STEP_ITEMS === 0) yield;
  }

  const name = relations
    .slice(1)
    .reduce((left, right) => nameOfJoin(left, right.name), relations[0]?.name ?? "");
  const columns = relations.flatMap((relation) => relation.columns);
  return { ...joined, name: `${name}_selection`, columns, rows };
}
