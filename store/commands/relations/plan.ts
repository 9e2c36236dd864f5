/**
 * Plans where the conditions of a select are checked: as soon as their columns are available, so that rows outside the result are not joined.
 * Only parts of conditions that cannot fail move, and only where everything that is checked before them cannot fail either, so that the
 * result, its order and its errors are those of checking each condition where it is written. Stage 0 is the first source, stage n the rows of
 * the n-th join; a column has the same index in all stages that contain it.
 */
import type { Binary, Expression, Join, Select } from "../../sql/tree.js";
import type { Scalar } from "../../values/relations/cell.js";
import { condition, constantOf, type Scope } from "./compiled.js";
import { demandsOf, isEquality } from "./equalities.js";
import { checkColumns, type Evaluation, failure } from "./evaluation.js";
import { isText, placeOf, type Relation, type RelationColumn } from "./relation.js";
import type { Demand } from "./selection.js";

export type Holds = (row: readonly Scalar[]) => boolean;

/** The conditions on a source's rows before they are joined. */
export interface SourceConditions {
  readonly holds: Holds[];
  /** The same as expressions. */
  readonly parts: Expression[];
  /** Values that its columns must equal. */
  readonly demands: Demand[];
}

export interface Stage {
  /** The columns of its rows. */
  readonly columns: readonly RelationColumn[];
  /** Conditions on its rows. */
  readonly holds: Holds[];
  /** The same as expressions. */
  readonly parts: Expression[];
  /** Columns that its `on` requires to be equal: an index in the previous stage, and one in the source. */
  readonly equal: { readonly left: number; readonly right: number } | null;
}

export interface Plan {
  readonly sources: readonly SourceConditions[];
  readonly stages: readonly Stage[];
  /** Whether the stages check all of `where`. */
  readonly hasWhere: boolean;
}

interface Origin {
  readonly source: number;
  readonly place: number;
}

export class Planner {
  readonly #evaluation: Evaluation;
  readonly #joins: readonly Join[];
  readonly #sources: readonly SourceConditions[];
  readonly #stages: Stage[];
  /** By column index of the last stage. */
  readonly #origins: readonly Origin[];

  /** @param relations  one more than joins @throws CommandFailure  too many columns */
  constructor(relations: readonly Relation[], joins: readonly Join[], evaluation: Evaluation) {
    this.#evaluation = evaluation;
    this.#joins = joins;
    this.#sources = relations.map(() => ({ holds: [], parts: [], demands: [] }));
    let columns = (relations[0] as Relation).columns;
    const origins = columns.map((_, place): Origin => ({ source: 0, place }));
    const stages: Stage[] = [{ columns, holds: [], parts: [], equal: null }];
    for (const [i, { kind }] of joins.entries()) {
      const right = (relations[i + 1] as Relation).columns;
      const names = new Set(kind === "natural" ? columns.map(({ name }) => name) : []);
      const added = [...right.keys()].filter((place) => !names.has((right[place] as RelationColumn).name));
      checkColumns(evaluation, columns.length + right.length);
      origins.push(...added.map((place) => ({ source: i + 1, place })));
      columns = [...columns, ...added.map((place) => right[place] as RelationColumn)];
      stages.push({ columns, holds: [], parts: [], equal: null });
    }
    this.#origins = origins;
    this.#stages = stages;
  }

