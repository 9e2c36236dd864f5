/** Joins the sources of a select according to its plan, one after the other, in an order that is chosen first. */
import type { Select } from "../grammar/syntax-tree.js";
import { condition, rowScope } from "./compiled-expressions.js";
import { type JoinStage, Planner, type SourceConditions } from "./condition-plan.js";
import type { Evaluation } from "./evaluation-context.js";
import { inWrittenOrder, orderOf, withNumbers } from "./join-order.js";
import type { Relation } from "./relation.js";
import { ofSelection, selected } from "./select-rows.js";
import { Side, StagedJoin } from "./staged-join.js";

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

function* plannedSources(
  relations: readonly Relation[],
  { joins, where }: Select,
  evaluation: Evaluation,
): Generator<void, Relation> {
  // Conditions that the plan does not check must also name existing columns.
  const plan = new Planner(relations, joins, evaluation).plan(where);
  if (where !== null)
    condition(where, rowScope((plan.stages.at(-1) as JoinStage).columns, evaluation), evaluation);

  let left = new Side(relations[0] as Relation, plan.sources[0] as SourceConditions, evaluation);
  for (const [i, join] of joins.entries()) {
    const stage = plan.stages[i + 1] as JoinStage;
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
