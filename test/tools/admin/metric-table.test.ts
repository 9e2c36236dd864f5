/** Tests the table of metrics: the daemon's, and those of its faces. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BUILD } from "../../../daemon/program/installed-faces.js";
import { loadMetrics } from "../../../tools/admin/metric-table.js";

test("the metrics of a face are shown with the daemon's", async () => {
  const own = { type: "gauge", labels: [], help: "Birds.", read: () => [] } as const;
  const { dbsyncd_birds: birds, dbsyncd_units_total: units } = await loadMetrics([
    {},
    { metrics: async () => ({ dbsyncd_birds: own }) },
  ]);
  assert.equal(birds, own);
  assert.ok(units);
});

test("no two faces, and no face and the daemon, have a metric of the same name", async () => {
  const tables = [
    await loadMetrics([]),
    ...(await Promise.all(BUILD.faces.map((face) => face.metrics?.() ?? {}))),
  ];
  const names = tables.flatMap((table) => Object.keys(table));
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
});
