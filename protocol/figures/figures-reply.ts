/** Writes figures into a reply. */
import { bytesOfText } from "../byte-string.js";
import { array, bulk, integer, map, NIL, type Reply } from "../reply.js";
import { type Figure, type Figures, type FigureTable, wireName } from "./figure.js";

/** Returns the figures as a map, in the table's order. */
export function figuresReply<Table extends FigureTable>(table: Table, figures: Figures<Table>): Reply {
  return map(
    Object.entries(table).flatMap(([name, row]) => [bulk(wireName(name)), valueReply(row, figures[name])]),
  );
}

function valueReply(row: Figure, value: unknown): Reply {
  if (value === null) return NIL;
  switch (row.kind) {
    case "list":
      return array((value as Figures<FigureTable>[]).map((each) => figuresReply(row.of, each)));
    case "map":
      return figuresReply(row.of, value as Figures<FigureTable>);
    case "bytes-list":
      return array((value as string[]).map(bulk));
    case "bytes":
      return bulk(value as string);
    case "text":
    case "text-or-nil":
      return bulk(bytesOfText(value as string));
    default:
      return integer(Math.round(Number(value)));
  }
}
