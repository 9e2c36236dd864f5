/**
 * Plans where the conditions of a select are checked: each part as soon as its columns are available, so that rows
 * outside the result are not joined. The rows and their order are the same as if each condition were checked where it
 * is written; select-rows.ts determines which parts may move. If the early check of a part fails with an error, the row
 * is retained, and the part is checked again where it is written. A plan therefore fails only if checking in the
 * written order fails. Stage 0 is the first source, and stage n consists of the rows of the n-th join; a column has the
 * same index in all stages that contain it.
 */
import { CommandFailure } from "../../../../daemon/store/arguments/command-errors.js";
import {
  type Binary,
  type Expression,
  type Join,
  type JoinKind,
  operandsOf,
} from "../grammar/syntax-tree.js";
import type { Scalar } from "../values/cell.js";
import { numberOfText } from "../values/number-text.js";
import { type Compiled, isEqual, standardOrder } from "./comparisons.js";
import { compiled, condition, constantOf, type Scope } from "./compiled-expressions.js";
import { checkColumns, type Evaluation, notByRow } from "./evaluation-context.js";
import { isText, joinedColumns, positionOf, type Relation } from "./relation.js";
import type { RelationColumn } from "./relation-row.js";
import { conditionPartsOf, isEquality, isSafe, type RequiredValue } from "./select-rows.js";

export type Holds = (row: readonly Scalar[]) => boolean;

/** The conditions on a source's rows before they are joined. */
export interface SourceConditions {
  readonly holds: Holds[];
  /** The same conditions as expressions. */
  readonly parts: Expression[];
  /** Values that columns of the source must equal. */
  readonly requiredValues: RequiredValue[];
}

/** A value of each row on one side of a join. */
export interface Key {
  readonly expression: Expression;
  /** The index of the column, or null if the value is calculated. */
  readonly position: number | null;
  /** Returns undefined if the calculation fails. */
  readonly value: (row: readonly Scalar[]) => Scalar | undefined;
}

/**
 * Values that an `on` requires to be equal: one from a row of the previous stage, one from a row of the source that the
 * join adds.
 */
export interface EqualKeys {
  readonly left: Key;
  readonly right: Key;
}

export interface Stage {
  /** The columns of the rows of this stage. */
  readonly columns: readonly RelationColumn[];
  /** Conditions on the rows of this stage. */
  readonly holds: Holds[];
  /** The same conditions as expressions. */
  readonly parts: Expression[];
  /** The equalities in the condition of the stage's join, in the order in which they are written. */
  readonly equal: EqualKeys[];
}

export interface Plan {
  readonly sources: readonly SourceConditions[];
  readonly stages: readonly Stage[];
  /** Whether the stages check the complete `where`. */
  readonly hasWhere: boolean;
}

interface Origin {
  readonly source: number;
  readonly position: number;
}

/** A part of a condition, which may be checked wherever its columns are available. */
interface Part {
  readonly expression: Expression;
  readonly sources: readonly number[];
  /** @param local returns the index of a column in the rows that are checked */
  holds(local: (position: number) => number): Holds;
  readonly requiredValues: readonly RequiredValue[];
}

/** Two columns that the `on` of a join requires to be equal. */
interface EqualColumns {
  readonly stage: number;
  readonly kind: JoinKind;
  readonly left: number;
  readonly right: number;
}

/** A column and the value that it has in all rows of a stage; in rows that a later join adds, the column is null. */
interface Fact extends RequiredValue {
  readonly stage: number;
}

export class Planner {
  readonly #evaluation: Evaluation;
  readonly #joins: readonly Join[];
  readonly #relations: readonly Relation[];
  readonly #sources: readonly SourceConditions[];
  readonly #stages: readonly Stage[];
  /** The origin of each column of the last stage. */
  readonly #origins: readonly Origin[];
  readonly #equalColumns: EqualColumns[] = [];
  readonly #facts: Fact[] = [];

