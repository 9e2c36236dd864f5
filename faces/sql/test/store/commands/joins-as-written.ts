/**
 * Joins without a plan, for tests: every pair of rows is checked by the condition as it is written, in the order of the
 * rows.
 */

import "../../../../../test/support/all-families.js";
import { finish } from "../../../../../protocol/steps.js";
import { compiled, condition, rowScope } from "../../../store/commands/compiled-expressions.js";
import type { Evaluation } from "../../../store/commands/evaluation-context.js";
import { answered } from "../../../store/commands/execute-query.js";
import { naturallyJoined, ofJoin } from "../../../store/commands/joins.js";
import type { Relation } from "../../../store/commands/relation.js";
import type { RelationRow } from "../../../store/commands/relation-row.js";
import { selected } from "../../../store/commands/select-rows.js";
import { Sources } from "../../../store/commands/sources.js";
import type { Join, Select, Source } from "../../../store/grammar/syntax-tree.js";

/** Returns the result of a select whose fields, if it names any, have aliases. @throws CommandFailure */
export function joinedAsWritten(select: Select, evaluation: Evaluation): Relation {
  const { source, joins, where, fields } = select;
  const rowsOf = (each: Source) => sourceOf(select, each, evaluation);
  let relation = rowsOf(source as Source);
  const rights = joins.map((join) => rowsOf(join.source));

  for (const [i, join] of joins.entries()) {
    const right = rights[i] as Relation;
    relation =
      join.kind === "natural"
        ? finish(naturallyJoined(relation, right, evaluation))
        : joined(relation, right, join, evaluation);
    if (join.kind === "natural" && join.on !== null)
      relation = finish(selected(relation, join.on, evaluation));
  }

  if (where !== null) relation = finish(selected(relation, where, evaluation));
  if (fields === null) return relation;

  const scope = rowScope(relation.columns, evaluation);
  const values = fields.map(({ value }) =>
    compiled(value as Parameters<typeof compiled>[0], scope, evaluation),
  );
  return {
    ...relation,
    name: `${relation.name}_projection`,
    columns: fields.map(({ alias }) => ({ name: alias as string, origin: null })),
    rows: relation.rows.map((row) => values.map((value) => value(row))),
  };
}

const sourceOf = (select: Select, source: Source, evaluation: Evaluation): Relation =>
  answered(
    { ...select, source, fields: null, joins: [], where: null },
    { ...evaluation, sources: new Sources() },
  );

const nulls = ({ columns }: Relation) => Array<null>(columns.length).fill(null);

function joined(left: Relation, right: Relation, join: Join, evaluation: Evaluation): Relation {
  const scope = rowScope([...left.columns, ...right.columns], evaluation);
  const holds = join.on === null ? () => true : condition(join.on, scope, evaluation);

  const rows: RelationRow[] = [];
  const partners = new Set<RelationRow>();
  const unmatched: RelationRow[] = [];
  const keepsLeft = join.kind === "left" || join.kind === "full";
  // In the original form, left rows without a partner follow all pairs.
  const add = evaluation.form === "standard" ? rows : unmatched;

  for (const row of left.rows) {
    const found = right.rows.filter((other) => holds([...row, ...other]));
    for (const other of found) {
      rows.push([...row, ...other]);
      partners.add(other);
    }
    if (found.length === 0 && keepsLeft) add.push([...row, ...nulls(right)]);
  }

  rows.push(...unmatched);
  if (join.kind === "right" || join.kind === "full")
    for (const other of right.rows) if (!partners.has(other)) rows.push([...nulls(left), ...other]);
  return finish(ofJoin({ left, right }, join as Parameters<typeof ofJoin>[1], rows, evaluation));
}
