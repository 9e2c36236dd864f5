/**
 * The sources of a select, joined by its plan: rows that fit to one are found by the index of a table, or else by a hash. The rows and their
 * order are those of joining.ts: by the rows of the left side, then by those of the right one. Limits count the rows that are made; every
 * row that is checked counts for the statement's work.
 */
import { STEP_ITEMS } from "../../../protocol/steps.js";
import type { Join, Select } from "../../sql/tree.js";
import type { Scalar } from "../../values/relations/cell.js";
import { HashIndex } from "../../values/relations/hash-index.js";
import { condition, rowScope } from "./compiled.js";
import { checkSize, type Evaluation, failure, spend } from "./evaluation.js";
import { naturallyJoined, ofJoin, PAIRS_MAX } from "./joining.js";
import { type Holds, Planner, type SourceConditions, type Stage } from "./plan.js";
import type { Relation, RelationRow } from "./relation.js";
import { filtered, INDEXED_ROWS_MIN, ofSelection, selected } from "./selection.js";

/** Of the smaller side so many rows are looked for in an index of the larger one, which has at least so many times as many rows. */
const MUCH_LARGER = 8;

export function* plannedSources(
  relations: readonly Relation[],
  { joins, where }: Select,
  evaluation: Evaluation,
): Generator<void, Relation> {
  // Also what is not checked there must name columns that are there.
  const plan = new Planner(relations, joins, evaluation).plan({ where });
  if (where !== null)
    condition(where, rowScope((plan.stages.at(-1) as Stage).columns, evaluation), evaluation);
  let left = new Side(relations[0] as Relation, plan.sources[0] as SourceConditions, evaluation);
  for (const [i, join] of joins.entries()) {
    const stage = plan.stages[i + 1] as Stage;
    const source = plan.sources[i + 1] as SourceConditions;
    const right = new Side(relations[i + 1] as Relation, source, evaluation);
    let made = yield* new StagedJoin({ left, right, join, stage }, evaluation).relation();
    if (join.kind === "natural" && join.on !== null) made = yield* selected(made, join.on, evaluation);
    left = new Side(made, { holds: stage.holds, demands: [] }, evaluation);
  }
  const rows = yield* left.rows();
  const all = { ...left.relation, rows, table: null };
  if (where === null) return all;
  return plan.hasWhere ? yield* ofSelection(all, rows, evaluation) : yield* selected(all, where, evaluation);
}

/** Rows of a relation that meet what is checked before they are joined; found when they are asked for. */
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

  /** Whether it has more rows than are to be looked through, as an index says which. */
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
    return holds === null ? all : yield* filtered(all, holds);
  }
}

interface JoinParts {
  readonly left: Side;
  readonly right: Side;
  readonly join: Join;
  readonly stage: Stage;
}

class StagedJoin {
  readonly #left: Side;
  readonly #right: Side;
  readonly #join: Join;
  readonly #equal: Stage["equal"];
  readonly #holds: Holds | null;
  readonly #evaluation: Evaluation;
  readonly #width: number;
  readonly #made: RelationRow[] = [];
  /** Rows that were checked since the last step ended. */
  #checked = 0;

  constructor({ left, right, join, stage }: JoinParts, evaluation: Evaluation) {
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
    if (yield* this.#isLookedForOnTheLeft()) yield* this.#byLeftIndex();
    else if (this.#equal !== null && this.#right.isLargeTable && (kind === "inner" || kind === "left"))
      yield* this.#byRightIndex();
    else yield* this.#byRows();
    return yield* ofJoin({ left, right }, this.#join, this.#made, this.#evaluation);
  }

  /** Few rows of the right side, whose partners are looked for in the index of a large table. */
  *#isLookedForOnTheLeft(): Generator<void, boolean> {
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

  *#byLeftIndex(): Generator<void, void> {
    const { table } = this.#left.relation;
    const rows = yield* this.#right.rows();
    if (table === null || this.#equal === null) return;
    const { left: place, right: other } = this.#equal;
    const { holds } = this.#left;
    const found: { readonly number: number; readonly at: number; readonly pair: RelationRow }[] = [];
    const isMatched = new Uint8Array(rows.length);
    for (const [at, row] of rows.entries()) {
      for (const number of yield* table.equal(place, row[other] as Scalar)) {
        if (this.#check()) yield;
        const one = table.row(number);
        if (holds !== null && !holds(one)) continue;
        const pair = [...one, ...row];
        if (this.#holds !== null && !this.#holds(pair)) continue;
        this.#checkMade(found.push({ number, at, pair }));
        isMatched[at] = 1;
      }
      if (this.#check()) yield;
    }
    found.sort((a, b) => a.number - b.number || a.at - b.at);
    for (const { pair } of found) this.#made.push(pair);
    if (this.#join.kind === "right") this.#addRight(rows, isMatched);
  }

  *#byRightIndex(): Generator<void, void> {
    const { table } = this.#right.relation;
    const rows = yield* this.#left.rows();
    if (table === null || this.#equal === null) return;
    const { left: other, right: place } = this.#equal;
    const { holds } = this.#right;
    const isMatched = new Uint8Array(rows.length);
    for (const [at, row] of rows.entries()) {
      for (const number of yield* table.equal(place, row[other] as Scalar)) {
        if (this.#check()) yield;
        const one = table.row(number);
        if (holds !== null && !holds(one)) continue;
        if (this.#add(row, one)) isMatched[at] = 1;
      }
      if (this.#check()) yield;
    }
    if (this.#join.kind === "left") this.#addLeft(rows, isMatched);
  }

  /** The rows of both sides, by a hash of the right ones where two columns must be equal. */
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
        if (!this.#add(row, others[place] as RelationRow)) continue;
        isMatchedLeft[at] = 1;
        isMatchedRight[place] = 1;
      }
      if (this.#check()) yield;
    }
    if (kind === "left" || kind === "full") this.#addLeft(rows, isMatchedLeft);
    if (kind === "right" || kind === "full") this.#addRight(others, isMatchedRight);
  }

  /** Counts a row that is checked. @returns whether the step ends */
  #check(): boolean {
    if (++this.#checked < STEP_ITEMS) return false;
    spend(this.#evaluation, this.#checked);
    this.#checked = 0;
    return true;
  }

  #add(left: RelationRow, right: RelationRow): boolean {
    const pair = [...left, ...right];
    if (this.#holds !== null && !this.#holds(pair)) return false;
    this.#checkMade(this.#made.push(pair));
    return true;
  }

  #checkMade(rows: number): void {
    if (rows > PAIRS_MAX) throw failure(this.#evaluation, "tooMany", String(PAIRS_MAX));
    checkSize(this.#evaluation, rows, this.#width);
  }

  /** Rows of the left side without a partner. */
  #addLeft(rows: readonly RelationRow[], isMatched: Uint8Array): void {
    const nothing = Array<null>(this.#right.relation.columns.length).fill(null);
    for (const [i, row] of rows.entries()) if (isMatched[i] === 0) this.#made.push([...row, ...nothing]);
    checkSize(this.#evaluation, this.#made.length, this.#width);
  }

  #addRight(rows: readonly RelationRow[], isMatched: Uint8Array): void {
    const nothing = Array<null>(this.#left.relation.columns.length).fill(null);
    for (const [i, row] of rows.entries()) if (isMatched[i] === 0) this.#made.push([...nothing, ...row]);
    checkSize(this.#evaluation, this.#made.length, this.#width);
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
