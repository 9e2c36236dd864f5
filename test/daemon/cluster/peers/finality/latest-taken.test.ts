/**
 * Tests what members report about the latest date with which they may have accepted an entry, also if their windows
 * differ. Source: docs/decisions/0081-decided-keys.md.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { latestTaken, ReportTable } from "../../../../../daemon/cluster/peers/finality/report-table.js";
import type { ClusterState } from "../../../../../daemon/cluster/peers/shared/cluster-state.js";
import { DigestIndex } from "../../../../../daemon/timeline/compare/digest-index.js";
import { MemoryStorage } from "../../../../../daemon/timeline/memory-storage.js";
import type { StatusMessage } from "../../../../../protocol/members/member-messages.js";
import { double } from "../../../../support/double.js";
import { EPOCH } from "../entries.js";

const MINUTES_MS = 60_000;
const DAY_MS = 86_400_000;
const SKEW_MS = 2_000;

test("a daemon may have accepted entries up to the end of its window, or to its last entry", () => {
  const of = (lastStoredAt: number, published = 0) =>
    latestTaken(
      double<ClusterState>({
        clock: () => EPOCH + 0.7,
        limits: { future: 3_000, skewMs: SKEW_MS },
        timeline: { lastStoredAt, published },
      }),
    );
  assert.equal(of(0), EPOCH + 3_000);
  assert.equal(of(EPOCH + 3_001), EPOCH + 3_001, "before a restart, its window was wider");
  const widest = 10 * MINUTES_MS + 2 * SKEW_MS;
  assert.equal(of(EPOCH + DAY_MS), EPOCH + widest, "no window permits this date");
  const earlier = EPOCH + MINUTES_MS;
  assert.equal(of(earlier + widest, earlier), earlier + widest, "before its clock was set back");
});

/** A table of reports of a daemon whose clock is right. */
function tableOf(published = 0) {
  const index = new DigestIndex(new MemoryStorage());
  const table = new ReportTable(
    double<ClusterState>({
      timeline: { index, published },
      uptime: () => 0,
      clock: () => EPOCH,
      limits: { reportEveryMs: 1, skewMs: SKEW_MS },
    }),
  );
  const status = (id: string, latest: number) => {
    const digest = { count: 1, sum: "s".repeat(32) };
    table.receiveStatus(
      id,
      double<StatusMessage>({ watermark: 0, latest, ring: digest, data: digest, state: "live" }),
      "",
    );
  };
  return { table, status };
}

test("the latest date of the members is known once each has sent a status since a report", () => {
  const { table, status } = tableOf();
  const ids = ["a", "b"];
  assert.equal(table.latestTaken(ids, 0), null);
  status("a", EPOCH + 60_000);
  assert.equal(table.latestTaken(ids, 0), null);
  status("b", EPOCH + 5_000);
  assert.equal(table.latestTaken(ids, 0), EPOCH + 60_000);
  const since = table.lastSerial;
  status("a", EPOCH + 5_001);
  assert.equal(table.latestTaken(ids, since), null, "the last status of b is older");
  status("b", EPOCH + 5_002);
  assert.equal(table.latestTaken(ids, since), EPOCH + 5_002);
  table.disconnected("b");
  assert.equal(table.latestTaken(ids, since), null);
  assert.equal(table.latestTaken([], since), 0, "a list of one");
});

test("a date in a status is limited to the latest one that a window permits", () => {
  const widest = EPOCH + 10 * MINUTES_MS + 2 * SKEW_MS;
  const { table, status } = tableOf();
  for (const [latest, taken] of [
    [widest - 1, widest - 1],
    [EPOCH + DAY_MS, widest],
    [2 ** 53, widest],
  ] as const) {
    status("a", latest);
    assert.equal(table.latestTaken(["a"], 0), taken);
  }
  // This daemon's clock was set back.
  const later = tableOf(EPOCH + DAY_MS);
  later.status("a", EPOCH + DAY_MS + 5_000);
  assert.equal(later.table.latestTaken(["a"], 0), EPOCH + DAY_MS + 5_000);
});
