/** Tests the text of `dbsync status` without daemons. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DaemonStatus } from "../../../../tools/cli/status/read-status.js";
import { formatStatus } from "../../../../tools/cli/status/status-text.js";
import { MEMBER, WELL } from "./well-timeline.js";

const daemon = (ok: boolean): DaemonStatus =>
  ({
    address: "127.0.0.1:1111",
    ok,
    stage: ok ? null : "connect",
    detail: null,
    hasNoDatabase: false,
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

test("the status of several daemons includes the number of ready daemons, even without --wait", () => {
  assert.match(formatStatus([daemon(true), daemon(false), daemon(true)], 120, false), /\n2 of 3 ready\n$/);
  assert.doesNotMatch(formatStatus([daemon(true)], 120, false), /ready/);
});

test("the table shows the state that each queried member itself reports", () => {
  const late = (index: number, state: string): DaemonStatus => ({
    ...daemon(true),
    address: `10.0.0.${index}:1111`,
    daemon: `a${index}`,
    state,
    timeline: {
      ...WELL,
      // The last state that this daemon has received from the other one.
      members: [
        { ...MEMBER, address: `10.0.0.${3 - index}:1111`, id: `a${3 - index}`, state: "catching-up" },
      ],
    },
  });
  const ready = formatStatus([late(1, "live"), late(2, "live")], 120, false);
  assert.match(ready, /\n2 of 2 ready\n/);
  assert.match(ready, /\n10\.0\.0\.1:1111 +10\.0\.0\.2:1111 +live /);
  assert.doesNotMatch(ready, /catching-up/);
  const progress = [{ text: "it is catching up", fix: "", severity: "progress", isOfMember: false }] as const;
  const starting = formatStatus([late(1, "live"), { ...late(2, "catching-up"), progress }], 120, false);
  assert.match(starting, /\n1 of 2 ready\n/);
  assert.match(starting, /\n10\.0\.0\.1:1111 +10\.0\.0\.2:1111 +catching-up /);
  assert.match(starting, /\n10\.0\.0\.2:1111 +10\.0\.0\.1:1111 +live /);
  // The table shows a daemon that was not queried with the state that the other daemon has received.
  assert.match(formatStatus([late(1, "live")], 120, false), /10\.0\.0\.2:1111 +catching-up /);
});
