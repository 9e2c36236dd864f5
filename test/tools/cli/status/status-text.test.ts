/** Tests the text of `dbsync status` without daemons. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Problem } from "../../../../protocol/figures/problem.js";
import type { DaemonStatus } from "../../../../tools/cli/status/read-status.js";
import { DAEMON_COLUMNS } from "../../../../tools/cli/status/report-tables.js";
import { formatStatus, waitingText } from "../../../../tools/cli/status/status-text.js";
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

test("the status begins with the number of ready daemons, and with no problems if there are none", () => {
  assert.match(
    formatStatus([daemon(true), daemon(true)], 120, false),
    /^2 of 2 ready, no problems\n\nADDRESS /,
  );
  assert.match(formatStatus([daemon(true)], 120, false), /^1 of 1 ready, no problems\n\n/);

  const remark: Problem = {
    code: "",
    member: "",
    text: "its disk is small",
    fix: "buy one",
    severity: "remark",
    isOfMember: false,
  };
  const warned = formatStatus([{ ...daemon(true), remarks: [remark] }], 120, false);
  assert.match(warned, /^1 of 1 ready\n\n.*?\n\nWARN {2}127\.0\.0\.1:1111: its disk is small; buy one\n$/s);
  assert.equal(
    waitingText([{ ...daemon(true), remarks: [remark] }]),
    null,
    "waiting does not remove a warning",
  );

  const problems: Problem[] = [{ ...remark, severity: "problem" }];
  const failed = formatStatus([daemon(true), { ...daemon(false), problems }], 120, false);
  assert.match(failed, /^1 of 2 ready\n\n/);

  // A note matters only to users of the feature that it names.
  const note: Problem = { ...remark, severity: "note" };
  assert.match(
    formatStatus([{ ...daemon(true), remarks: [note] }], 120, false),
    /^1 of 1 ready, no problems/,
  );
});

test("a note that concerns several daemons is printed once, with their addresses", () => {
  const note: Problem = {
    code: "",
    member: "",
    text: "there is no list",
    fix: "sign one",
    severity: "note",
    isOfMember: false,
  };
  const noted = (number: number, remark = note): DaemonStatus => ({
    ...daemon(true),
    address: `10.0.0.${number}:1111`,
    remarks: [remark],
  });
  const other = { ...note, fix: "sign another" };
  const text = formatStatus([noted(1), noted(2), noted(3, other)], 120, false);
  assert.deepEqual(text.match(/^NOTE.*$/gm), [
    "NOTE  10.0.0.1:1111, 10.0.0.2:1111: there is no list; sign one",
    "NOTE  10.0.0.3:1111: there is no list; sign another",
  ]);
});

test("HELD is none while no entry is old enough to be compared", () => {
  const none = { ...WELL, settledFingerprint: `0:${"0".repeat(64)} 0:${"0".repeat(64)}` };
  assert.match(formatStatus([{ ...daemon(true), timeline: none }], 120, false), /1111 +5 +none /);
  const one = { ...WELL, settledFingerprint: `1:${"0ab".padEnd(64, "0")} 0:${"0".repeat(64)}` };
  assert.match(formatStatus([{ ...daemon(true), timeline: one }], 120, false), /1111 +5 +0ab000 /);
});

test("the status shows the keeper, what was decided, and what waits by signing key", () => {
  const decided = (parts: Partial<typeof WELL>) => ({ ...daemon(true), timeline: { ...WELL, ...parts } });
  const text = (parts: Partial<typeof WELL>) => formatStatus([decided(parts)], 160, false);
  assert.doesNotMatch(text({}), /DECISIONS/, "without decisions there is no table");

  const figures = { decidedSlots: 1_234, decidedUnits: 1_200, decidedAt: Date.now() - 3_000 };
  const waiting = [
    { key: "ab".repeat(32), envelopes: 4 },
    { key: "cd".repeat(32), envelopes: 1 },
  ];
  const other = {
    ...figures,
    keeper: "ab",
    waitingEnvelopes: 5,
    waitingKeys: waiting,
    undecidedCause: "votes",
  };
  assert.match(text(other), /1111 +10\.0\.0\.2:1111 +1234 +1200 +3 s +5 +abababab 4, cdcdcdcd 1 +votes/);

  const own = { ...figures, keeper: "ef", isKeeper: true };
  assert.match(text(own), /^(\S+) +\1 +1234 +1200 +3 s +0 +- +-$/m);
  assert.match(text({ ...figures, keeper: null }), /^\S+ +- +1234 /m);
});

test("the status names the master that sentinels name, and each answer if the daemons differ", () => {
  const naming = (index: number, parts: Partial<typeof WELL>): DaemonStatus => ({
    ...daemon(true),
    address: `10.0.0.${index}:1111`,
    daemon: `a${index}`,
    timeline: { ...WELL, ...parts },
  });
  const masters = (...daemons: DaemonStatus[]) => formatStatus(daemons, 120, false).match(/^Master .*$/gm);

  const first = naming(1, { isMaster: true, master: "*:6379", masterId: "a1" });
  const second = naming(2, { isMaster: false, master: "10.0.0.1:6379", masterId: "a1" });
  assert.deepEqual(masters(first, second), [
    "Master that sentinels name: 10.0.0.1:1111 (Redis clients: 10.0.0.1:6379)",
  ]);

  const other = naming(2, { isMaster: true, master: "*:6379", masterId: "a2" });
  assert.deepEqual(masters(first, other), [
    "Master that sentinels name: 10.0.0.1:1111 (Redis clients: *:6379), according to 10.0.0.1:1111",
    "Master that sentinels name: 10.0.0.2:1111 (Redis clients: *:6379), according to 10.0.0.2:1111",
  ]);

  const none = naming(1, { isMaster: false });
  assert.deepEqual(masters(none), ["Master that sentinels name: none, because no daemon accepts writes"]);
  assert.equal(masters(naming(1, {})), null, "without sentinels there is no line");
});

test("the tables show addresses whole at 80 columns, and shorten other cells", () => {
  const address = (name: string) => `${name}.a-data-centre-with-a-long-name.example.internal:1111`;
  const timeline = { ...WELL, members: [{ ...MEMBER, address: address("db2"), state: "s".repeat(30) }] };
  const status = { ...daemon(true), address: `dbsyncs://${address("db1")}`, daemon: "a1", timeline };
  const text = formatStatus([status], 80, true);
  assert.equal(text.split(address("db1")).length - 1, 3, text);
  assert.match(text, new RegExp(`${address("db1")} +${address("db2")} +s{11}… `));
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
  assert.match(ready, /^2 of 2 ready, no problems\n/);
  assert.match(ready, /\n10\.0\.0\.1:1111 +10\.0\.0\.2:1111 +live /);
  assert.doesNotMatch(ready, /catching-up/);

  const progress = [
    { code: "", member: "", text: "it is catching up", fix: "", severity: "progress", isOfMember: false },
  ] as const;
  const starting = formatStatus([late(1, "live"), { ...late(2, "catching-up"), progress }], 120, false);
  assert.match(starting, /^1 of 2 ready\n/);
  assert.match(starting, /\n10\.0\.0\.1:1111 +10\.0\.0\.2:1111 +catching-up /);
  assert.match(starting, /\n10\.0\.0\.2:1111 +10\.0\.0\.1:1111 +live /);

  // The table shows a daemon that was not queried with the state that the other daemon has received.
  assert.match(formatStatus([late(1, "live")], 120, false), /10\.0\.0\.2:1111 +catching-up /);
});

test("the ids of a daemon and of its cluster are shown from their beginning, and a differing cluster is marked", () => {
  const [id, cluster] = ["0123456789abcdef".repeat(2), "fedcba9876543210".repeat(2)];
  const cellsOf = (head: string, clusterDiffers: boolean) =>
    DAEMON_COLUMNS.find((column) => column.head === head)?.cell({
      ...daemon(true),
      daemon: id,
      cluster,
      clusterDiffers,
    } as unknown as Parameters<(typeof DAEMON_COLUMNS)[number]["cell"]>[0]);
  assert.equal(cellsOf("DAEMON", false), id.slice(0, 8));
  assert.equal(cellsOf("CLUSTER", false), cluster.slice(0, 8));
  assert.equal(cellsOf("CLUSTER", true), `${cluster.slice(0, 8)} (!)`);
});
