/**
 * Joins the sources of a select according to its plan, in an order that is chosen first. The partners of a row are
 * found by the index of a table, or otherwise by a hash. The order of the result is that of the rows of the left side,
 * then that of the right side; rows of the right side without a partner are last and, in the original form, those of
 * the left side too. The limit of pairs counts the pairs that are created, and each row that is checked counts towards
 * the statement's work. The choice of an index depends only on the rows and keys of the tables, not on the indexes that
 * a daemon has already built, so either all daemons reject a statement or none does.
 */

import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import { STEP_ITEMS, sortedInSteps } from "../../../../protocol/steps.js";
import {
  type Expression,
  type Join,
  type JoinKind,
  operandsOf,
  type Select,
} from "../grammar/syntax-tree.js";
import { cellKey, type Scalar } from "../values/cell.js";
import { HashIndex, merged } from "../values/hash-index.js";
import { numberOfText } from "../values/number-text.js";
import type { TableReading } from "../values/table-reading.js";
import { standardOrder } from "./comparisons.js";
import { condition, countCalculated, rowScope, rowsAStep, stepsPerRow } from "./compiled-expressions.js";
import {
  type EqualKeys,
  type Holds,
  type Key,
  Planner,
  type SourceConditions,
  type Stage,
} from "./condition-plan.js";
import {
  checkSize,
  countRows,
  type Evaluation,
  failure,
  holdRows,
  KEY_BYTES,
  spend,
} from "./evaluation-context.js";
import { isText, positionOf, type Relation, sharedColumns, withoutDuplicates } from "./relation.js";
import type { RelationColumn, RelationRow } from "./relation-row.js";
import {
  conditionPartsOf,
  filtered,
  INDEXED_ROWS_MIN,
  isEquality,
  ofSelection,
  selected,
} from "./select-rows.js";

/** Maximum number of rows of all sources together: their rows are numbered, so no index finds them. */
const REORDERED_ROWS_MAX = 10_000;
/** With fewer sources, the written order creates few rows, or there is no better one. */
const SOURCES_MIN = 3;

/**
 * Joins the sources of a select. Chooses the order in which small sources that commas separate are joined, so that each
 * source has an equality with an earlier one. In the written order, sources without an equality would be joined row by
 * row.
 * @returns the joined rows that meet the condition, with the rows and columns in the order in which the sources are
 * written
 */
export function* joinedSources(
  relations: readonly Relation[],
  select: Select,
  evaluation: Evaluation,
): Generator<void, Relation> {
  const order = orderOf(relations, select, evaluation);
  if (order === null) return yield* plannedSources(relations, select, evaluation);

  const numbered = order.map((source) => withNumbers(relations[source] as Relation, evaluation));
  return yield* inWrittenOrder(yield* plannedSources(numbered, select, evaluation), {
    relations,
    order,
    evaluation,
  });
}

