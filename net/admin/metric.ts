/**
 * A metric: everything about it in one row, including where its numbers are from. They are read when a client
 * requests them, never before.
 */
import type { Histogram } from "./histogram.js";

export interface Sample<Value> {
  readonly labels: Readonly<Record<string, string>>;
  readonly value: Value;
}

interface Metric<Sources, Value> {
  readonly labels: readonly string[];
  readonly help: string;
  readonly read: (sources: Sources) => readonly Sample<Value>[];
}

/** A counter's value is the sum since the start, a gauge's the value now. */
export interface ValueMetric<Sources> extends Metric<Sources, number> {
  readonly type: "counter" | "gauge";
}

/** A metric of one number. */
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
