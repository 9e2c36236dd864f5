/**
 * The numbers as Prometheus reads them, through prom-client, which is loaded with --admin only. Nothing is
 * kept here: each scrape copies what metrics.ts has counted.
 */
import { Counter, Gauge, type Histogram, Registry } from "prom-client";
import type { Histogram as Counted } from "./histogram.js";
import { type HistogramName, METRICS, type MetricName, type ValueName } from "./metric-table.js";
import { HISTOGRAMS, type Sample, type Sources, VALUES } from "./readings.js";

export interface Exposition {
  /** Of the text; Prometheus's text format. */
  readonly contentType: string;
  /** All metrics as text. */
  text(): Promise<string>;
}

export function makeExposition(sources: Sources): Exposition {
  const registry = new Registry();
  for (const name of Object.keys(METRICS) as MetricName[]) {
    if (isHistogram(name)) registry.registerMetric(countedHistogram(name, sources));
    else registerValue(registry, name, sources);
  }
  return { contentType: registry.contentType, text: () => registry.metrics() };
}

function isHistogram(name: MetricName): name is HistogramName {
  return METRICS[name].type === "histogram";
}

function registerValue(registry: Registry, name: ValueName, sources: Sources): void {
  const { type, help, labels } = METRICS[name];
  const read = VALUES[name];
  // Without labels a reset metric is 0, not absent.
  const isAlone = labels.length === 0;
  const configuration = { name, help, labelNames: [...labels] as string[], registers: [registry] };
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
function countedHistogram(name: HistogramName, sources: Sources): Histogram {
  const { type, help } = METRICS[name];
  const values = () => HISTOGRAMS[name](sources).flatMap((sample) => [...bucketsOf(name, sample)]);
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
function* bucketsOf(name: HistogramName, { labels, value: histogram }: Sample<Counted>) {
  let below = 0;
  for (const [index, count] of histogram.counts.entries()) {
    below += count;
    const le = histogram.bounds[index] ?? "+Inf";
    yield { metricName: `${name}_bucket`, labels: { ...labels, le }, value: below };
  }
  yield { metricName: `${name}_sum`, labels, value: histogram.sum };
  yield { metricName: `${name}_count`, labels, value: below };
}
