/**
 * Tests the exposition for Prometheus: its exact text format and the metric names in the tables. If promtool is
 * installed, it also checks the daemon's metrics.
 */
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { test } from "node:test";
import { Histogram } from "../../../../daemon/net/process/histogram.js";
import type { AnyMetric, MetricTable, Sample } from "../../../../daemon/net/process/metric-rows.js";
import { Metrics as Counts } from "../../../../daemon/program/inspection/metrics.js";
import { BUILD } from "../../../../daemon/program/installed-faces.js";
import { makeExposition } from "../../../../tools/admin/http/exposition.js";
import { loadMetrics } from "../../../../tools/admin/metric-table.js";
import { BALANCER_METRICS } from "../../../../tools/proxy/admin/balancer-report.js";
import { CACHE_METRICS } from "../../../../tools/proxy/admin/cache-report.js";
import { skipWithout } from "../../../support/requirements.js";

const METRICS = await loadMetrics(BUILD.faces);

const TABLES: readonly Readonly<Record<string, AnyMetric<never>>>[] = [
  METRICS,
  BALANCER_METRICS,
  CACHE_METRICS,
];

const textOf = (metrics: MetricTable<null>) => makeExposition(metrics, null).text();

const gauge = (samples: readonly Sample<number>[], help = "Help."): AnyMetric<null> => ({
  type: "gauge",
  labels: [],
  help,
  read: () => samples,
});

test("the exposition contains values with and without labels, and metrics without values", () => {
  const text = textOf({
    a: gauge([{ labels: {}, value: 1.5 }]),
    b_total: {
      type: "counter",
      labels: ["x", "y"],
      help: "Two.",
      read: () => [
        { labels: { x: "1", y: "2" }, value: 0 },
        { labels: { x: "3", y: "" }, value: 2 ** 53 },
      ],
    },
    c: gauge([]),
  });
  assert.equal(
    text,
    `# HELP a Help.
# TYPE a gauge
a 1.5

# HELP b_total Two.
# TYPE b_total counter
b_total{x="1",y="2"} 0
b_total{x="3",y=""} 9007199254740992

# HELP c Help.
# TYPE c gauge
`,
  );
});

test("the exposition escapes exactly the required characters in labels and help texts", () => {
  const text = textOf({ a: gauge([{ labels: { x: 'a"b\\c\nd' }, value: 1 }], 'a"b\\c\nd') });
  assert.equal(text, `# HELP a a"b\\\\c\\nd\n# TYPE a gauge\na{x="a\\"b\\\\c\\nd"} 1\n`);
});

test("infinities and NaN are written in the form that Go parses", () => {
  const values = [Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e300, 5e-324];
  const text = textOf({ a: gauge(values.map((value, x) => ({ labels: { x: String(x) }, value }))) });
  const written = text.matchAll(/^a\{.*\} (.*)$/gm);
  assert.deepEqual(
    [...written].map(([, value]) => value),
    ["NaN", "+Inf", "-Inf", "1e+300", "5e-324"],
  );
});

test("each bucket of a histogram includes the counts of all smaller buckets", () => {
  const histogram = new Histogram([-1, 0.5]);
  for (const value of [-2, -1, 0.5, 3, 4]) histogram.observe(value);
  const labels = { backend: "redis" };

  const text = textOf({
    a_seconds: {
      type: "histogram",
      labels: ["backend"],
      help: "Help.",
      read: () => [{ labels, value: histogram }],
    },
  });

  assert.equal(
    text,
    `# HELP a_seconds Help.
# TYPE a_seconds histogram
a_seconds_bucket{backend="redis",le="-1"} 2
a_seconds_bucket{backend="redis",le="0.5"} 3
a_seconds_bucket{backend="redis",le="+Inf"} 5
a_seconds_sum{backend="redis"} 4.5
a_seconds_count{backend="redis"} 5
`,
  );
});

test("the exposition contains no series twice, because Prometheus would refuse the text", () => {
  const samples = [1, 2].map((value) => ({ labels: { x: "same" }, value }));
  const counter: AnyMetric<null> = { type: "counter", labels: ["x"], help: "Help.", read: () => samples };
  const text = textOf({ a: gauge(samples), b_total: counter });
  assert.match(text, /\na\{x="same"\} 2\n\n/);
  assert.match(text, /\nb_total\{x="same"\} 3\n$/);
});

test("the metric names and labels in all tables follow Prometheus's rules", () => {
  for (const [name, { type, labels, help }] of TABLES.flatMap((table) => Object.entries(table))) {
    assert.match(name, /^[a-z][a-z0-9_]*$/);
    assert.equal(name.endsWith("_total"), type === "counter", name);
    assert.doesNotMatch(name, /_(bucket|sum|count)$/);
    for (const label of labels) assert.match(label, /^(?!le$|__)[a-z][a-z0-9_]*$/, name);
    assert.notEqual(help, "", name);
  }
});

test("promtool finds no problem in the daemon's metrics", { skip: skipWithout("promtool") }, () => {
  const metrics = new Counts();
  metrics.connected("dbsync-v2", 1);
  metrics.verified(0.04);
  metrics.skewed(-300);
  metrics.applied('a "name"\\', 0.3, false);

  const text = makeExposition(METRICS, {
    metrics,
    health: () => ({ version: "1.2.3", state: "live", backends: [] }),
    workingMemory: () => ({ used: 0, peak: 0, limit: 0, waiting: 0 }),
    bufferedBytes: () => 77,
    replica: () => null,
    order: () => null,
    keys: () => null,
  }).text();

  const { status, stdout, stderr } = spawnSync("promtool", ["check", "metrics"], {
    input: text,
    encoding: "utf8",
  });
  assert.deepEqual([status, stdout, stderr], [0, "", ""]);
});
