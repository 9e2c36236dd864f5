/**
 * Joins two sides. The partners of a row are found by the index of a table, or otherwise by a hash. The order of the
 * result is that of the rows of the left side, then that of the right side; rows of the right side without a partner
 * are last and, in the original form, those of the left side too. The limit of pairs counts the pairs that are created,
 * and each row that is checked counts towards the statement's work. The choice of an index depends only on the rows and
 * keys of the tables, not on the indexes that a daemon has already built, so either all daemons reject a statement or
 * none does.
 */
import { STEP_ITEMS, sortedInSteps } from "../../../../protocol/steps.js";
import type { Join } from "../grammar/syntax-tree.js";
import type { Scalar } from "../values/cell.js";
import { HashIndex, merged } from "../values/hash-index.js";
import type { TableReading } from "../values/table-reading.js";
import { condition, countCalculated, rowScope, rowsAStep, stepsPerRow } from "./compiled-expressions.js";
import type { EqualKeys, JoinStage, Key, RowTest, SourceConditions } from "./condition-plan.js";
import { checkSize, type Evaluation, failure, holdRows, KEY_BYTES, spend } from "./evaluation-context.js";
import { ofJoin, PAIRS_MAX } from "./join-result.js";
import { naturallyJoined } from "./natural-join.js";
import type { Relation } from "./relation.js";
import type { RelationRow } from "./relation-row.js";
import { filtered, INDEXED_ROWS_MIN } from "./select-rows.js";

/** A side counts as much larger than the other side if it has at least this many times as many rows. */
const MUCH_LARGER = 8;

/**
 * One side of a join: the rows of a relation that meet the conditions to be checked before the join. The rows are found
 * when they are first read.
 */
export class Side {
  readonly relation: Relation;
  readonly conditions: SourceConditions;
  readonly #evaluation: Evaluation;
  #rows: readonly RelationRow[] | null = null;

  constructor(relation: Relation, conditions: SourceConditions, evaluation: Evaluation) {
    this.relation = relation;
    this.conditions = conditions;
    this.#evaluation = evaluation;
  }

