/** The result of a join: its name, its columns and its rows, of which there are not too many. */
import type { Expression, JoinKind } from "../grammar/syntax-tree.js";
import type { Evaluation } from "./evaluation-context.js";
import { type Relation, withoutDuplicates } from "./relation.js";
import type { RelationRow } from "./relation-row.js";

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
export const nameOfJoin = (left: string, right: string): string =>
  `${left.slice(0, NAME_CHARS_MAX)}_produit_${right.slice(0, NAME_CHARS_MAX)}`;

function nameOf(left: Relation, right: Relation, kind: JoinKind, on: Expression | null) {
  const one = left.name.slice(0, NAME_CHARS_MAX);
  const other = right.name.slice(0, NAME_CHARS_MAX);
  if (kind === "left") return `${one}_left_join_${other}`;
  if (kind === "right") return `${one}_right_join_${other}`;
  if (kind === "full") return `${one}_left_join_${other}_Union_${one}_right_join_${other}`;
  return `${nameOfJoin(one, other)}${on === null ? "" : "_selection"}`;
}
