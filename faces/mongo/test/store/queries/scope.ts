/** The scope of filters and updates of a command. */
import { EffortBudget } from "../../../../../daemon/store/keyspace/effort-budget.js";
import type { UpdateContext } from "../../../store/queries/bson-update.js";
import type { CommandCost } from "../../../store/queries/command-cost.js";
import type { Scope } from "../../../store/queries/expressions.js";
import { EXPRESSION_OPERATORS } from "../../../store/queries/operators/operator-table.js";
import { PositionalElements } from "../../../store/queries/positional-elements.js";

const freshWork = (): CommandCost => ({ units: 0, effort: new EffortBudget() });

export const scopeOf = (work: CommandCost = freshWork()): Scope => ({
  at: 1,
  work,
  operators: EXPRESSION_OPERATORS,
  variables: new Map(),
  choose: () => 0,
});

export function updateContext(work: CommandCost = freshWork()): UpdateContext {
  const scope = scopeOf(work);
  return {
    ...scope,
    isInsert: false,
    allowsDollars: false,
    elements: new PositionalElements(new Map(), undefined, scope),
  };
}
