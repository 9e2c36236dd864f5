/** Functions that create the rows of the daemon's metrics. */

import type { Histogram } from "../../daemon/net/process/histogram.js";
import type { Sources } from "../../daemon/program/inspection/inspected-daemon.js";
import type { Figure, FigureTable } from "../../protocol/figures/figure.js";
import type { HistogramMetric, Sample, ValueMetric } from "./http/metric.js";

type ValueRow = ValueMetric<Sources>;
export type MetricRow = ValueRow | HistogramMetric<Sources>;

const MILLISECONDS = 1000;

export const histogram = (
  help: string,
  read: (sources: Sources) => readonly Sample<Histogram>[],
): HistogramMetric<Sources> => ({ type: "histogram", labels: [], help, read });

/**
 * Returns the metrics of a table's figures, by name; figures that name the same metric share a row.
 * @param labels    the names of the labels
 * @param subjects  returns the values of the table's figures
 */
export function figureMetrics<Values extends object>(
  table: FigureTable,
  labels: readonly string[],
  subjects: (sources: Sources) => readonly Sample<Values>[],
): Readonly<Record<string, ValueRow>> {
  const metrics: Record<string, ValueRow> = {};
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

/** Returns a value as a number, or null if it is unknown. */
function sampleOf({ kind, metric }: Figure, value: unknown): number | null {
  if (Array.isArray(value)) return value.length;
  if (kind === "text-or-nil" || kind === "map") return Number(value !== null);
  if (value === null) return null;
  return metric?.isSeconds ? Number(value) / MILLISECONDS : Number(value);
}
