/**
 * Joins the sources of a select by its plan: the partners of a row are found by the index of a table, or else by a hash. The rows and their
 * order are those of joining.ts: by the rows of the left side, then by those of the right one. Limits count the rows that are made; every
 * row that is checked counts for the statement's work.
 */
import { STEP_ITEMS, sortedInSteps } from "../../../protocol/steps.js";
import type { Join, Select } from "../../sql/tree.js";
import type { Scalar } from "../../values/relations/cell.js";
import { HashIndex } from "../../values/relations/hash-index.js";
import { condition, countCalculated, rowScope } from "./compiled.js";
import { checkSize, type Evaluation, failure, spend } from "./evaluation.js";
import { naturallyJoined, ofJoin, PAIRS_MAX } from "./joining.js";
import { type Holds, Planner, type SourceConditions, type Stage } from "./plan.js";
import type { Relation, RelationRow } from "./relation.js";
import { filtered, INDEXED_ROWS_MIN, ofSelection, selected } from "./selection.js";

/** A side's rows are looked up in an index of the other side if that has at least this many times as many rows. */
const MUCH_LARGER = 8;

export function* plannedSources(
  relations: readonly Relation[],
  { joins, where }: Select,
  evaluation: Evaluation,
): Generator<void, Relation> {
  // Conditions that the plan does not check must name columns that exist, too.
  const plan = new Planner(relations, joins, evaluation).plan({ where });
  if (where !== null)
    condition(where, rowScope((plan.stages.at(-1) as Stage).columns, evaluation), evaluation);
  let left = new Side(relations[0] as Relation, plan.sources[0] as SourceConditions, evaluation);
  for (const [i, join] of joins.entries()) {
    const stage = plan.stages[i + 1] as Stage;
    const source = plan.sources[i + 1] as SourceConditions;
    const right = new Side(relations[i + 1] as Relation, source, evaluation);
    let made = yield* new StagedJoin({ left, right }, join, stage, evaluation).relation();
    if (join.kind === "natural" && join.on !== null) made = yield* selected(made, join.on, evaluation);
    left = new Side(made, { ...stage, demands: [] }, evaluation);
  }
  const rows = yield* left.rows();
  const all = { ...left.relation, rows, table: null };
  if (where === null) return all;
  return plan.hasWhere ? yield* ofSelection(all, rows, evaluation) : yield* selected(all, where, evaluation);
}

