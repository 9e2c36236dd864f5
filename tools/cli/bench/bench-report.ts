/** The output of `dbsync bench`: figures, a histogram and errors. */

import { formatHeadedTable, formatTable } from "../../../daemon/net/terminal/text-table.js";
import { countText } from "../../../protocol/figures/amount-texts.js";
import type { LatencyHistogram } from "./latency-histogram.js";
import type { LoadResult } from "./load.js";

const QUANTILES = { p50: 0.5, p90: 0.9, p99: 0.99, "p99.9": 0.999 } as const;

/** Length of the longest bar in characters. */
const BAR_CHARS = 40;

/** Maximum length of an error example in characters. */
const EXAMPLE_CHARS = 100;

/**
 * The figures of a run. Times are in milliseconds, or null if no call succeeded. Throughput is the number of successful
 * calls per second.
 */
export interface BenchFigures {
  readonly calls: number;
  readonly failed: number;
  readonly seconds: number;
  readonly throughput: number;
  readonly latency: Readonly<Record<keyof typeof QUANTILES | "mean" | "max", number | null>>;
  readonly histogram: readonly { readonly from: number; readonly to: number; readonly count: number }[];
  readonly errors: Readonly<Record<string, { readonly count: number; readonly example: string }>>;
}

export function figuresOf({ latencies, errors, failed, ms }: LoadResult): BenchFigures {
  const { count, mean, max } = latencies;
  const time = (ms: number) => (count === 0 ? null : round(ms));
  const quantiles = Object.entries(QUANTILES).map(([name, share]) => [name, time(latencies.quantile(share))]);
  const named = Object.fromEntries(quantiles) as Record<keyof typeof QUANTILES, number | null>;
  return {
    calls: count + failed,
    failed,
    seconds: round(ms / 1000),
    throughput: ms === 0 ? 0 : Math.round(count / (ms / 1000)),
    latency: { ...named, mean: time(mean), max: time(max) },
    histogram: latencies.bands().map(({ from, to, count }) => ({ from: round(from), to: round(to), count })),
    errors: Object.fromEntries(errors),
  };
}

export function formatFigures(figures: BenchFigures, latencies: LatencyHistogram): string {
  const { calls, failed, seconds, throughput, latency } = figures;
  const times = Object.entries(latency).map(([name, ms]) => `${name} ${formatMs(ms ?? 0)}`);
  const rows = [
    [
      "throughput",
      `${countText(throughput)} a second (${countText(calls - failed)} answered in ${seconds.toFixed(1)} s)`,
    ],
    ["latency", latencies.count === 0 ? "no answer" : `${times.join(", ")} (ms)`],
    ["failed", failed === 0 ? "none" : `${countText(failed)} of ${countText(calls)}`],
  ];
  return formatTable(rows) + formatHistogram(latencies) + formatErrors(figures.errors);
}

/** The figures of one list of daemons in a comparison of several lists. */
export interface BenchRow extends BenchFigures {
  readonly servers: string;
  /** The backends of the daemons on the list. */
  readonly backends: string;
}

/** Formats one row per list of daemons; ratios are relative to the first row. */
export function formatRows(rows: readonly BenchRow[]): string {
  const first = rows[0]?.throughput ?? 0;
  const cells = rows.map(({ servers, backends, throughput, latency, failed }) => [
    ...[servers, backends, countText(throughput), first === 0 ? "-" : (throughput / first).toFixed(2)],
    ...[latency.p50, latency.p99].map((ms) => (ms === null ? "-" : formatMs(ms))),
    failed === 0 ? "none" : countText(failed),
  ]);
  const head = ["DAEMONS", "BACKENDS", "A SECOND", "RATIO", "P50 ms", "P99 ms", "FAILED"];
  return formatHeadedTable([head, ...cells]);
}

function formatHistogram(latencies: LatencyHistogram): string {
  const bands = latencies.bands();
  if (bands.length === 0) return "";
  const highest = Math.max(...bands.map(({ count }) => count));
  const lines = bands.map(({ from, to, count }) => {
    const share = `${((100 * count) / latencies.count).toFixed(2)} %`;
    const bar = "#".repeat(count === 0 ? 0 : Math.max(1, Math.round((BAR_CHARS * count) / highest)));
    return `${formatMs(from).padStart(9)} to ${formatMs(to).padStart(8)}  ${share.padStart(8)}  ${bar}`.trimEnd();
  });
  return `\n       ms                  calls\n${lines.join("\n")}\n`;
}

function formatErrors(errors: BenchFigures["errors"]): string {
  const rows = Object.entries(errors).map(([reason, { count, example }]) => {
    const text = example.replaceAll(/\s*\n\s*/g, " ");
    return [
      `  ${reason}`,
      countText(count),
      text.length > EXAMPLE_CHARS ? `${text.slice(0, EXAMPLE_CHARS)}…` : text,
    ];
  });
  return rows.length === 0
    ? ""
    : `\n${formatHeadedTable([["  failed at", "calls", "first error"], ...rows])}`;
}

function formatMs(ms: number): string {
  if (ms >= 100) return ms.toFixed(0);
  return ms >= 10 ? ms.toFixed(1) : ms >= 0.1 ? ms.toFixed(2) : ms.toFixed(3);
}

/** Rounds to a microsecond. */
function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
