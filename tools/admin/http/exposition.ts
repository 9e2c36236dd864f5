/**
 * Writes metrics in Prometheus's text format, version 0.0.4. Nothing is stored here: each scrape reads the program's
 * counts. tools/admin/README.md explains why dbsyncd uses no package for the format.
 */
import type { Histogram } from "../../../daemon/net/process/histogram.js";
import type { AnyMetric, MetricTable, Sample } from "../../../daemon/net/process/metric-rows.js";

export interface Exposition {
  /** The content type of the text. */
  readonly contentType: string;
  /** Returns all metrics. */
  text(): string;
}

type Labels = Readonly<Record<string, string>>;

export function makeExposition<Sources>(metrics: MetricTable<Sources>, sources: Sources): Exposition {
  const rows = Object.entries(metrics);
  return {
    contentType: "text/plain; version=0.0.4; charset=utf-8",
    text: () => rows.map(([name, row]) => textOf(name, row, sources)).join("\n"),
  };
}

/** Writes one metric. A metric without samples has only its name, help and type. */
function textOf<Sources>(name: string, row: AnyMetric<Sources>, sources: Sources): string {
  const lines = [`# HELP ${name} ${escaped(row.help)}`, `# TYPE ${name} ${row.type}`];
  const series =
    row.type === "histogram"
      ? row.read(sources).flatMap((sample) => bucketsOf(name, sample))
      : valuesOf(name, row.type, row.read(sources));
  for (const [key, value] of series) lines.push(`${key} ${inText(value)}`);
  return `${lines.join("\n")}\n`;
}

/**
 * Returns the values by series. Prometheus refuses a scrape that contains a series twice. Therefore, if several samples
 * have the same labels, a counter's samples are added up, and only the last of a gauge's samples is used.
 */
function valuesOf(
  name: string,
  type: "counter" | "gauge",
  samples: readonly Sample<number>[],
): Iterable<readonly [string, number]> {
  const values = new Map<string, number>();
  for (const { labels, value } of samples) {
    const key = name + inBraces(labels);
    values.set(key, type === "counter" ? (values.get(key) ?? 0) + value : value);
  }
  return values;
}

/** Returns the series of a histogram. In Prometheus, a bucket's count includes the counts of all smaller buckets. */
function bucketsOf(name: string, { labels, value: { bounds, counts, sum } }: Sample<Histogram>) {
  let below = 0;
  const series = Array.from(counts, (count, index): readonly [string, number] => {
    below += count;
    const le = inText(bounds[index] ?? Number.POSITIVE_INFINITY);
    return [`${name}_bucket${inBraces({ ...labels, le })}`, below];
  });
  const braces = inBraces(labels);
  return [...series, [`${name}_sum${braces}`, sum] as const, [`${name}_count${braces}`, below] as const];
}

function inBraces(labels: Labels): string {
  const pairs = Object.entries(labels).map(
    ([name, value]) => `${name}="${escaped(value).replaceAll('"', '\\"')}"`,
  );
  return pairs.length === 0 ? "" : `{${pairs.join(",")}}`;
}

function escaped(text: string): string {
  return text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n");
}

/** Writes a number in the form in which Go parses floating-point numbers. */
function inText(value: number): string {
  if (value === Number.POSITIVE_INFINITY) return "+Inf";
  return value === Number.NEGATIVE_INFINITY ? "-Inf" : String(value);
}
