/**
 * The figures that a daemon reports. A table defines their names and kinds; replies, which this file writes, metrics and
 * documents are derived from it.
 */
import { bytesOfText } from "../byte-string.js";
import { array, bulk, integer, map, NIL, type Reply } from "../reply.js";

/** The type of a figure's value, by its kind. Numbers are written as integers, and null as nil. */
interface Values {
  readonly text: string;
  readonly "text-or-nil": string | null;
  /** A byte string, such as a key: one character for each byte. */
  readonly bytes: string;
  readonly number: number;
  readonly "number-or-nil": number | null;
  readonly flag: boolean;
  readonly "flag-or-nil": boolean | null;
  readonly "bytes-list": readonly string[];
}

/** The metric that shows a figure. A flag is 0 or 1, a text is 1 if present, and a list is its length. */
export interface FigureMetric {
  readonly name: string;
  readonly type: "gauge" | "counter";
  /** Replaces the figure's own help if that is not suitable. */
  readonly help?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Whether the figure is in milliseconds and the metric in seconds. */
  readonly isSeconds?: true;
}

export interface PlainFigure {
  readonly kind: keyof Values;
  readonly help: string;
  readonly metric?: FigureMetric;
}

/** A figure whose value is a list of maps, or one map or nil. */
export interface NestedFigure {
  readonly kind: "list" | "map";
  readonly of: FigureTable;
  readonly help: string;
  readonly metric?: FigureMetric;
}

export type Figure = PlainFigure | NestedFigure;

/** The figures by their names in TypeScript. In replies, `tailUnits` is named `tail-units`. */
export type FigureTable = Readonly<Record<string, Figure>>;

type ValueOf<Row> = Row extends { readonly kind: "list"; readonly of: infer Table extends FigureTable }
  ? readonly Figures<Table>[]
  : Row extends { readonly kind: "map"; readonly of: infer Table extends FigureTable }
    ? Figures<Table> | null
    : Row extends { readonly kind: infer Kind extends keyof Values }
      ? Values[Kind]
      : never;

/** The values of the figures in a table. */
export type Figures<Table extends FigureTable> = { readonly [Name in keyof Table]: ValueOf<Table[Name]> };

/** Returns the name of a figure in replies. */
export const wireName = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);

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

/** What a daemon did for its clients: counts since its start, and the number of open connections. */
export interface ClientTotals {
  readonly clientAnswers: number;
  readonly clientRefusals: number;
  readonly clientConnections: number;
}
