/** Converts a relation to a reply: its name, its columns with their origins, and its rows. */
import { array, bulk, bulkOrNil, NIL, type Reply, relation, writtenDouble } from "../../../protocol/reply.js";
import { StepReply } from "../../../protocol/step-reply.js";
import { finish, STEP_ITEMS } from "../../../protocol/steps.js";
import type { Scalar } from "../../values/relations/cell.js";
import type { Relation } from "./relation.js";

export function relationReply(result: Relation): Reply {
  return relation(finish(replyItems(result)));
}

/** Returns a reply that finds the relation in steps, each of which may throw a CommandFailure. */
export function relationInSteps(work: Generator<void, Relation>): Reply {
  return new RelationInSteps("map", foundItems(work));
}

class RelationInSteps extends StepReply<"map"> {
  readonly isRelation = true;
}

function* foundItems(work: Generator<void, Relation>): Generator<void, readonly Reply[]> {
  return yield* replyItems(yield* work);
}

function* replyItems({ name, columns, rows }: Relation): Generator<void, readonly Reply[]> {
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