  /** The test of all conditions, or null if there are none. */
  get test(): RowTest | null {
    const { tests } = this.conditions;
    return tests.length === 0 ? null : (row) => tests.every((test) => test(row));
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
    const { requiredValues, costExpressions } = this.conditions;
    const required =
      table === null ? undefined : mostSelective(requiredValues, table, ({ position }) => position);
    const all =
      table !== null && required !== undefined && this.isTable
        ? (yield* table.numbersOfEqual(required.position, required.value)).map((number) => table.row(number))
        : this.relation.rows;
    const { test } = this;
    spend(this.#evaluation, all.length);
    countCalculated(this.#evaluation, all.length, costExpressions);
    return test === null ? all : yield* filtered(all, test, rowsAStep(costExpressions), this.#evaluation);
  }
}

/** The join of two sides at one stage of the plan, which has the condition of the join and its equal keys. */
export class StagedJoin {
  readonly #left: Side;
  readonly #right: Side;
  readonly #join: Join;
  readonly #equalKeys: JoinStage["equalKeys"];
  readonly #test: RowTest | null;
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
    stage: JoinStage,
    evaluation: Evaluation,
  ) {
    this.#left = left;
    this.#right = right;
    this.#join = join;
    this.#equalKeys = stage.equalKeys;
    this.#evaluation = evaluation;
    this.#width = stage.columns.length;
    const { on, kind } = join;
    this.#keepsLeftPlaces = evaluation.form === "standard" && (kind === "left" || kind === "full");
    const isChecked = on !== null && kind !== "natural";
    this.#test = isChecked ? condition(on, rowScope(stage.columns, evaluation), evaluation) : null;
    this.#step = on === null ? STEP_ITEMS : rowsAStep([on]);
    this.#stepsPerPair = on === null ? 0 : stepsPerRow([on]);
  }

  *relation(): Generator<void, Relation> {
    const left = this.#left.relation;
    const right = this.#right.relation;
    if (this.#join.kind === "natural") {
      const sides = [
        { ...left, rows: yield* this.#left.rows(), table: null },
        { ...right, rows: yield* this.#right.rows(), table: null },
      ] as const;
      return yield* naturallyJoined(...sides, this.#evaluation);
    }

    const byLeft = this.#equalByIndex("left");
    const byRight = this.#equalByIndex("right");
    if (byLeft !== null && (yield* this.#hasFewOnTheRight())) yield* this.#joinByIndex("left", byLeft);
    else if (byRight !== null) yield* this.#joinByIndex("right", byRight);
    else yield* this.#joinByRows();

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
    const columns = this.#equalKeys.filter((each) => each[side].position !== null);
    return mostSelective(columns, table, (each) => each[side].position) ?? null;
  }

  /** Returns whether the right side has so few rows that the index of the left table should find their partners. */
  *#hasFewOnTheRight(): Generator<void, boolean> {
    const leftSize = this.#left.relation.table?.size ?? 0;
    if (this.#right.isLargeTable && this.#right.conditions.tests.length === 0) {
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
  *#joinByIndex(side: "left" | "right", equal: EqualKeys): Generator<void, void> {
    const isLeft = side === "left";
    const [indexed, few] = isLeft ? [this.#left, this.#right] : [this.#right, this.#left];
    const { position } = equal[side];
    const key = equal[isLeft ? "right" : "left"];
    const { table } = indexed.relation;
    const rows = yield* few.rows();
    if (table === null || position === null) return;

    countCalculated(this.#evaluation, rows.length, [key.expression]);
    const { test } = indexed;
    /** For each pair, the number of the indexed side's row. */
    const numbers: number[] = [];
    const isMatched = new Uint8Array(rows.length);
    let everywhere: readonly number[] | null = null;
    for (const [at, row] of rows.entries()) {
      const value = key.value(row);
      // If the key cannot be calculated, every row of the other side is a possible partner.
      if (value === undefined) everywhere ??= table.numbers;

      const partners =
        value === undefined ? (everywhere ?? []) : yield* table.numbersOfEqual(position, value);
      for (const number of partners) {
        if (this.#check()) yield;
        const one = table.row(number);
        if (test !== null && !test(one)) continue;
        if (!this.#add(isLeft ? [...one, ...row] : [...row, ...one])) continue;
        numbers.push(number);
        isMatched[at] = 1;
      }

      if (this.#keepsLeftPlaces && isMatched[at] === 0) this.#addAlone("left", row);
      if (this.#check()) yield;
    }

    // The rows of the right side have come first, but the result has the order of the left side.
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
  *#joinByRows(): Generator<void, void> {
    const { kind } = this.#join;
    const left = yield* this.#left.rows();
    const right = yield* this.#right.rows();
    const isMatched = { left: new Uint8Array(left.length), right: new Uint8Array(right.length) };
    const equal = this.#equalOfRows();
    const isOfLeft = equal !== null && left.length * MUCH_LARGER <= right.length;
    const [rows, others] = isOfLeft ? [right, left] : [left, right];
    const [one, other] = isOfLeft ? (["right", "left"] as const) : (["left", "right"] as const);
    const hash = equal === null ? null : new KeyHash(equal[other]);
    if (equal !== null) {
      countCalculated(this.#evaluation, left.length, [equal.left.expression]);
      countCalculated(this.#evaluation, right.length, [equal.right.expression]);
      this.#evaluation.effort.reserveMemory(others.length * KEY_BYTES);
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

    // The right rows have come first: left rows without a partner are added before the pairs are sorted by left rows.
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
      const unique = this.#equalKeys.find(
        ({ [side]: { position } }) => position !== null && table?.isUnique(position) === true,
      );
      if (unique !== undefined) return unique;
    }
    return this.#equalKeys[0] ?? null;
  }

  /** Counts a row that is checked. Returns whether the step has checked enough rows and must end. */
  #check(): boolean {
    if (++this.#checked < this.#step && !this.#evaluation.effort.isSliceOver) return false;
    spend(this.#evaluation, this.#checked);
    this.#evaluation.effort.countSteps(this.#checked * this.#stepsPerPair);
    this.#checked = 0;
    this.#evaluation.effort.endsSlice();
    return true;
  }

  /** Adds a pair if it meets the condition. */
  #add(pair: RelationRow): boolean {
    if (this.#test !== null && !this.#test(pair)) return false;
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
