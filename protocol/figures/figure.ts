/**
 * The figures that a daemon reports. A table defines their names and kinds; replies, metrics and documents are derived
 * from it.
 */

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

/** What a daemon did for its clients: counts since its start, and the number of open connections. */
export interface ClientTotals {
  readonly clientAnswers: number;
  readonly clientRefusals: number;
  readonly clientConnections: number;
}
