/** Groups rows, and computes the aggregates of each group: count, sum, avg, min, max. Nulls are ignored. */
import { STEP_ITEMS } from "../../../protocol/steps.js";
import { ExpressionNumbers } from "../../sql/expression-numbers.js";
import { AGGREGATE_NAMES, type AggregateName, SCALAR_FUNCTIONS } from "../../sql/functions.js";
import { type Call, type Expression, type Field, operandsOf, type Select } from "../../sql/tree.js";
import { cellKey, rowKey, type Scalar } from "../../values/relations/cell.js";
import { compiled, countCalculated, rowScope, rowsAStep, type Scope } from "./compiled.js";
import { countRows, type Evaluation, failure, spend } from "./evaluation.js";
import { isText, positionOf, type Relation, type RelationColumn, type RelationRow } from "./relation.js";
import { sortOrder } from "./scalars.js";
import type { Compiled } from "./standard-values.js";

const functionNamed = (name: string): AggregateName | undefined =>
  AGGREGATE_NAMES.find((each) => each === name.toLowerCase());

/** Whether a select has groups: it names columns to group by, or uses aggregates. */
export function isGrouped({ groupBy, fields, having, orderBy }: Select): boolean {
  if (groupBy !== null && groupBy.length > 0) return true;
  const asked = [
    ...(fields ?? []).flatMap(({ value }) => (value.kind === "all" ? [] : [value])),
    ...orderBy.map(({ by }) => by),
  ];
  return having !== null || asked.some(asksOfGroup);
}

function asksOfGroup(expression: Expression): boolean {
  // In recorded statements all calls are aggregates, and their arguments are not checked.
  if (expression.kind === "call" && functionNamed(expression.name) !== undefined) return true;
  if (expression.kind === "call" && !SCALAR_FUNCTIONS.has(expression.name.toLowerCase())) return false;
  return operandsOf(expression).some(asksOfGroup);
}

interface Aggregate {
  readonly name: AggregateName;
  readonly call: Call;
  /** null: `*`. */
  readonly value: Compiled | null;
  readonly isDistinct: boolean;
}

/** The rows of groups: the columns that they are grouped by, followed by their aggregates. */
export interface Groups {
  readonly scope: Scope;
  /** Makes the rows. To be called once everything has been compiled in the scope. */
  rows(): Generator<void, readonly RelationRow[]>;
}

/** Returns the expressions to group by: in the standard form numbers mean fields. */
function groupKeys(groupBy: readonly Expression[], fields: readonly Field[], evaluation: Evaluation) {
  if (evaluation.form === "recorded") return groupBy;
  return groupBy.map((key) => fieldNumbered(key, fields, "group by", evaluation) ?? key);
}

/** The value of the field that a whole number means; undefined: the expression is no whole number. @throws CommandFailure */
export function fieldNumbered(
  key: Expression,
  fields: readonly Field[],
  clause: string,
  evaluation: Evaluation,
): Expression | undefined {
  if (key.kind !== "literal" || typeof key.value !== "number" || !Number.isInteger(key.value))
    return undefined;
  const field = fields[key.value - 1];
  if (field === undefined)
    throw failure(evaluation, "noSuchField", clause, String(key.value), String(fields.length));
  return field.value;
}

/** @param fields  of the select */
export function groupsOf(
  relation: Relation,
  { groupBy }: Select,
  fields: readonly Field[],
  evaluation: Evaluation,
): Groups {
  const { columns } = relation;
  const given = groupKeys(groupBy ?? [], fields, evaluation);
  const keys = given.map((key) => compiled(key, rowScope(columns, evaluation), evaluation));
  const positions = given.map((key) => (key.kind === "column" ? positionOf(key, columns, evaluation) : null));
  const numbers = new ExpressionNumbers(evaluation.parameters, (column) =>
    isText(column, columns) ? column.name : positionOf(column, columns, evaluation),
  );
  const slots = new Map<number, number>();
  for (const [slot, key] of given.entries()) {
    const number = key.kind === "column" ? null : numbers.of(key);
    if (number !== null && !slots.has(number)) slots.set(number, slot);
  }
  const aggregates: Aggregate[] = [];
  const scope: Scope = {
    known: (expression) => {
      const slot = slots.size === 0 ? undefined : slots.get(numbers.of(expression));
      return slot === undefined ? undefined : (row) => row[slot] as Scalar;
    },
    column: (column) => {
      if (isText(column, columns)) return () => column.name;
      const position = positions.indexOf(positionOf(column, columns, evaluation));
      if (position < 0) throw failure(evaluation, "notGrouped", column.origin ?? "null", column.name);
      return (row) => row[position] as Scalar;
    },
    call: (call): Compiled => {
      const slot = keys.length + aggregates.length;
      aggregates.push(aggregateOf(call, columns, evaluation));
      return (row) => row[slot] as Scalar;
    },
  };
  const rows = () => {
    const expressions = [...given, ...aggregates.map(({ call }) => call)];
    countCalculated(evaluation, relation.rows.length, expressions);
    const step = rowsAStep(expressions);
    return groupRows(relation.rows, { keys, aggregates, step }, evaluation);
  };
  return { scope, rows };
}