  /**
   * @param relations the sources, of which there is one more than joins
   * @throws CommandFailure if there are too many columns
   */
  constructor(relations: readonly Relation[], joins: readonly Join[], evaluation: Evaluation) {
    this.#evaluation = evaluation;
    this.#joins = joins;
    this.#relations = relations;
    this.#sources = relations.map(() => ({ holds: [], parts: [], requiredValues: [] }));
    let columns = (relations[0] as Relation).columns;
    const origins = columns.map((_, position): Origin => ({ source: 0, position }));
    const stages: Stage[] = [{ columns, holds: [], parts: [], equal: [] }];
    for (const [i, { kind }] of joins.entries()) {
      const right = (relations[i + 1] as Relation).columns;
      checkColumns(evaluation, columns.length + right.length);
      const joined = joinedColumns(columns, right, kind);
      for (const position of joined.added) origins.push({ source: i + 1, position });
      columns = joined.columns;
      stages.push({ columns, holds: [], parts: [], equal: [] });
    }

    this.#origins = origins;
    this.#stages = stages;
  }

  plan(where: Expression | null): Plan {
    const { form } = this.#evaluation;
    let mayMove = true;
    for (const [i, { kind, on }] of this.#joins.entries()) {
      if (on === null) continue;
      const stage = i + 1;
      const conditionParts = conditionPartsOf(on, form);
      for (const part of conditionParts.leading) this.#findEqual(part, stage);
      if (mayMove) for (const part of conditionParts.parts) this.#assignTo(part, kind, stage);
      mayMove &&= form === "standard" || conditionParts.isSafe;
    }

    const last = this.#joins.length;
    let hasWhere = where === null;
    if (where !== null && mayMove) {
      const conditionParts = conditionPartsOf(where, form);
      for (const part of conditionParts.parts) {
        const { sources } = this.#put(this.#partOf(part, last), last);
        if (form === "standard") this.#joinBy(part, sources);
      }
      hasWhere = conditionParts.isSafe;
    }
    this.#deduce();
    return { sources: this.#sources, stages: this.#stages, hasWhere };
  }

  /**
   * Schedules a part of `on` that names only one side to be checked on that side, unless the join retains unmatched
   * rows of that side.
   */
  #assignTo(expression: Expression, kind: JoinKind, stage: number): void {
    const part = this.#partOf(expression, stage);
    const { sources } = part;
    const isInner = kind === "inner" || kind === "natural";
    if (isInner || kind === "left" || kind === "right") this.#findEqualColumns(expression, kind, stage);
    if (sources.length === 0) return;
    const [isRight, isLeft] = [sources.every((source) => source === stage), !sources.includes(stage)];
    if (isInner) {
      if (isRight || isLeft) this.#put(part, stage);
    } else if (kind === "left" && isRight) this.#putAtSource(part, stage);
    else if (kind === "right" && isLeft) this.#put(part, stage - 1);
  }