/** The rows of a relation that meet the conditions before a join; found when they are first read. */
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

  /** Whether it is a large table of which no condition selects rows by an index. */
  get isLargeTable(): boolean {
    return this.isTable && this.conditions.demands.length === 0;
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
    const [demand] = this.conditions.demands;
    const all =
      table !== null && demand !== undefined && this.isTable
        ? (yield* table.equal(demand.place, demand.value)).map((number) => table.row(number))
        : this.relation.rows;
    const { holds } = this;
    spend(this.#evaluation, all.length);
    countCalculated(this.#evaluation, all.length, this.conditions.parts);
    return holds === null ? all : yield* filtered(all, holds);
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
  #made: RelationRow[] = [];
  /** Rows checked since the last step ended. */
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
    const isChecked = on !== null && kind !== "natural";
    this.#holds = isChecked ? condition(on, rowScope(stage.columns, evaluation), evaluation) : null;
  }

  *relation(): Generator<void, Relation> {
    const { kind } = this.#join;
    const [left, right] = [this.#left.relation, this.#right.relation];
    if (kind === "natural") {
      const sides = [
        { ...left, rows: yield* this.#left.rows(), table: null },
        { ...right, rows: yield* this.#right.rows(), table: null },
      ] as const;
      return yield* naturallyJoined(...sides, this.#evaluation);
    }
    if (yield* this.#isFoundByLeftIndex()) yield* this.#byIndex("left");
    else if (this.#equal !== null && this.#right.isLargeTable && (kind === "inner" || kind === "left"))
      yield* this.#byIndex("right");
    else yield* this.#byRows();
    return yield* ofJoin({ left, right }, this.#join, this.#made, this.#evaluation);
  }

  /** Returns whether the right side has so few rows that their partners are found by the index of a large left table. */
  *#isFoundByLeftIndex(): Generator<void, boolean> {
    const { kind } = this.#join;
    if (this.#equal === null || !this.#left.isLargeTable || (kind !== "inner" && kind !== "right"))
      return false;
    if (this.#right.isLargeTable && this.#right.conditions.holds.length === 0) {
      const { size } = this.#right.relation.table ?? { size: 0 };
      if (size * MUCH_LARGER > (this.#left.relation.table?.size ?? 0)) return false;
    }
    const rows = yield* this.#right.rows();
    return rows.length * MUCH_LARGER <= (this.#left.relation.table?.size ?? 0);
  }

  /** Joins the rows of one side with their partners on the other side, which its index finds. @param side  of the index */
  *#byIndex(side: "left" | "right"): Generator<void, void> {
    const isLeft = side === "left";
    const [indexed, few] = isLeft ? [this.#left, this.#right] : [this.#right, this.#left];
    const { table } = indexed.relation;
    const rows = yield* few.rows();
    if (table === null || this.#equal === null) return;
    const { left, right } = this.#equal;
    const [place, other] = isLeft ? [left, right] : [right, left];
    const { holds } = indexed;
    /** The index's row of each pair. */
    const numbers: number[] = [];
    const isMatched = new Uint8Array(rows.length);
    for (const [at, row] of rows.entries()) {
      for (const number of yield* table.equal(place, row[other] as Scalar)) {
        if (this.#check()) yield;
        const one = table.row(number);
        if (holds !== null && !holds(one)) continue;
        if (!this.#add(isLeft ? [...one, ...row] : [...row, ...one])) continue;
        numbers.push(number);
        isMatched[at] = 1;
      }
      if (this.#check()) yield;
    }
    if (isLeft) yield* this.#sortMade(numbers);
    if (this.#join.kind !== "inner") yield* this.#addUnmatched(isLeft ? "right" : "left", rows, isMatched);
  }

  /** Sorts the pairs by their numbers; those of one number stay in their order. */
  *#sortMade(numbers: readonly number[]): Generator<void, void> {
    const order = yield* sortedInSteps(
      [...numbers.keys()],
      (a, b) => (numbers[a] as number) - (numbers[b] as number),
    );
    this.#made = order.map((at) => this.#made[at] as RelationRow);
  }

  /** Joins the rows of both sides, by a hash of the right ones where two columns must be equal. */
  *#byRows(): Generator<void, void> {
    const { kind } = this.#join;
    const rows = yield* this.#left.rows();
    const others = yield* this.#right.rows();
    const index = this.#equal === null ? null : yield* hashOf(others, this.#equal.right);
    const everywhere = index === null ? [...others.keys()] : [];
    const [isMatchedLeft, isMatchedRight] = [new Uint8Array(rows.length), new Uint8Array(others.length)];
    for (const [at, row] of rows.entries()) {
      const places = index === null ? everywhere : index.equal(row[this.#equal?.left ?? 0] as Scalar);
      for (const place of places) {
        if (this.#check()) yield;
        if (!this.#add([...row, ...(others[place] as RelationRow)])) continue;
        isMatchedLeft[at] = 1;
        isMatchedRight[place] = 1;
      }
      if (this.#check()) yield;
    }
    if (kind === "left" || kind === "full") yield* this.#addUnmatched("left", rows, isMatchedLeft);
    if (kind === "right" || kind === "full") yield* this.#addUnmatched("right", others, isMatchedRight);
  }

  /** Counts a row that is checked, and returns whether the step ends. */
  #check(): boolean {
    if (++this.#checked < STEP_ITEMS) return false;
    spend(this.#evaluation, this.#checked);
    countCalculated(this.#evaluation, this.#checked, this.#join.on === null ? [] : [this.#join.on]);
    this.#checked = 0;
    return true;
  }

  /** Adds a pair that meets the condition. */
  #add(pair: RelationRow): boolean {
    if (this.#holds !== null && !this.#holds(pair)) return false;
    const rows = this.#made.push(pair);
    if (rows > PAIRS_MAX) throw failure(this.#evaluation, "tooMany", String(PAIRS_MAX));
    checkSize(this.#evaluation, rows, this.#width);
    return true;
  }

  /** Adds the rows of a side without a partner, with nulls in place of the other side's columns. */
  *#addUnmatched(
    side: "left" | "right",
    rows: readonly RelationRow[],
    isMatched: Uint8Array,
  ): Generator<void, void> {
    const other = side === "left" ? this.#right : this.#left;
    const nothing = Array<null>(other.relation.columns.length).fill(null);
    for (const [i, row] of rows.entries()) {
      if (isMatched[i] === 0) {
        this.#made.push(side === "left" ? [...row, ...nothing] : [...nothing, ...row]);
        checkSize(this.#evaluation, this.#made.length, this.#width);
      }
      if (i % STEP_ITEMS === STEP_ITEMS - 1) yield;
    }
  }
}

function* hashOf(rows: readonly RelationRow[], place: number): Generator<void, HashIndex> {
  const index = new HashIndex();
  for (const [at, row] of rows.entries()) {
    const value = row[place] as Scalar;
    index.add(at, typeof value === "boolean" ? Number(value) : value);
    if (at % STEP_ITEMS === STEP_ITEMS - 1) yield;
  }
  return index;
}
