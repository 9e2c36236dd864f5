/**
 * Tests the alert rules and the Grafana dashboard of the examples: their metrics exist, and Prometheus accepts the
 * rules.
 */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { BUILD } from "../../daemon/program/installed-faces.js";
import { loadMetrics } from "../../tools/admin/metric-table.js";
import { skipUnlessFull } from "../support/amount.js";
import { repositoryRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { run } from "../support/run-program.js";

const at = (name: string) => join(repositoryRoot, "examples/production", name);
const rules = readFileSync(at("alerts.yml"), "utf8");
const dashboard = JSON.parse(readFileSync(at("grafana-dashboard.json"), "utf8")) as {
  panels: { id: number; title: string; targets: { expr: string }[] }[];
};
const METRICS = await loadMetrics(BUILD.faces);

const expressions = [
  ...[...rules.matchAll(/^ +expr: (.*)$/gm)].map(([, expression]) => expression as string),
  ...dashboard.panels.flatMap(({ targets }) => targets.map(({ expr }) => expr)),
];

test("each expression of the rules and the dashboard uses existing metrics and labels", () => {
  assert.ok(expressions.length > 30);
  for (const expression of expressions) {
    const named = [...expression.matchAll(/\b(?:dbsyncd|process|nodejs)_\w+\b/g)].map(([name]) => name);
    for (const name of named) {
      const row = METRICS[name] ?? METRICS[name.replace(/_bucket$/, "")];
      assert.ok(
        row,
        `${name} in ${expression} does not exist: add it to a row of protocol/figures/timeline-figures.ts or of tools/admin/metric-table.ts`,
      );
      assert.equal(name.endsWith("_bucket"), row.type === "histogram", name);
      for (const [, labels = ""] of expression.matchAll(new RegExp(`${name}\\{([^}]*)\\}`, "g")))
        for (const [, label = ""] of labels.matchAll(/(\w+)=~?"/g))
          assert.ok(["instance", "job", ...row.labels].includes(label), `${label} of ${name}`);
    }
    assert.ok(named.length > 0 || expression.includes("up{"), expression);
  }
});

test("each rule has a severity, a summary and instructions, and no panel covers another", () => {
  const each = rules.split(/^ +- alert: /m).slice(1);
  assert.ok(each.length > 10);
  for (const rule of each) {
    assert.match(rule, /severity: (critical|warning)/, rule);
    assert.match(rule, /summary: ".*\$labels\.instance.*"/, rule);
    assert.match(rule, /action: ".+"/, rule);
  }
  const { panels } = dashboard;
  assert.equal(new Set(panels.map(({ id }) => id)).size, panels.length);
});

test("promtool test rules confirms when alarms fire", {
  skip: skipWithout("promtool"),
}, async () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-alarms-"));
  const tests = readFileSync(join(repositoryRoot, "test/examples/alerts.tests.yml"), "utf8");
  writeFileSync(join(folder, "alerts.yml"), rules);
  writeFileSync(join(folder, "tests.yml"), tests);
  const { code, stdout, stderr } = await run("promtool", ["test", "rules", join(folder, "tests.yml")]);
  rmSync(folder, { recursive: true });
  assert.equal(code, 0, stdout + stderr);
});

test("promtool accepts the rules and the dashboard's expressions", {
  skip: skipUnlessFull || skipWithout("promtool"),
}, async () => {
  const checked = await run("promtool", ["check", "rules", at("alerts.yml")]);
  assert.equal(checked.code, 0, checked.stdout + checked.stderr);
  const recorded = expressions.map(
    (expression, i) => `      - { record: "panel:${i}", expr: ${JSON.stringify(expression)} }`,
  );
  const input = ["groups:", "  - name: panels", "    rules:", ...recorded, ""].join("\n");
  const folder = mkdtempSync(join(tmpdir(), "dbsync-rules-"));
  writeFileSync(join(folder, "panels.yml"), input);
  const panels = await run("promtool", ["check", "rules", join(folder, "panels.yml")]);
  rmSync(folder, { recursive: true });
  assert.equal(panels.code, 0, panels.stdout + panels.stderr);
});
