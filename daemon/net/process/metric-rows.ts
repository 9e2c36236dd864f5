/**
 * Types and helpers for metrics. A program combines metrics into the table that it exports, for example at /metrics.
 */
import type { Figure, FigureTable } from "../../../protocol/figures/figure.js";
import type { Histogram } from "./histogram.js";

const MILLISECONDS = 1000;

/** One value of a metric, with the values of its labels. */
export interface Sample<Value> {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: Value;
}

/**
 * The definition of a metric: one row with its type, its help and the source of its numbers. The numbers are read only
 * when a client requests them.
 */
interface Metric<Sources, Value> {
  readonly labels: readonly string[];
  readonly help: string;
  readonly read: (sources: Sources) => readonly Sample<Value>[];
}

/** A metric with one value per sample: for a counter the sum since the start, for a gauge the current value. */
export interface ValueMetric<Sources> extends Metric<Sources, number> {
  readonly type: "counter" | "gauge";
}

/**
 * Returns a function that creates metrics with a sample for each of several subjects, such as listeners.
 * @param labels    the names of the labels
 * @param subjects  returns the subjects, with the labels of their samples
 */
export const metricMaker =
  <Sources, Subject>(
    labels: readonly string[],
    subjects: (sources: Sources) => readonly Sample<Subject>[],
  ): ((
    type: ValueMetric<Sources>["type"],
    help: string,
    read: (subject: Subject) => number,
  ) => ValueMetric<Sources>) =>
  (type, help, read) => ({
    type,
    labels,
    help,
    read: (sources) => subjects(sources).map(({ labels, value }) => ({ labels, value: read(value) })),
  });

/** Returns the only sample of a metric without labels, or no sample if the value is null. */
export const only = <Value>(value: Value | null): readonly Sample<Value>[] =>
  value === null ? [] : [{ labels: {}, value }];

/** Returns the samples of the values in a list, with a label for each. */
export const labelled = <Value>(
  label: string,
  values: readonly Value[],
  nameOf: (value: Value) => string,
): readonly Sample<Value>[] => values.map((value) => ({ labels: { [label]: nameOf(value) }, value }));

/** Returns a metric that consists of a single number, without labels. */
export const single = <Sources>(
  type: ValueMetric<Sources>["type"],
  help: string,
  read: (sources: Sources) => number,
): ValueMetric<Sources> => metricMaker<Sources, Sources>([], only)(type, help, read);

/** A metric that counts values in ranges. */
export interface HistogramMetric<Sources> extends Metric<Sources, Histogram> {
  readonly type: "histogram";
}

/** A metric of either kind. */
export type AnyMetric<Sources> = ValueMetric<Sources> | HistogramMetric<Sources>;

/** Metrics by their names. */
export type MetricTable<Sources> = Readonly<Record<string, AnyMetric<Sources>>>;

/** Returns a metric that counts values by size. */
export const histogram = <Sources>(
  help: string,
  read: (sources: Sources) => readonly Sample<Histogram>[],
): HistogramMetric<Sources> => ({ type: "histogram", labels: [], help, read });

/**
 * Returns the metrics of a table's figures, by name; figures that name the same metric share a row.
 * @param labels    the names of the labels
 * @param subjects  returns the values of the table's figures
 */
export function figureMetrics<Sources, Values extends object>(
  table: FigureTable,
  labels: readonly string[],
  subjects: (sources: Sources) => readonly Sample<Values>[],
): Readonly<Record<string, ValueMetric<Sources>>> {
  const metrics: Record<string, ValueMetric<Sources>> = {};
  for (const [name, row] of Object.entries(table)) {
    const { metric } = row;
    if (metric === undefined) continue;
    const { type, help = row.help, labels: own = {} } = metric;

    const before = metrics[metric.name];
    const samples = (sources: Sources): Sample<number>[] =>
      subjects(sources).flatMap(({ labels, value: values }) => {
        const value = sampleOf(row, (values as Readonly<Record<string, unknown>>)[name]);
        return value === null ? [] : [{ labels: { ...labels, ...own }, value }];
      });
    metrics[metric.name] = {
      type,
      help,
      labels: [...labels, ...Object.keys(own)],
      read: (sources) => [...(before?.read(sources) ?? []), ...samples(sources)],
    };
  }
  return metrics;
}

/**
 * Returns a figure's value as a number: the length of a list, 1 or 0 for a text or map that is present or absent,
 * seconds if the metric requires them; null if it is unknown.
 */
function sampleOf({ kind, metric }: Figure, value: unknown): number | null {
  if (Array.isArray(value)) return value.length;
  if (kind === "text-or-nil" || kind === "map") return Number(value !== null);
  if (value === null) return null;
  return metric?.isSeconds ? Number(value) / MILLISECONDS : Number(value);
}
