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

/** Returns a metric that consists of a single number, without labels. */
export function single<Sources>(
  type: ValueMetric<Sources>["type"],
  help: string,
  read: (sources: Sources) => number,
): ValueMetric<Sources> {
  return { type, labels: [], help, read: (sources) => [{ labels: {}, value: read(sources) }] };
}

export interface HistogramMetric<Sources> extends Metric<Sources, Histogram> {
  readonly type: "histogram";
}

export type AnyMetric<Sources> = ValueMetric<Sources> | HistogramMetric<Sources>;

/** Metrics by their names. */
export type Metrics<Sources> = Readonly<Record<string, AnyMetric<Sources>>>;