  /**
   * Uses an equality of `where` to find the partners in the inner join that adds the last of its sources. If a later
   * join adds rows whose left side is null, the equality rejects these rows too, but only where it is checked.
   */
  #joinBy(expression: Expression, sources: readonly number[]): void {
    const stage = Math.max(0, ...sources);
    const isInner = this.#joins[stage - 1]?.kind === "inner";
    const isChecked = this.#joins.slice(stage).every(({ kind }) => kind !== "right" && kind !== "full");
    if (!isInner || !isChecked) return;
    this.#findEqual(expression, stage);
    this.#findEqualColumns(expression, "inner", stage);
  }

  /**
   * Schedules a part as early as it may be checked.
   * @param top the stage after which it must have been checked
   * @returns the part
   */
  #put(part: Part, top: number): Part {
    const { sources, requiredValues } = part;
    for (const required of requiredValues) this.#facts.push({ ...required, stage: top });

    // A part without columns is checked at the end.
    let earliest = sources.length === 0 ? top : Math.max(...sources);
    for (let join = top; join > earliest; join--) {
      const kind = this.#joins[join - 1]?.kind;
      // This join adds rows whose left side is null. The part must be checked for them too.
      if (kind === "right" || kind === "full") earliest = join;
    }

    const kind = this.#joins[earliest - 1]?.kind;
    const isOfSource = sources.length === 1 && sources[0] === earliest;
    if (isOfSource && (earliest === 0 || kind === "inner" || kind === "natural" || kind === "right"))
      this.#putAtSource(part, earliest);
    else {
      const { holds, parts } = this.#stages[earliest] as Stage;
      holds.push(part.holds((position) => position));
      parts.push(part.expression);
    }

    return part;
  }

  #putAtSource(part: Part, source: number): void {
    const { holds, parts, requiredValues } = this.#sources[source] as SourceConditions;
    const local = (position: number) => (this.#origins[position] as Origin).position;
    holds.push(part.holds(local));
    parts.push(part.expression);
    for (const { position, value } of part.requiredValues)
      requiredValues.push({ position: local(position), value });
  }

  /** Propagates values through the columns that joins require to be equal. */
  #deduce(): void {
    const processed = new Set<string>();
    for (let fact = this.#facts.pop(); fact !== undefined; fact = this.#facts.pop()) {
      const { position, stage } = fact;
      const value = this.#equalValue(fact.value);
      const name = JSON.stringify([position, stage, value]);
      if (value === undefined || processed.has(name)) continue;

      processed.add(name);
      this.#shareNaturally(position, value, stage);
      for (const { left, right, ...join } of this.#equalColumns) {
        const { kind } = join;
        // An outer join adds rows in which this column is null. A row in which this column has the value was not added
        // in this way: it has a partner on the other side, and the partner's column has the value too.
        const isEarlier = join.stage <= stage;
        if (position === left && (kind === "inner" || (kind === "right" && isEarlier)))
          this.#put(this.#equalPart(right, value), Math.max(stage, join.stage));
        else if (position === right && isEarlier && (kind === "inner" || kind === "left"))
          this.#put(this.#equalPart(left, value), stage);
      }
    }
  }

  /** Adds a check of the value to each source that shares the column through a natural join. */
  #shareNaturally(position: number, value: Scalar, stage: number): void {
    for (const [i, { kind }] of this.#joins.slice(0, stage).entries()) {
      const { columns } = this.#stages[i] as Stage;
      if (kind !== "natural" || position >= columns.length) continue;
      const { name } = columns[position] as RelationColumn;
      const other = (this.#relations[i + 1] as Relation).columns.findIndex((column) => column.name === name);
      if (other < 0) continue;
      const { holds, parts, requiredValues } = this.#sources[i + 1] as SourceConditions;
      const part = this.#equalPart(position, value);
      holds.push(part.holds(() => other));
      parts.push(part.expression);
      requiredValues.push({ position: other, value });
    }
  }

  /**
   * Returns the value of a column that must equal another column whose value is known, or undefined if the value is not
   * certain. For a text that represents a number, returns the number, since `'01'` and `'1'` both equal 1; no column
   * has an infinite number, so only the same text equals such a text. In the original form a text can equal many
   * values, so nothing is certain.
   * @param value the value of the other column
   */
  #equalValue(value: Scalar): Scalar | undefined {
    if (typeof value !== "string") return value;
    if (this.#evaluation.form === "original") return undefined;
    const number = numberOfText(value);
    return number === undefined || !Number.isFinite(number) ? value : number;
  }

  #equalPart(position: number, value: Scalar): Part {
    const isStandard = this.#evaluation.form === "standard";
    const { source } = this.#origins[position] as Origin;
    const { name } = (this.#stages.at(-1) as Stage).columns[position] as RelationColumn;
    const operand = { kind: "column", origin: null, name } as const;
    return {
      expression: { kind: "is-null", operand, isNegated: true },
      sources: [source],
      holds: (local) => {
        const at = local(position);
        if (isStandard) return (row) => standardOrder(row[at] as Scalar, value, this.#evaluation) === 0;
        return (row) => isEqual(row[at] as Scalar, value, this.#evaluation);
      },
      requiredValues: [{ position, value }],
    };
  }

  #findEqualColumns(part: Expression, kind: JoinKind, stage: number): void {
    if (kind === "natural" || !isEquality(part)) return;
    const [left, right] = this.#sidesOf(part, stage) ?? [];
    if (left === undefined || right === undefined) return;
    const positions = [left, right].map((side) => this.#positionOf(side, stage));
    const [one, other] = positions;
    if (typeof one === "number" && typeof other === "number")
      this.#equalColumns.push({ stage, kind, left: one, right: other });
  }

  /**
   * Returns the two sides of an equality in a join's condition: first the side that names only columns of the previous
   * stage, then the side that names only columns of the source that the join adds. Returns null for any other equality.
   */
  #sidesOf({ left, right }: Binary, stage: number): readonly [Expression, Expression] | null {
    const [one, other] = [left, right].map((side) => {
      const sources = this.#sourcesOf(side, stage);
      if (sources.length === 0) return null;
      if (!sources.includes(stage)) return "left";
      return sources.length === 1 ? "right" : null;
    });
    if (one === "left" && other === "right") return [left, right];
    return one === "right" && other === "left" ? [right, left] : null;
  }

  #findEqual(part: Expression, stage: number): void {
    if (!isEquality(part) || this.#joins[stage - 1]?.kind === "natural") return;
    const [left, right] = this.#sidesOf(part, stage) ?? [];
    if (left === undefined || right === undefined) return;
    const width = (this.#stages[stage - 1] as Stage).columns.length;
    const { equal } = this.#stages[stage] as Stage;
    equal.push({
      left: this.#keyOf(left, stage, (position) => position),
      right: this.#keyOf(right, stage, (position) => position - width),
    });
  }

  #keyOf(expression: Expression, stage: number, local: (position: number) => number): Key {
    const position = this.#positionOf(expression, stage);
    const value = compiled(expression, this.#scope(stage, local), this.#evaluation);
    return {
      expression,
      position: position === null ? null : local(position),
      value: isSafe(expression) ? value : (row) => unlessFailed(value, row),
    };
  }

  /** Returns the column index, or null if the expression is not a column. */
  #positionOf(expression: Expression, stage: number): number | null {
    const { columns } = this.#stages[stage] as Stage;
    if (expression.kind !== "column" || isText(expression, columns)) return null;
    return positionOf(expression, columns, this.#evaluation);
  }

  /** Returns the sources of an expression's columns, each once. */
  #sourcesOf(expression: Expression, stage: number): readonly number[] {
    const sources = new Set<number>();
    const visit = (each: Expression): void => {
      if (each.kind === "column") {
        const position = this.#positionOf(each, stage);
        if (position !== null) sources.add((this.#origins[position] as Origin).source);
      } else for (const part of operandsOf(each)) visit(part);
    };
    visit(expression);
    return [...sources];
  }

  /** @param stage the stage whose columns the part names */
  #partOf(expression: Expression, stage: number): Part {
    return {
      expression,
      sources: this.#sourcesOf(expression, stage),
      holds: (local) => {
        const holds = condition(expression, this.#scope(stage, local), this.#evaluation);
        return isSafe(expression) ? holds : (row) => unlessFailed(holds, row) ?? true;
      },
      requiredValues: this.#requiredValuesOf(expression, stage),
    };
  }

  #requiredValuesOf(part: Expression, stage: number): readonly RequiredValue[] {
    if (!isEquality(part)) return [];
    const sides = [[part.left, part.right] as const, [part.right, part.left] as const];
    return sides.flatMap(([one, other]) => {
      const position = this.#positionOf(one, stage);
      const value = constantOf(other, this.#evaluation);
      return position === null || value === undefined ? [] : [{ position, value }];
    });
  }

  #scope(stage: number, local: (position: number) => number): Scope {
    const { columns } = this.#stages[stage] as Stage;
    return {
      column: (column): Compiled => {
        if (isText(column, columns)) return () => column.name;
        const position = local(positionOf(column, columns, this.#evaluation));
        return (row) => row[position] as Scalar;
      },
      call: (call) => {
        throw notByRow(this.#evaluation, call);
      },
    };
  }
}

/** Returns undefined if the calculation fails. */
function unlessFailed<Value>(
  value: (row: readonly Scalar[]) => Value,
  row: readonly Scalar[],
): Value | undefined {
  try {
    return value(row);
  } catch (problem) {
    if (problem instanceof CommandFailure) return undefined;
    throw problem;
  }
}
