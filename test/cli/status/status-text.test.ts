/** Tests the text of `dbsync status` without daemons. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DaemonStatus } from "../../../cli/status/daemon-status.js";
import { formatStatus } from "../../../cli/status/status-text.js";

const daemon = (ok: boolean): DaemonStatus =>
  ({
    address: "127.0.0.1:1111",
    ok,
    stage: ok ? null : "connect",
    detail: null,
    lacksDatabase: false,
    versions: ok ? [2] : [],
    daemon: null,
    cluster: null,
    state: null,
    clockDifference: null,
    roundTrip: null,
    figures: null,
    members: null,
    timeline: null,
    timelineNote: null,
    problems: [],
    remarks: [],
    progress: [],
  }) as unknown as DaemonStatus;

test("the number of ready daemons is shown for several daemons, also without --wait", () => {
  assert.match(formatStatus([daemon(true), daemon(false), daemon(true)], 120, false), /\n2 of 3 ready\n$/);
  assert.doesNotMatch(formatStatus([daemon(true)], 120, false), /ready/);
});
