/** Figures that a daemon reports: a table says their names and kinds, and replies, metrics and documents follow from it. */

/** The value of a figure by its kind. Numbers are written as integers; null is written as nil. */
interface Values {
  readonly text: string;
  readonly "text-or-nil": string | null;
  /** A byte string, as keys are: one character for each byte. */
  readonly bytes: string;
  readonly number: number;
  readonly "number-or-nil": number | null;
  readonly flag: boolean;
  readonly "flag-or-nil": boolean | null;
  readonly "bytes-list": readonly string[];
}

/** The metric that shows a figure. A flag is 0 or 1, a text 1 if there is one, a list its length. */
export interface FigureMetric {
  readonly name: string;
  readonly type: "gauge" | "counter";
  /** Replaces the figure's own help where that does not fit. */
  readonly help?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** The figure is in milliseconds, and the metric in seconds. */
  readonly isSeconds?: true;
}

export interface PlainFigure {
  readonly kind: keyof Values;
  readonly help: string;
  readonly metric?: FigureMetric;
}

/** A list of maps, or one map or nil. */
export interface NestedFigure {
  readonly kind: "list" | "map";
  readonly of: FigureTable;
  readonly help: string;
  readonly metric?: FigureMetric;
}

export type Figure = PlainFigure | NestedFigure;

/** Figures by name in TypeScript; replies write `tailUnits` as `tail-units`. */
export type FigureTable = Readonly<Record<string, Figure>>;

type ValueOf<Row> = Row extends { readonly kind: "list"; readonly of: infer Table extends FigureTable }
  ? readonly Figures<Table>[]
  : Row extends { readonly kind: "map"; readonly of: infer Table extends FigureTable }
    ? Figures<Table> | null
    : Row extends { readonly kind: infer Kind extends keyof Values }
      ? Values[Kind]
      : never;

/** The values of a table. */
export type Figures<Table extends FigureTable> = { readonly [Name in keyof Table]: ValueOf<Table[Name]> };

/** Returns the name of a figure in replies. */
export const wireName = (name: string): string =>
  name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`);
