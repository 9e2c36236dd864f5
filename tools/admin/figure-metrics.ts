/** The metrics of TIMELINE STATUS: one for each figure whose row in protocol/figures/ names a metric. */
import type { ReplicaFigures } from "../../daemon/cluster/history/replica-figures.js";
import type { Figure, FigureTable } from "../../protocol/figures/figure.js";
import { MEMBER_FIGURES, MIRROR_FIGURES, TIMELINE_FIGURES } from "../../protocol/figures/timeline-figures.js";
import type { Sample } from "./http/metric.js";
import { samplesOf, type ValueRow } from "./metric-row.js";

const MILLISECONDS = 1000;

/** The values of a table's figures, with the labels that distinguish them from other values of the same figures. */
interface Labelled {
  readonly labels: Readonly<Record<string, string>>;
  readonly values: Readonly<Record<string, unknown>>;
}

export const TIMELINE_METRICS = metricsOf(TIMELINE_FIGURES, [], (figures) => [
  { labels: {}, values: { ...figures } },
]);

export const MEMBER_METRICS = metricsOf(MEMBER_FIGURES, ["member"], ({ members }) =>
  members
    .filter(({ connection }) => connection !== "self")
    .map((member) => ({ labels: { member: member.address || (member.id ?? "") }, values: { ...member } })),
);

export const MIRROR_METRICS = metricsOf(MIRROR_FIGURES, [], ({ mirror }) =>
  mirror === null ? [] : [{ labels: {}, values: { ...mirror } }],
);

/**
 * Returns the rows of a table's metrics; figures that name the same metric share a row.
 * @param labels  names of the labels of all samples
 * @param read    returns the values
 */
function metricsOf(
  table: FigureTable,
  labels: readonly string[],
  read: (figures: ReplicaFigures) => readonly Labelled[],
): Readonly<Record<string, ValueRow>> {
  const metrics: Record<string, ValueRow> = {};
  for (const [name, row] of Object.entries(table)) {
    const { metric } = row;
    if (metric === undefined) continue;
    const { type, help = row.help, labels: own = {} } = metric;
    const before = metrics[metric.name];
    const samples = (figures: ReplicaFigures): Sample<number>[] =>
      read(figures).flatMap((labelled) => {
        const value = sampleOf(row, labelled.values[name]);
        return value === null ? [] : [{ labels: { ...labelled.labels, ...own }, value }];
      });
    metrics[metric.name] = {
      type,
      help,
      labels: [...labels, ...Object.keys(own)],
      read: (sources) => [...(before?.read(sources) ?? []), ...samplesOf(sources.replica(), samples)],
    };
  }
  return metrics;
}

/** Returns a value as a number, or null if it is unknown. */
function sampleOf({ kind, metric }: Figure, value: unknown): number | null {
  if (Array.isArray(value)) return value.length;
  if (kind === "text-or-nil") return Number(value !== null);
  if (value === null) return null;
  return metric?.isSeconds ? Number(value) / MILLISECONDS : Number(value);
}