function aggregateOf(call: Call, columns: readonly RelationColumn[], evaluation: Evaluation): Aggregate {
  const { name, arguments: given, isDistinct } = call;
  const known = functionNamed(name);
  if (known === undefined) throw failure(evaluation, "unknownFunction", name);
  if (given === null && known === "count") return { name: known, call, value: null, isDistinct: false };
  const [argument] = given ?? [];
  if (given?.length !== 1 || argument === undefined) throw failure(evaluation, "oneArgument", name);
  if (argument.kind !== "column" && evaluation.form === "recorded")
    throw failure(evaluation, "columnArgument", name);
  return {
    name: known,
    call,
    value: compiled(argument, rowScope(columns, evaluation), evaluation),
    isDistinct: isDistinct === true,
  };
}

interface Grouping {
  readonly keys: readonly Compiled[];
  readonly aggregates: readonly Aggregate[];
  /** Rows of one step. */
  readonly step: number;
}

function* groupRows(
  rows: readonly RelationRow[],
  { keys, aggregates, step }: Grouping,
  evaluation: Evaluation,
): Generator<void, readonly RelationRow[]> {
  const groups = new Map<string, { readonly by: RelationRow; readonly totals: readonly Total[] }>();
  const groupOf = (by: RelationRow) => {
    const key = rowKey(by);
    const known = groups.get(key);
    if (known !== undefined) return known;
    const group = { by, totals: aggregates.map(newTotal) };
    groups.set(key, group);
    return group;
  };
  spend(evaluation, rows.length);
  countRows(evaluation, rows.length);
  // All rows form one group, even if there are none.
  if (keys.length === 0) groupOf([]);
  for (const [at, row] of rows.entries()) {
    const { totals } = groupOf(keys.map((key) => key(row)));
    for (const [i, aggregate] of aggregates.entries()) {
      const { value } = aggregate;
      addTo(totals[i] as Total, aggregate, value === null ? true : value(row), evaluation);
    }
    if (at % step === step - 1) yield;
  }
  const grouped: RelationRow[] = [];
  for (const { by, totals } of groups.values()) {
    grouped.push([...by, ...aggregates.map(({ name }, i) => resultOf(totals[i] as Total, name, evaluation))]);
    if (grouped.length % STEP_ITEMS === 0) yield;
  }
  return grouped;
}

interface Total {
  count: number;
  sum: number;
  least: Scalar;
  greatest: Scalar;
  /** The values counted so far, if equal ones count once. */
  readonly seen: Set<string> | null;
}

const newTotal = ({ isDistinct }: Aggregate): Total => ({
  count: 0,
  sum: 0,
  least: null,
  greatest: null,
  seen: isDistinct ? new Set() : null,
});

function addTo(total: Total, { name }: Aggregate, value: Scalar | undefined, evaluation: Evaluation): void {
  if (value === null || value === undefined) return;
  if (total.seen !== null) {
    const key = cellKey(value);
    if (total.seen.has(key)) return;
    total.seen.add(key);
  }
  total.count++;
  if (name === "sum" || name === "avg") {
    if (typeof value !== "number" && (typeof value === "string" || evaluation.form === "recorded"))
      throw failure(evaluation, "notNumeric", name.toUpperCase());
    total.sum += Number(value);
    if (!Number.isFinite(total.sum)) throw failure(evaluation, "tooLarge");
  }
  if (total.least === null || sortOrder(value, total.least) < 0) total.least = value;
  if (total.greatest === null || sortOrder(value, total.greatest) > 0) total.greatest = value;
}

/** Returns the result of an aggregate. In the standard form a sum and an average of nothing are null, in the recorded one 0. */
function resultOf({ count, sum, least, greatest }: Total, name: AggregateName, { form }: Evaluation): Scalar {
  if (count === 0 && form === "standard") return name === "count" ? 0 : null;
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
