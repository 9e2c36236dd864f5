/** Reads the fields and the figures in daemons' replies. */
import type { ReplyValue } from "../../../client/shared/reply-value.js";
import { type Figure, type Figures, type FigureTable, wireName } from "../../../protocol/figures/figure.js";

/** Converts a reply of alternating names and values to an object. Errors that the daemon returned are left out. */
export function fieldsOf(reply: ReplyValue): Record<string, ReplyValue> {
  const fields: Record<string, ReplyValue> = {};
  if (!Array.isArray(reply)) return fields;
  for (let i = 0; i + 1 < reply.length; i += 2) fields[String(reply[i])] = reply[i + 1] as ReplyValue;
  return fields;
}

/**
 * Reads the figures that a table lists from a daemon's reply. A figure that the daemon's version does not report
 * gets a default value.
 * @param reply names and values, as in a reply to TIMELINE STATUS
 */
export function readFigures<Table extends FigureTable>(table: Table, reply: ReplyValue): Figures<Table> {
  const fields = fieldsOf(reply);
  const values = Object.entries(table).map(([name, row]) => [name, figureValue(row, fields[wireName(name)])]);
  return Object.fromEntries(values) as Figures<Table>;
}

/** Returns the value of a figure in a reply or in INFO, or its default if the figure is missing. */
export function figureValue(row: Figure, value: ReplyValue | undefined): unknown {
  const isPresent = value !== null && value !== undefined;
  switch (row.kind) {
    case "list":
      return Array.isArray(value) ? value.map((each) => readFigures(row.of, each)) : [];
    case "map":
      return isPresent ? readFigures(row.of, value) : null;
    case "bytes-list":
      return Array.isArray(value) ? value.map(String) : [];
    case "text":
    case "bytes":
      return String(value ?? "");
    case "text-or-nil":
      return isPresent ? String(value) : null;
    case "number":
      return Number(value ?? 0);
    case "number-or-nil":
      return isPresent ? Number(value) : null;
    case "flag":
      return Number(value ?? 0) === 1;
    case "flag-or-nil":
      return isPresent ? Number(value) === 1 : null;
  }
}
