/** The scope of filters and updates of a command. */
import { EffortBudget } from "../../../../../daemon/store/keyspace/effort-budget.js";
import type { UpdateContext } from "../../../store/queries/bson-update.js";
import type { Scope } from "../../../store/queries/expressions.js";
import type { Work } from "../../../store/queries/mongo-failure.js";
import { EXPRESSION_OPERATORS } from "../../../store/queries/operators/operator-table.js";
import { PositionalElements } from "../../../store/queries/positional-elements.js";

const freshWork = (): Work => ({ units: 0, effort: new EffortBudget() });

export const scopeOf = (work: Work = freshWork()): Scope => ({
  at: 1,
  work,
  operators: EXPRESSION_OPERATORS,
  variables: new Map(),
  choose: () => 0,
});

export function updateContext(work: Work = freshWork()): UpdateContext {
  const scope = scopeOf(work);
  return {
    ...scope,
    isInsert: false,
    allowsDollars: false,
    elements: new PositionalElements(new Map(), undefined, scope),
  };
}
