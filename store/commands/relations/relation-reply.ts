/** A relation as a reply: its name, its columns with their origins, and its rows. */
import { array, bulk, bulkOrNil, NIL, type Reply, relation, writtenDouble } from "../../../protocol/reply.js";
import type { Scalar } from "../../values/relations/cell.js";
import type { Relation } from "./relation.js";

export function relationReply({ name, columns, rows }: Relation): Reply {
  return relation([
    bulk("name"),
    bulk(name),
    bulk("columns"),
    array(columns.map((column) => array([bulk(column.name), bulkOrNil(column.origin ?? undefined)]))),
    bulk("rows"),
    array(rows.map((row) => array(row.map(cellReply)))),
  ]);
}

const YES: Reply = { kind: "resp3", written: "#t\r\n", plain: { kind: "integer", value: 1 } };
const NO: Reply = { kind: "resp3", written: "#f\r\n", plain: { kind: "integer", value: 0 } };

function cellReply(cell: Scalar): Reply {
  if (typeof cell === "string") return bulk(cell);
  if (typeof cell === "number") return writtenDouble(cell, Object.is(cell, -0) ? "-0" : String(cell));
  return cell === null ? NIL : cell ? YES : NO;
}
