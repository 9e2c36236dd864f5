/** Converts a relation to a reply: its name, its columns with their origins, and its rows. */

import type { EffortBudget } from "../../../../daemon/store/keyspace/effort-budget.js";
import {
  array,
  bulk,
  bulkOrNil,
  NIL,
  type Reply,
  relation,
  writtenDouble,
} from "../../../../protocol/reply.js";
import { StepReply } from "../../../../protocol/step-reply.js";
import { finish, STEP_ITEMS } from "../../../../protocol/steps.js";
import type { Scalar } from "../values/cell.js";
import { ROW_BYTES } from "./evaluation-context.js";
import type { Relation } from "./relation.js";

/** Approximate memory of the reply of a cell. */
const CELL_REPLY_BYTES = 64;

/** @param effort  counts the memory of the reply */
export function relationReply(result: Relation, effort: EffortBudget): Reply {
  return relation(finish(replyItems(result, effort)));
}

/**
 * Returns a reply that finds the relation in steps, each of which may throw a CommandFailure.
 * @param effort  counts the memory of the reply
 */
export function relationInSteps(work: Generator<void, Relation>, effort: EffortBudget): Reply {
  return new RelationInSteps("map", foundItems(work, effort));
}

class RelationInSteps extends StepReply<"map"> {
  readonly isRelation = true;
}

function* foundItems(
  work: Generator<void, Relation>,
  effort: EffortBudget,
): Generator<void, readonly Reply[]> {
  return yield* replyItems(yield* work, effort);
}

function* replyItems(
  { name, columns, rows }: Relation,
  effort: EffortBudget,
): Generator<void, readonly Reply[]> {
  effort.hold(rows.length * (ROW_BYTES + columns.length * CELL_REPLY_BYTES));
  const rowReplies: Reply[] = [];
  for (const row of rows) if (rowReplies.push(array(row.map(cellReply))) % STEP_ITEMS === 0) yield;
  return [
    ...[bulk("name"), bulk(name), bulk("columns")],
    array(columns.map((column) => array([bulk(column.name), bulkOrNil(column.origin ?? undefined)]))),
    ...[bulk("rows"), array(rowReplies)],
  ];
}

const YES: Reply = { kind: "resp3", written: "#t\r\n", plain: { kind: "integer", value: 1 } };
const NO: Reply = { kind: "resp3", written: "#f\r\n", plain: { kind: "integer", value: 0 } };

function cellReply(cell: Scalar): Reply {
  if (typeof cell === "string") return bulk(cell);
  if (typeof cell === "number") return writtenDouble(cell, Object.is(cell, -0) ? "-0" : String(cell));
  return cell === null ? NIL : cell ? YES : NO;
}