/** Returns the indexes of the sources in the order in which they are joined, or null for the written order. */
function orderOf(
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
function withNumbers({ name, columns, rows, isSet }: Relation, evaluation: Evaluation): Relation {
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

function* inWrittenOrder(
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

/** A side counts as much larger than the other side if it has at least this many times as many rows. */
const MUCH_LARGER = 8;

function* plannedSources(
  relations: readonly Relation[],
  { joins, where }: Select,
  evaluation: Evaluation,
): Generator<void, Relation> {
  // Conditions that the plan does not check must also name existing columns.
  const plan = new Planner(relations, joins, evaluation).plan(where);
  if (where !== null)
    condition(where, rowScope((plan.stages.at(-1) as Stage).columns, evaluation), evaluation);
  let left = new Side(relations[0] as Relation, plan.sources[0] as SourceConditions, evaluation);
  for (const [i, join] of joins.entries()) {
    const stage = plan.stages[i + 1] as Stage;
    const source = plan.sources[i + 1] as SourceConditions;
    const right = new Side(relations[i + 1] as Relation, source, evaluation);
    let joined = yield* new StagedJoin({ left, right }, join, stage, evaluation).relation();
    if (join.kind === "natural" && join.on !== null) joined = yield* selected(joined, join.on, evaluation);
    left = new Side(joined, { ...stage, requiredValues: [] }, evaluation);
  }

  const rows = yield* left.rows();
  const all = { ...left.relation, rows, table: null };
  if (where === null) return all;

  return plan.hasWhere ? yield* ofSelection(all, rows, evaluation) : yield* selected(all, where, evaluation);
}

/**
 * One side of a join: the rows of a relation that meet the conditions to be checked before the join. The rows are found
 * when they are first read.
 */
class Side {
  readonly relation: Relation;
  readonly conditions: SourceConditions;
  readonly #evaluation: Evaluation;
  #rows: readonly RelationRow[] | null = null;

  constructor(relation: Relation, conditions: SourceConditions, evaluation: Evaluation) {
    this.relation = relation;
    this.conditions = conditions;
    this.#evaluation = evaluation;
  }

  get holds(): Holds | null {
    const { holds } = this.conditions;
    return holds.length === 0 ? null : (row) => holds.every((each) => each(row));
  }

  /** Whether the side is a large table, and none of its conditions selects its rows by an index. */
  get isLargeTable(): boolean {
    return this.isTable && this.conditions.requiredValues.length === 0;
  }

  get isTable(): boolean {
    const { table } = this.relation;
    return table !== null && table.size >= INDEXED_ROWS_MIN;
  }

  *rows(): Generator<void, readonly RelationRow[]> {
    this.#rows ??= yield* this.#found();
    return this.#rows;
  }

  *#found(): Generator<void, readonly RelationRow[]> {
    const { table } = this.relation;
    const { requiredValues, parts } = this.conditions;
    const required =
      table === null ? undefined : mostSelective(requiredValues, table, ({ position }) => position);
    const all =
      table !== null && required !== undefined && this.isTable
        ? (yield* table.equal(required.position, required.value)).map((number) => table.row(number))
        : this.relation.rows;
    const { holds } = this;
    spend(this.#evaluation, all.length);
    countCalculated(this.#evaluation, all.length, parts);
    return holds === null ? all : yield* filtered(all, holds, rowsAStep(parts), this.#evaluation);
  }
}

class StagedJoin {
  readonly #left: Side;
  readonly #right: Side;
  readonly #join: Join;
  readonly #equal: Stage["equal"];
  readonly #holds: Holds | null;
  readonly #evaluation: Evaluation;
  readonly #width: number;
  /** Number of rows that are checked in one step. */
  readonly #step: number;
  /** Cost of the condition for each pair. Counted once: a list in the condition may have as many values as a table. */
  readonly #stepsPerPair: number;
  /** Whether rows of the left side without a partner are in the result, in the order of the left side. */
  readonly #keepsLeftPlaces: boolean;
  /** The rows of the result, with those that have no partner. */
  #pairs: RelationRow[] = [];
  /** Number of pairs that were created. */
  #created = 0;
  /** Number of rows checked since the last step ended. */
  #checked = 0;

  constructor(
    { left, right }: { readonly left: Side; readonly right: Side },
    join: Join,
    stage: Stage,
    evaluation: Evaluation,
  ) {
    this.#left = left;
    this.#right = right;
    this.#join = join;
    this.#equal = stage.equal;
    this.#evaluation = evaluation;
    this.#width = stage.columns.length;
    const { on, kind } = join;
    this.#keepsLeftPlaces = evaluation.form === "standard" && (kind === "left" || kind === "full");
    const isChecked = on !== null && kind !== "natural";
    this.#holds = isChecked ? condition(on, rowScope(stage.columns, evaluation), evaluation) : null;
    this.#step = on === null ? STEP_ITEMS : rowsAStep([on]);
    this.#stepsPerPair = on === null ? 0 : stepsPerRow([on]);
  }

  *relation(): Generator<void, Relation> {
    const [left, right] = [this.#left.relation, this.#right.relation];
    if (this.#join.kind === "natural") {
      const sides = [
        { ...left, rows: yield* this.#left.rows(), table: null },
        { ...right, rows: yield* this.#right.rows(), table: null },
      ] as const;
      return yield* naturallyJoined(...sides, this.#evaluation);
    }
    const [byLeft, byRight] = [this.#equalByIndex("left"), this.#equalByIndex("right")];
    if (byLeft !== null && (yield* this.#hasFewOnTheRight())) yield* this.#byIndex("left", byLeft);
    else if (byRight !== null) yield* this.#byIndex("right", byRight);
    else yield* this.#byRows();
    return yield* ofJoin({ left, right }, this.#join, this.#pairs, this.#evaluation);
  }

  /**
   * Returns the keys of an equality for which an index of the given side can find the partners of the other side's
   * rows, or null if there is no such equality. The given side must be a large table, its key must be a column, and the
   * join must not retain unmatched rows of that side.
   */
  #equalByIndex(side: "left" | "right"): EqualKeys | null {
    const { kind } = this.#join;
    const indexed = side === "left" ? this.#left : this.#right;
    const { table } = indexed.relation;
    if (table === null || !indexed.isLargeTable) return null;
    if (kind !== "inner" && kind !== (side === "left" ? "right" : "left")) return null;
    const columns = this.#equal.filter((each) => each[side].position !== null);
    return mostSelective(columns, table, (each) => each[side].position) ?? null;
  }

  /** Returns whether the right side has so few rows that the index of the left table should find their partners. */
  *#hasFewOnTheRight(): Generator<void, boolean> {
    const leftSize = this.#left.relation.table?.size ?? 0;
    if (this.#right.isLargeTable && this.#right.conditions.holds.length === 0) {
      const { size } = this.#right.relation.table ?? { size: 0 };
      if (size * MUCH_LARGER > leftSize) return false;
    }
    const rows = yield* this.#right.rows();
    return rows.length * MUCH_LARGER <= leftSize;
  }

  /**
   * Joins the rows of one side with their partners, which the index of the other side finds.
   * @param side the side with the index
   */
  *#byIndex(side: "left" | "right", equal: EqualKeys): Generator<void, void> {
    const isLeft = side === "left";
    const [indexed, few] = isLeft ? [this.#left, this.#right] : [this.#right, this.#left];
    const { position } = equal[side];
    const key = equal[isLeft ? "right" : "left"];
    const { table } = indexed.relation;
    const rows = yield* few.rows();
    if (table === null || position === null) return;
    countCalculated(this.#evaluation, rows.length, [key.expression]);
    const { holds } = indexed;
    /** For each pair, the number of the indexed side's row. */
    const numbers: number[] = [];
    const isMatched = new Uint8Array(rows.length);
    let everywhere: readonly number[] | null = null;
    for (const [at, row] of rows.entries()) {
      const value = key.value(row);
      // If the key cannot be calculated, every row of the other side is a possible partner.
      if (value === undefined) everywhere ??= table.numbers;
      const partners = value === undefined ? (everywhere ?? []) : yield* table.equal(position, value);
      for (const number of partners) {
        if (this.#check()) yield;
        const one = table.row(number);
        if (holds !== null && !holds(one)) continue;
        if (!this.#add(isLeft ? [...one, ...row] : [...row, ...one])) continue;
        numbers.push(number);
        isMatched[at] = 1;
      }
      if (this.#keepsLeftPlaces && isMatched[at] === 0) this.#addAlone("left", row);
      if (this.#check()) yield;
    }
    if (isLeft) yield* this.#sortPairs(numbers);
    if (this.#join.kind !== "inner" && !this.#keepsLeftPlaces)
      yield* this.#addUnmatched(isLeft ? "right" : "left", rows, isMatched);
  }

  /** Sorts the pairs by the given numbers, one for each pair; pairs with equal numbers keep their order. */
  *#sortPairs(numbers: readonly number[]): Generator<void, void> {
    const order = yield* sortedInSteps(
      [...numbers.keys()],
      (a, b) => (numbers[a] as number) - (numbers[b] as number),
    );
    this.#pairs = order.map((at) => this.#pairs[at] as RelationRow);
  }

  /**
   * Joins the rows of both sides. If the condition requires two keys to be equal, the pairs are found by a hash of the
   * right rows or, if the left side has far fewer rows, of the left ones.
   */
  *#byRows(): Generator<void, void> {
    const { kind } = this.#join;
    const [left, right] = [yield* this.#left.rows(), yield* this.#right.rows()];
    const isMatched = { left: new Uint8Array(left.length), right: new Uint8Array(right.length) };
    const equal = this.#equalOfRows();
    const isOfLeft = equal !== null && left.length * MUCH_LARGER <= right.length;
    const [rows, others] = isOfLeft ? [right, left] : [left, right];
    const [one, other] = isOfLeft ? (["right", "left"] as const) : (["left", "right"] as const);
    const hash = equal === null ? null : new KeyHash(equal[other]);
    if (equal !== null) {
      countCalculated(this.#evaluation, left.length, [equal.left.expression]);
      countCalculated(this.#evaluation, right.length, [equal.right.expression]);
      this.#evaluation.effort.hold(others.length * KEY_BYTES);
      yield* hash?.fill(others) ?? [];
    }
    let everywhere: readonly number[] | null = null;
    /** For each row of the result, the index of the left row. */
    const lefts: number[] = [];
    for (const [at, row] of rows.entries()) {
      const value = equal?.[one].value(row);
      if (hash === null || value === undefined) everywhere ??= [...others.keys()];
      const positions = hash === null || value === undefined ? (everywhere ?? []) : hash.equal(value);
      for (const position of positions) {
        if (this.#check()) yield;
        const partner = others[position] as RelationRow;
        if (!this.#add(isOfLeft ? [...partner, ...row] : [...row, ...partner])) continue;
        isMatched[one][at] = 1;
        isMatched[other][position] = 1;
        if (isOfLeft) lefts.push(position);
      }
      if (this.#keepsLeftPlaces && !isOfLeft && isMatched.left[at] === 0) this.#addAlone("left", row);
      if (this.#check()) yield;
    }
    if (isOfLeft && this.#keepsLeftPlaces) yield* this.#addUnmatched("left", left, isMatched.left, lefts);
    if (isOfLeft) yield* this.#sortPairs(lefts);
    if ((kind === "left" || kind === "full") && !this.#keepsLeftPlaces)
      yield* this.#addUnmatched("left", left, isMatched.left);
    if (kind === "right" || kind === "full") yield* this.#addUnmatched("right", right, isMatched.right);
  }

  /**
   * Returns the keys by which rows are hashed, preferably those of a column without equal values, or null if there are
   * no such keys.
   */
  #equalOfRows(): EqualKeys | null {
    for (const side of ["right", "left"] as const) {
      const { table } = (side === "right" ? this.#right : this.#left).relation;
      const unique = this.#equal.find(
        ({ [side]: { position } }) => position !== null && table?.isUnique(position) === true,
      );
      if (unique !== undefined) return unique;
    }
    return this.#equal[0] ?? null;
  }

  /** Counts a row that is checked. Returns whether the step has checked enough rows and must end. */
  #check(): boolean {
    if (++this.#checked < this.#step && !this.#evaluation.effort.isSliceOver) return false;
    spend(this.#evaluation, this.#checked);
    this.#evaluation.effort.work(this.#checked * this.#stepsPerPair);
    this.#checked = 0;
    this.#evaluation.effort.endsSlice();
    return true;
  }

  /** Adds a pair if it meets the condition. */
  #add(pair: RelationRow): boolean {
    if (this.#holds !== null && !this.#holds(pair)) return false;
    if (++this.#created > PAIRS_MAX) throw failure(this.#evaluation, "tooMany", String(PAIRS_MAX));
    this.#addRow(pair);
    return true;
  }

  #addRow(row: RelationRow): void {
    const rows = this.#pairs.push(row);
    checkSize(this.#evaluation, rows, this.#width);
    holdRows(this.#evaluation, 1, this.#width);
  }

  /** Adds a row of a side that has no partner, with nulls for the other side's columns. */
  #addAlone(side: "left" | "right", row: RelationRow): void {
    const other = side === "left" ? this.#right : this.#left;
    const nothing = Array<null>(other.relation.columns.length).fill(null);
    this.#addRow(side === "left" ? [...row, ...nothing] : [...nothing, ...row]);
  }

  /**
   * Adds the rows of a side that have no partner.
   * @param numbers receives the indexes of the added rows
   */
  *#addUnmatched(
    side: "left" | "right",
    rows: readonly RelationRow[],
    isMatched: Uint8Array,
    numbers?: number[],
  ): Generator<void, void> {
    for (const [i, row] of rows.entries()) {
      if (isMatched[i] === 0) {
        this.#addAlone(side, row);
        numbers?.push(i);
      }
      if (i % STEP_ITEMS === STEP_ITEMS - 1) yield;
    }
  }
}

/** Returns the first item whose column has no equal values or, if there is none, the first item. */
function mostSelective<Item>(
  items: readonly Item[],
  table: TableReading,
  positionOf: (item: Item) => number | null,
): Item | undefined {
  const unique = items.find((item) => {
    const position = positionOf(item);
    return position !== null && table.isUnique(position);
  });
  return unique ?? items[0];
}

/** A hash of the rows of one side, by the value of a key. */
class KeyHash {
  readonly #key: Key;
  readonly #index = new HashIndex();
  /** Indexes of the rows whose key cannot be calculated. They are possible partners of every row of the other side. */
  readonly #failed: number[] = [];

  constructor(key: Key) {
    this.#key = key;
  }

  *fill(rows: readonly RelationRow[]): Generator<void, void> {
    const step = rowsAStep([this.#key.expression]);
    for (const [at, row] of rows.entries()) {
      const value = this.#key.value(row);
      if (value === undefined) this.#failed.push(at);
      else this.#index.add(at, typeof value === "boolean" ? Number(value) : value);
      if (at % step === step - 1) yield;
    }
  }

  /** Returns the possible partners, ascending. */
  equal(value: Scalar): readonly number[] {
    const matches = this.#index.equal(value);
    return merged(matches, this.#failed);
  }
}

/** Maximum number of pairs of rows that a join creates: more pairs would exhaust the memory. */
export const PAIRS_MAX = 1_000_000;

/**
 * Returns the result of a join from its rows. In the original form, equal rows appear in the result once, unless the
 * join has no condition.
 */
export function* ofJoin(
  { left, right }: { readonly left: Relation; readonly right: Relation },
  { kind, on }: { readonly kind: JoinKind; readonly on: Expression | null },
  rows: readonly RelationRow[],
  evaluation: Evaluation,
): Generator<void, Relation> {
  const isSet = left.isSet && right.isSet;
  const keepsAll = isSet || evaluation.form === "standard" || (kind === "inner" && on === null);
  return {
    name: nameOf(left, right, kind, on),
    columns: [...left.columns, ...right.columns],
    rows: keepsAll ? rows : yield* withoutDuplicates(rows, evaluation),
    table: null,
    isSet: isSet || !keepsAll,
  };
}

/**
 * Maximum length of each part of the name of a relation. Some joins repeat the names of their sides, so without a limit
 * the name of a nested join would exceed the maximum length of a string.
 */
const NAME_CHARS_MAX = 4096;

/** Returns the name of the rows of two sources that a comma separates. */
const nameOfJoin = (left: string, right: string): string =>
  `${left.slice(0, NAME_CHARS_MAX)}_produit_${right.slice(0, NAME_CHARS_MAX)}`;

function nameOf(left: Relation, right: Relation, kind: JoinKind, on: Expression | null) {
  const [one, other] = [left.name.slice(0, NAME_CHARS_MAX), right.name.slice(0, NAME_CHARS_MAX)];
  if (kind === "left") return `${one}_left_join_${other}`;
  if (kind === "right") return `${one}_right_join_${other}`;
  if (kind === "full") return `${one}_left_join_${other}_Union_${one}_right_join_${other}`;
  return `${nameOfJoin(one, other)}${on === null ? "" : "_selection"}`;
}

/**
 * Returns a string that is the same for values that are equal in a standard statement, and for some other values: a
 * text that represents a number has the key of the number.
 */
function equalityKey(value: Scalar): string {
  if (value === null) return cellKey(value);
  return cellKey(typeof value === "string" ? (numberOfText(value) ?? value) : Number(value));
}

/**
 * Joins by all columns that both sides have. The result contains each of these columns once. In the original form, null
 * equals null in such a column, and values of different types are never equal.
 */
export function* naturallyJoined(
  left: Relation,
  right: Relation,
  evaluation: Evaluation,
): Generator<void, Relation> {
  const shared = left.columns.flatMap(({ name }, position) => {
    const other = right.columns.findIndex((column) => column.name === name);
    return other < 0 ? [] : [{ position, other }];
  });
  spend(evaluation, left.rows.length + right.rows.length);
  const names = new Set(left.columns.map(({ name }) => name));
  const added = [...right.columns.keys()].filter(
    (position) => !names.has(right.columns[position]?.name ?? ""),
  );
  evaluation.effort.hold(right.rows.length * KEY_BYTES);
  const byKey = new Map<string, RelationRow[]>();
  const isStandard = evaluation.form === "standard";
  const keyOf = isStandard ? equalityKey : cellKey;
  const hasNull = (row: RelationRow, positions: readonly number[]) =>
    isStandard && positions.some((position) => row[position] === null);
  const isEqual = (row: RelationRow, partner: RelationRow) =>
    shared.every(
      ({ position, other }) =>
        standardOrder(row[position] as Scalar, partner[other] as Scalar, evaluation) === 0,
    );
  const others = shared.map(({ other }) => other);
  for (const [i, row] of right.rows.entries()) {
    if (i % STEP_ITEMS === STEP_ITEMS - 1) yield;
    if (hasNull(row, others)) continue;
    const key = shared.map(({ other }) => keyOf(row[other] as Scalar)).join("");
    const alike = byKey.get(key);
    if (alike === undefined) byKey.set(key, [row]);
    else alike.push(row);
  }
  const rows: RelationRow[] = [];
  let rejected = 0;
  for (const [i, row] of left.rows.entries()) {
    if (i % STEP_ITEMS === STEP_ITEMS - 1) yield;
    const key = shared.map(({ position }) => keyOf(row[position] as Scalar)).join("");
    for (const partner of byKey.get(key) ?? []) {
      if (isStandard && !isEqual(row, partner)) {
        if (++rejected % STEP_ITEMS === 0) {
          spend(evaluation, STEP_ITEMS);
          yield;
        }
        continue;
      }
      if (rows.length % STEP_ITEMS === STEP_ITEMS - 1) yield;
      if (rows.length >= PAIRS_MAX) throw failure(evaluation, "tooMany", String(PAIRS_MAX));
      rows.push([...row, ...added.map((position) => partner[position] as Scalar)]);
      checkSize(evaluation, rows.length, left.columns.length + added.length);
      holdRows(evaluation, 1, left.columns.length + added.length);
    }
  }
  return {
    name: `${left.name}_natural_join_${right.name}`,
    columns: [
      ...sharedColumns(left.columns, right.columns),
      ...added.map((position) => right.columns[position] as RelationColumn),
    ],
    rows,
    table: null,
    isSet: left.isSet && right.isSet,
  };
}
