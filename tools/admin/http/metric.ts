/**
 * The definition of a metric: one row with its type, its help and the source of its numbers. The numbers are read only
 * when a client requests them.
 */
import type { Histogram } from "../../../daemon/net/process/histogram.js";

export interface Sample<Value> {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: Value;
}

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

/** Returns the only sample of a metric without labels, or none if the value is absent. */
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

export interface HistogramMetric<Sources> extends Metric<Sources, Histogram> {
  readonly type: "histogram";
}

export type AnyMetric<Sources> = ValueMetric<Sources> | HistogramMetric<Sources>;

/** Metrics by their names. */
export type Metrics<Sources> = Readonly<Record<string, AnyMetric<Sources>>>;