  plan({ where }: Pick<Select, "where">): Plan {
    let areSafe = true;
    for (const [i, { kind, on }] of this.#joins.entries()) {
      if (on === null) continue;
      const stage = i + 1;
      const { parts, isAll } = demandsOf(on);
      for (const part of parts) {
        this.#findEqual(part, stage);
        if (areSafe) this.#placeOn(part, kind, stage);
      }
      areSafe &&= isAll;
    }
    const last = this.#joins.length;
    if (where === null) return { sources: this.#sources, stages: this.#stages, hasWhere: true };
    const { parts, isAll } = demandsOf(where);
    if (areSafe) for (const part of parts) this.#put(part, last, last);
    return { sources: this.#sources, stages: this.#stages, hasWhere: areSafe && isAll };
  }

  /** Checks a part of `on` that names one side alone at that side, unless the join keeps unmatched rows of that side. */
  #placeOn(part: Expression, kind: Join["kind"], stage: number): void {
    const used = this.#sourcesOf(part, stage);
    if (used.length === 0) return;
    const [isRight, isLeft] = [used.every((source) => source === stage), !used.includes(stage)];
    if (kind === "inner" || kind === "natural") {
      if (isRight || isLeft) this.#put(part, stage, stage);
    } else if (kind === "left" && isRight) this.#putAtSource(part, stage, stage);
    else if (kind === "right" && isLeft) this.#put(part, stage, stage - 1);
  }

  /** Checks a part as early as it may be. @param stage  whose columns it names @param top  after which it must have been checked */
  #put(part: Expression, stage: number, top: number): void {
    const used = this.#sourcesOf(part, stage);
    // A part without columns is checked at the end.
    let earliest = used.length === 0 ? top : Math.max(...used);
    for (let join = top; join > earliest; join--) {
      const kind = this.#joins[join - 1]?.kind;
      // This join adds rows whose left side is null.
      if (kind === "right" || kind === "full") earliest = join;
    }
    const kind = this.#joins[earliest - 1]?.kind;
    const isOfSource = used.length === 1 && used[0] === earliest;
    if (isOfSource && (earliest === 0 || kind === "inner" || kind === "natural" || kind === "right"))
      this.#putAtSource(part, stage, earliest);
    else {
      const { holds, parts } = this.#stages[earliest] as Stage;
      holds.push(this.#holds(part, stage, (place) => place));
      parts.push(part);
    }
  }

  #putAtSource(part: Expression, stage: number, source: number): void {
    const { holds, parts, demands } = this.#sources[source] as SourceConditions;
    const local = (place: number) => (this.#origins[place] as Origin).place;
    holds.push(this.#holds(part, stage, local));
    parts.push(part);
    if (!isEquality(part)) return;
    for (const [one, other] of [
      [part.left, part.right],
      [part.right, part.left],
    ] as const) {
      const place = this.#placeOf(one, stage);
      const value = constantOf(other, this.#evaluation);
      if (place !== null && value !== undefined) demands.push({ place: local(place), value });
    }
  }

  #findEqual(part: Expression, stage: number): void {
    const found = this.#stages[stage] as Stage;
    if (found.equal !== null || !isEquality(part) || this.#joins[stage - 1]?.kind === "natural") return;
    const places = [part.left, part.right].map((side) => this.#placeOf(side, stage));
    const [one, other] = places;
    if (one === null || one === undefined || other === null || other === undefined) return;
    const [left, right] = one < other ? [one, other] : [other, one];
    const width = (this.#stages[stage - 1] as Stage).columns.length;
    if (left >= width || right < width) return;
    this.#stages[stage] = { ...found, equal: { left, right: right - width } };
  }

  /** Returns the column index; null: the expression is no column. */
  #placeOf(expression: Expression, stage: number): number | null {
    const { columns } = this.#stages[stage] as Stage;
    if (expression.kind !== "column" || isText(expression, columns)) return null;
    return placeOf(expression, columns, this.#evaluation);
  }

  /** Returns the sources of the columns of an expression, each once. */
  #sourcesOf(expression: Expression, stage: number): readonly number[] {
    const found = new Set<number>();
    const visit = (each: Expression): void => {
      if (each.kind === "column") {
        const place = this.#placeOf(each, stage);
        if (place !== null) found.add((this.#origins[place] as Origin).source);
      } else if (each.kind === "binary") for (const side of sidesOf(each)) visit(side);
      else if (each.kind === "not" || each.kind === "negative" || each.kind === "is-null")
        visit(each.operand);
    };
    visit(expression);
    return [...found];
  }

  #holds(part: Expression, stage: number, local: (place: number) => number): Holds {
    const { columns } = this.#stages[stage] as Stage;
    const scope: Scope = {
      column: (column) => {
        if (isText(column, columns)) return () => column.name;
        const place = local(placeOf(column, columns, this.#evaluation));
        return (row) => row[place] as Scalar;
      },
      call: ({ name }) => {
        throw failure(this.#evaluation, "notByRow", name);
      },
    };
    return condition(part, scope, this.#evaluation);
  }
}

const sidesOf = ({ left, right }: Binary) => [left, right];
