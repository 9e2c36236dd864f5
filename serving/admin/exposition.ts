/**
 * The numbers as Prometheus reads them, through prom-client, which is loaded with --admin only. Nothing is
 * kept here: each scrape copies what the program has counted.
 */
import { Counter, Gauge, type Histogram, Registry } from "prom-client";
import type { Histogram as Counted } from "./histogram.js";
import type { HistogramMetric, Metrics, Sample, ValueMetric } from "./metric.js";

export interface Exposition {
  /** Of the text; Prometheus's text format. */
  readonly contentType: string;
  /** All metrics as text. */
  text(): Promise<string>;
}

export function makeExposition<Sources>(metrics: Metrics<Sources>, sources: Sources): Exposition {
  const registry = new Registry();
  for (const [name, row] of Object.entries(metrics)) {
    if (row.type === "histogram") registry.registerMetric(countedHistogram(name, row, sources));
    else registerValue(registry, name, row, sources);
  }
  return { contentType: registry.contentType, text: () => registry.metrics() };
}

function registerValue<Sources>(
  registry: Registry,
  name: string,
  row: ValueMetric<Sources>,
  sources: Sources,
): void {
  const { type, help, labels, read } = row;
  // Without labels a reset metric is 0, not absent.
  const isAlone = labels.length === 0;
  const configuration = { name, help, labelNames: [...labels], registers: [registry] };
  if (type === "gauge") {
    new Gauge({
      ...configuration,
      collect() {
        this.reset();
        if (isAlone) this.remove();
        for (const { labels, value } of read(sources)) this.set(labels, value);
      },
    });
  } else {
    new Counter({
      ...configuration,
      collect() {
        this.reset();
        if (isAlone) this.remove();
        for (const { labels, value } of read(sources)) this.inc(labels, value);
      },
    });
  }
}

/**
 * prom-client's own histogram counts one observation at a time and takes a fraction of a microsecond for it;
 * ours come counted, so only the form is kept, of which the registry asks no more than this.
 */
function countedHistogram<Sources>(
  name: string,
  { type, help, read }: HistogramMetric<Sources>,
  sources: Sources,
): Histogram {
  const values = () => read(sources).flatMap((sample) => [...bucketsOf(name, sample)]);
  const metric = {
    name,
    type,
    help,
    aggregator: "sum",
    get: async () => ({ name, type, help, values: values() }),
  };
  return metric as unknown as Histogram;
}

/** Prometheus counts in each bucket what the smaller ones hold too. */
function* bucketsOf(name: string, { labels, value: histogram }: Sample<Counted>) {
  let below = 0;
  for (const [index, count] of histogram.counts.entries()) {
    below += count;
    const le = histogram.bounds[index] ?? "+Inf";
    yield { metricName: `${name}_bucket`, labels: { ...labels, le }, value: below };
  }
  yield { metricName: `${name}_sum`, labels, value: histogram.sum };
  yield { metricName: `${name}_count`, labels, value: below };
}
