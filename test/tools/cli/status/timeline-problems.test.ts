/** Tests the problems of a timeline that `dbsync status` finds, each with its remedy. */
import assert from "node:assert/strict";
import { createPublicKey } from "node:crypto";
import { test } from "node:test";
import { admissionText } from "../../../../protocol/figures/admission-refusals.js";
import { sightingsOf } from "../../../../protocol/figures/away-members.js";
import { CLOSE_REASONS, type CloseCode } from "../../../../protocol/figures/close-reasons.js";
import { INCOMPLETE, stateProblems } from "../../../../protocol/figures/daemon-problems.js";
import type { Severity } from "../../../../protocol/figures/problem.js";
import {
  diagnose,
  FOREIGN_KEY,
  type MemberAvailability,
} from "../../../../protocol/figures/timeline-problems.js";
import type { StateName } from "../../../../protocol/state-names.js";
import { hexOf } from "../../../../protocol/version-2/envelope.js";
import {
  checkedAuthorization,
  type MemberStatus,
  type TimelineStatus,
} from "../../../../tools/cli/status/daemon-figures.js";
import { type DaemonStatus, withoutRepeats, withTimeline } from "../../../../tools/cli/status/read-status.js";
import { double } from "../../../support/double.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { MEMBER, NOW, WELL } from "./well-timeline.js";

const withMember = (member: Partial<MemberStatus>): Partial<TimelineStatus> => ({
  members: [{ ...MEMBER, ...member }],
});

/** Returns the report of a connection that one of the two daemons has closed. */
const closedBy = (side: "daemon" | "member", code: CloseCode): Partial<MemberStatus> => ({
  connection: "waiting",
  trouble: side === "daemon" ? CLOSE_REASONS[code] : `it says: ${code}: …`,
  closeCode: code,
  closedBy: side,
});

test("a healthy timeline has no findings, and neither does a daemon's own address", () => {
  const own = { ...MEMBER, connection: "self", equal: null } as const;
  const found = diagnose({ ...WELL, members: [MEMBER, own] }, { others: [WELL], now: NOW });
  assert.deepEqual(found, { problems: [], remarks: [], progress: [] });
});

const problems: readonly (readonly [string, Partial<TimelineStatus>, RegExp])[] = [
  [
    "a disk that has failed",
    { failure: "no space" },
    /disk has failed \(no space\); free space on the disk or repair/,
  ],
  ["a wrong clock", { skewed: true }, /its clock differs .*; set its clock by NTP/],
  [
    "a clock that was ahead",
    { watermark: NOW + 86_400_000 },
    /no writes dated before .*, which is in the future: a clock was ahead .*; set its clock if .* restart it/,
  ],
  [
    "a difference from the data of other members",
    { settledFingerprint: "x" },
    /data differ from the other members.*log verify/,
  ],
  [
    "a final date that does not advance for an unknown reason",
    { stable: NOW - 300_000, finalCause: "new" },
    /older than 300 s are final: its log names the reason; read its log/,
  ],
  [
    "a final date that a member delays without progress",
    {
      stable: NOW - 300_000,
      finalCause: "date",
      finalMembers: ["ab", "cd".repeat(32)],
      finalDelayedFor: 61_000,
      finalOverdue: true,
    },
    /older than 300 s are final: its member 10\.0\.0\.2:1111, cdcdcdcdcdcd may still accept .* \(for 61 s\); run dbsync status for that member: its disk may have failed; then run chronyc/,
  ],
  [
    "the absence of a first final date without progress",
    {
      stable: 0,
      started: NOW - 400_000,
      finalCause: "own-list",
      finalDelayedFor: 301_000,
      finalOverdue: true,
    },
    /no unit has become final since it was started 400 s ago: it uses no member list .* \(for 301 s\); compare the lists/,
  ],
  [
    "the revocation of the daemon's key",
    { revoked: "10.0.0.2:1111" },
    /key was revoked \(according to 10\.0\.0\.2:1111\).*new data/,
  ],
  [
    "a list that does not contain the daemon",
    { unlisted: "the list of members, number 2, leaves it out" },
    /accepts no writes: the list.*; if its folder was lost: .*; if it was removed: run dbsync dead-letters find/,
  ],
  [
    "a pair of parallel lists",
    { lists: [3, 3] },
    /numbers 3 and 3\).*; merge them as an administrator: dbsync members merge/,
  ],
  [
    "votes that contradict each other",
    { contradicting: ["cd".repeat(32)] },
    /member cdcdcdcdcdcd has voted for two decisions in one ballot.*which is permanent: dbsync members evict cdcdcdcdcdcd -k root-private\.pem$/,
  ],
  [
    "a decision that too few members can make",
    { undecidedFor: 12_400, undecidedCause: "no-majority", undecidedMembers: ["ab", "cd".repeat(32)] },
    /had no decision for 12 s: .*\(missing: 10\.0\.0\.2:1111, cdcdcdcdcdcd\); start these members/,
  ],
  [
    "a promised round above the date",
    { undecidedFor: 12_400, undecidedCause: "round-ahead", undecidedMembers: ["ab"] },
    /a round of the member 10\.0\.0\.2:1111 that is above the present date.*; correct its clock.*dbsync members sign/,
  ],
  [
    "a cause that only a newer daemon knows",
    { undecidedFor: 12_400, undecidedCause: "new" },
    /had no decision for 12 s: its log names the reason; read its log/,
  ],
  [
    "a member that prevents decisions",
    { disturbing: ["cd".repeat(32)] },
    /member cdcdcdcdcdcd repeatedly prevents decisions.*which is permanent: dbsync members evict cdcdcdcdcdcd -k root-private\.pem$/,
  ],
  [
    "lost promises",
    { missingPromises: ["ab", "cd".repeat(32)] },
    /does not vote until 10\.0\.0\.2:1111, cdcdcdcdcdcd have answered; start these members; .* dbsync members replace/,
  ],
  ["one missing group", { lostGroups: 1 }, /1 group of writes .* was missing from its log/],
  [
    "a log whose end is missing",
    { lostGroups: 3 },
    /3 groups of writes .* missing from its log.*; its members/,
  ],
  [
    "a state that differs from most members'",
    { differing: [{ db: 3, key: "a", verdict: "own" as const, members: ["ab".repeat(32)] }] },
    /its state differs from that of most members, .* key a in database 3; restart it/,
  ],
  [
    "a wrong state of a member",
    { differing: [{ db: 0, key: "b", verdict: "member" as const, members: ["ab".repeat(32)] }] },
    /the state of its member abababababab differs from its own, .* key b in database 0; restart that member/,
  ],
  [
    "a difference between two states, either of which may be wrong",
    {
      differing: ["a".repeat(80), "c"].map((key) => ({
        db: 0,
        key,
        verdict: "unclear" as const,
        members: [],
      })),
    },
    /key a{64}… in database 0 and 1 more; restart both/,
  ],
  [
    "an index that another daemon's writes do not permit",
    { invalidIndexes: [{ db: 1, key: "mongo:shop.users", index: "email_1" }] },
    /the index email_1 of key mongo:shop\.users in database 1 was .* invalid, .* does not permit; listIndexes there/,
  ],
  [
    "several such indexes",
    { invalidIndexes: ["a_1", "b_1", "c_1"].map((index) => ({ db: 0, key: "mongo:d.c", index })) },
    /the index a_1 of .* does not permit \(and 2 more\); listIndexes there/,
  ],
  [
    "a number of dead letters",
    { strays: 4, deadLetters: 2, durable: true },
    /stores 2 dead letters: .*; run dbsync dead-letters list there/,
  ],
  [
    "the loss of entries in memory by a snapshot",
    { strays: 4, durable: false },
    /4 of its envelopes .* are lost there; its log names/,
  ],
  ["the loss of envelopes from unknown signers", { dropped: 7 }, /7 envelopes .* dropped.*keys list/],
  [
    "a member that cannot be reached",
    withMember({ connection: "waiting", trouble: "ECONNREFUSED", lastHeard: null, awayFor: 600_000 }),
    /cannot reach its member 10\.0\.0\.2:1111 \(ECONNREFUSED\) for 10 min; start the daemon at 10\.0\.0\.2:1111, or correct --peer/,
  ],
  [
    "a member that sent nothing for too long, without the full stop of the reason",
    withMember({ ...closedBy("daemon", "silent"), awayFor: 10 }),
    /cannot reach its member 10\.0\.0\.2:1111 \(It was silent for too long\) for 0 s; start the daemon/,
  ],
  [
    "a member that was removed",
    withMember(closedBy("daemon", "left-out")),
    /; remove it from --peer; or start it with a new data folder .* dbsync members add$/,
  ],
  [
    "a member that was not admitted",
    withMember(closedBy("daemon", "not-a-member")),
    /; start both with the same --cluster-secret; or pin it .*\(--peer 10\.0\.0\.2:1111#ed25519:ab\), or authorize it with CLUSTER ADD/,
  ],
  [
    "a member with another pin",
    withMember({ ...closedBy("daemon", "not-pinned"), id: "ab" }),
    /; pin it .*\(--peer 10\.0\.0\.2:1111#ed25519:…\)/,
  ],
  [
    "a member with another secret",
    withMember(closedBy("daemon", "other-secret")),
    /; start both with the same --cluster-secret$/,
  ],
  [
    "a member of another cluster",
    withMember(closedBy("member", "wrong-cluster")),
    /; check which daemon runs at 10\.0\.0\.2:1111: all daemons of a cluster need the same --cluster-name/,
  ],
  [
    "a member of another version",
    withMember(closedBy("daemon", "other-protocol")),
    /; install the same version of dbsync on all daemons$/,
  ],
  [
    "another program at the address of a member",
    withMember(closedBy("daemon", "malformed")),
    /; check which program listens at 10\.0\.0\.2:1111, and correct --peer$/,
  ],
  [
    "a daemon without a timeline at the address of a member",
    withMember(closedBy("daemon", "not-a-daemon")),
    /; start the daemon at 10\.0\.0\.2:1111 with --peer or --data/,
  ],
  [
    "a member that admits no daemons",
    withMember(closedBy("member", "no-peers")),
    /; also name this daemon in --peer of that member$/,
  ],
  [
    "a member that has not admitted this daemon",
    withMember(closedBy("member", "not-a-member")),
    /; start both with the same --cluster-secret; or, on that member, pin this daemon .*#ed25519/,
  ],
  [
    "a member that leaves this daemon out",
    withMember(closedBy("member", "left-out")),
    /; add it with dbsync members add \(if it was removed, with a new data folder\); or stop it$/,
  ],
  [
    "a member that reports an unknown code",
    withMember({ ...closedBy("member", "silent"), closeCode: "constructor" }),
    /; start the daemon at 10\.0\.0\.2:1111, or correct --peer/,
  ],
  [
    "a listed member without an address",
    withMember({ ...closedBy("daemon", "no-address"), address: "5432…" }),
    /; start that daemon first, and specify it in --peer$/,
  ],
  ["a member whose clock differs", withMember({ skew: -2500 }), /differs by -2500 ms; set both clocks/],
  [
    "the absence of entries that a member has pruned",
    withMember({ prunedTo: NOW - 86_400_000, lacking: true }),
    /is missing .* 10\.0\.0\.2:1111 no longer stores \(.*since 2026-.*Z\).*loads a snapshot/,
  ],
  [
    "a difference that members cannot resolve",
    { order: "--adopt 00" },
    /too few members have signed .*; start the daemons that are down; or, .* with --adopt 00: .* stores a copy/,
  ],
  ["a member with refused envelopes", withMember({ refusals: 2 }), /refused 2 envelopes from its member/],
  [
    "a member that followers do not wait for",
    withMember({ leftOut: true }),
    /member 10\.0\.0\.2:1111 has not closed its dates in time: .* may miss entries/,
  ],
];
for (const [name, bad, expected] of problems) {
  test(`${name} is a problem`, () => {
    const found = diagnose({ ...WELL, ...bad }, { others: [WELL], now: NOW }).problems;
    assert.equal(found.length, 1);
    assert.match(`${found[0]?.text}; ${found[0]?.fix}`, expected);
  });
}

test("only the authorization of the daemon's own key is shown, whatever the daemon reports", () => {
  const { id, privateKey } = makeKeyPair();
  const spki = createPublicKey(privateKey).export({ type: "spki", format: "der" });
  const command = `CLUSTER ADD ${spki.toString("base64")}`;
  const other = createPublicKey(makeKeyPair().privateKey).export({ type: "spki", format: "der" });
  const reported = (text: string) => checkedAuthorization(text, hexOf(id));

  assert.equal(reported(command), command);
  // The text after the key is not shown.
  assert.equal(reported(`KEY ADD ${spki.toString("base64")} ROOT; reboot`), command);
  for (const text of ["", "FLUSHALL", `CLUSTER ADD ${other.toString("base64")}`, "CLUSTER ADD \x1b[2J"])
    assert.equal(reported(text), FOREIGN_KEY, text);

  const shown = (authorize: string) => diagnose({ ...WELL, authorize }, { others: [WELL], now: NOW });
  assert.match(
    shown(command).remarks[0]?.fix ?? "",
    new RegExp(`-k root-private.pem ${command.replaceAll("+", "\\+")}$`),
  );

  const { problems, remarks } = shown(FOREIGN_KEY);
  assert.deepEqual(remarks, []);
  assert.match(
    `${problems[0]?.text}; ${problems[0]?.fix}`,
    /not CLUSTER ADD with its own key; do not sign it/,
  );
});

test("a cluster whose administrators have signed no member list causes only a note", () => {
  const found = (report: Partial<TimelineStatus>) =>
    diagnose({ ...WELL, administered: true, ...report }, { others: [WELL], now: NOW });
  const { problems, remarks, progress } = found({});
  assert.deepEqual([problems, progress, remarks.map(({ severity }) => severity)], [[], [], ["note"]]);
  assert.match(
    `${remarks[0]?.text}; ${remarks[0]?.fix}`,
    /no signed member list.* \(SET NX, if, WATCH\).*dbsync members add -k root-private\.pem/,
  );
  const own = { ...MEMBER, connection: "self" } as const;
  for (const none of [{ list: "1" }, { administered: false }, { durable: false }, { members: [own] }])
    assert.deepEqual(found(none).remarks, [], Object.keys(none).join());
});

test("a member that is not on the list may cause only a remark", () => {
  const found = diagnose(
    { ...WELL, ...withMember({ connection: "waiting", listed: false }) },
    { others: [WELL], now: NOW },
  );
  assert.deepEqual(found.problems, []);
  assert.match(`${found.remarks[0]?.text}; ${found.remarks[0]?.fix}`, /is not on the member list; remove it/);
});

const JUST_STARTED = { started: NOW - 2000 };
const AWAY = { connection: "waiting", trouble: "ECONNREFUSED" } as const;

const progress: readonly (readonly [string, Partial<TimelineStatus>, RegExp])[] = [
  [
    "a number of envelopes that wait for a key",
    { quarantined: 3 },
    /3 envelopes are waiting for their signer's key; check that all/,
  ],
  [
    "a number of decisions that wait for their member list",
    { decisionsQuarantined: 3 },
    /3 decisions are waiting for the member list that made them; start a member/,
  ],
  [
    "waiting for a live member after joining",
    { joining: true },
    /not received anything from a live member yet; start/,
  ],
  ["a number of envelopes that wait to be applied", { waiting: 50_000 }, /50000 envelopes are waiting/],
  [
    "the transfer of a snapshot",
    { taking: { from: "10.0.0.2:1111", received: 5, total: 9 } },
    /receiving a snapshot from 10\.0\.0\.2:1111: 5 of 9 bytes; its log/,
  ],
  ["a member that is incomplete", withMember({ state: "catching-up" }), /is catching up; that daemon's log/],
  [
    "a large number of envelopes in flight",
    withMember({ lag: 9000, behind: 9000 }),
    /18000 envelopes are in flight/,
  ],
  [
    "a member that cannot be reached in the first minute after a daemon's start",
    { ...JUST_STARTED, ...withMember({ ...AWAY, lastHeard: null }) },
    /is connecting to its member 10\.0\.0\.2:1111; start the daemon at 10\.0\.0\.2:1111/,
  ],
];
for (const [name, state, expected] of progress) {
  test(`${name} is temporary, and the advice is not only to wait`, () => {
    const found = diagnose({ ...WELL, ...state }, { others: [WELL], now: NOW });
    assert.deepEqual([found.problems, found.remarks], [[], []]);
    assert.match(`${found.progress[0]?.text}; ${found.progress[0]?.fix}`, expected);
    assert.doesNotMatch(found.progress[0]?.fix ?? "", /\bwait\b/);
  });
}

test("an old final date is temporary while a member makes progress, and the member is named with the normal time", () => {
  const waiting = {
    ...WELL,
    stable: NOW - 172_000,
    finalCause: "catching-up",
    finalMembers: ["ab"],
    finalDelayedFor: 3_000,
  };

  const found = diagnose(waiting, { others: [], now: NOW });
  assert.deepEqual([found.problems, found.remarks], [[], []]);
  assert.deepEqual(found.progress, [
    {
      code: "finalIsAwaited",
      member: "",
      text: "only units older than 172 s are final yet: its member 10.0.0.2:1111 is catching up (normally done within 300 s of the last progress, 3 s ago)",
      fix: "dbsync status for the members, and their logs, show their progress",
      severity: "progress",
      isOfMember: true,
    },
  ]);

  const first = diagnose({ ...waiting, stable: 0, started: NOW - 130_000 }, { others: [], now: NOW });
  assert.match(first.progress[0]?.text ?? "", /^no unit has become final yet since it was started 130 s ago/);
  for (const isNormal of [{ stable: NOW - 119_000 }, { stable: 0, started: NOW - 119_000 }])
    assert.deepEqual(diagnose({ ...waiting, ...isNormal }, { others: [], now: NOW }).progress, []);
});

test("a daemon that is catching up does not also report the final date for which this is the reason", () => {
  const own = { ...WELL, stable: NOW - 172_000, finalCause: "own-state", state: "catching-up" };
  assert.deepEqual(diagnose(own, { others: [], now: NOW }), { problems: [], remarks: [], progress: [] });
  const overdue = { ...own, finalOverdue: true, finalDelayedFor: 301_000 };
  assert.match(diagnose(overdue, { others: [], now: NOW }).problems[0]?.text ?? "", /catching up itself/);
});

const HOUR_MS = 3_600_000;
/** What a member reports about another one that it cannot reach. */
const claimOf = (code: "memberAway" | "memberDown", member: string) => ({
  code,
  member,
  text: "any sentence",
});
/** A cluster of three daemons with a list, of which one is away, as the other two report. */
const ONE_AWAY: Partial<TimelineStatus> = {
  list: "1",
  stable: NOW - 180_000,
  finalCause: "away",
  finalOverdue: true,
  finalDelayedFor: 178_000,
  finalMembers: ["cd"],
  members: [
    { ...MEMBER, problems: [claimOf("memberDown", "10.0.0.3:1111")] },
    {
      ...MEMBER,
      ...AWAY,
      id: "cd",
      address: "10.0.0.3:1111",
      listed: true,
      lastHeard: 180_000,
      awayFor: 180_000,
    },
  ],
};

test("a member that is down is one problem, which says who sees it, and the remedy is to start it", () => {
  const { problems, remarks, progress } = diagnose({ ...WELL, ...ONE_AWAY }, { others: [], now: NOW });
  assert.deepEqual([remarks, progress], [[], []]);
  assert.deepEqual(
    problems.map(({ text, isOfMember }) => [text, isOfMember]),
    [["10.0.0.3:1111 is down for 3 min, seen by 2 of 2 (ECONNREFUSED)", true]],
  );
  assert.match(problems[0]?.fix ?? "", /^start it first, or repair its network; /);
  assert.doesNotMatch(problems[0]?.fix ?? "", /evict/);
});

test("in a cluster of two, the other daemon is down as the only one that can be asked reports it", () => {
  const [, away = MEMBER] = ONE_AWAY.members ?? [];
  const textsWith = (member: MemberStatus) =>
    diagnose({ ...WELL, ...ONE_AWAY, members: [member] }, { others: [], now: NOW }).problems.map(
      ({ text }) => text,
    );
  assert.deepEqual(textsWith(away), ["10.0.0.3:1111 is down for 3 min, seen by 1 of 1 (ECONNREFUSED)"]);
  // A member that was never connected may be a mistake in --peer.
  assert.deepEqual(textsWith({ ...away, lastHeard: null }), [
    "it cannot reach its member 10.0.0.3:1111 (ECONNREFUSED) for 3 min",
  ]);
  // The member may be connected from another address, or the daemon is of a version that reports no time.
  assert.deepEqual(textsWith({ ...away, awayFor: null }), [
    "it cannot reach its member 10.0.0.3:1111 (ECONNREFUSED)",
  ]);
});

test("a member that only some daemons cannot reach is not called down", () => {
  const [first = MEMBER, away = MEMBER] = ONE_AWAY.members ?? [];
  const textsWith = (...members: MemberStatus[]) =>
    diagnose({ ...WELL, ...ONE_AWAY, members }, { others: [], now: NOW }).problems.map(({ text }) => text);

  const cannotReach = "it cannot reach its member 10.0.0.3:1111 (ECONNREFUSED) for 3 min";
  for (const claim of [
    claimOf("memberAway", "10.0.0.3:11112"),
    { code: "notListed", member: "10.0.0.3:1111", text: "10.0.0.3:1111 is down for 3 min, seen by 2 of 2" },
  ])
    assert.deepEqual(textsWith({ ...first, problems: [claim] }, away), [cannotReach], claim.code);

  // A problem of a member without a known address identifies no member.
  const nameless = { ...away, address: "" };
  assert.equal(
    sightingsOf(nameless, [{ ...first, problems: [claimOf("memberDown", "")] }, nameless]).seen,
    1,
  );

  const [found] = diagnose(
    { ...WELL, ...ONE_AWAY, members: [{ ...first, problems: [] }, away] },
    { others: [], now: NOW },
  ).problems;
  assert.deepEqual([found?.code, found?.member], ["memberAway", "10.0.0.3:1111"]);

  // This daemon may itself be cut off.
  assert.deepEqual(textsWith({ ...away, id: "ab", address: "10.0.0.2:1111" }, away).length, 2);
  const claim = claimOf("memberAway", "10.0.0.3:1111");
  assert.match(
    textsWith({ ...first, problems: [claim] }, away)[0] ?? "",
    /is down for 3 min, seen by 2 of 2/,
  );
});

test("eviction is advised only for a listed member that was away for hours, in words, with the whole command", () => {
  const fixAfter = (awayFor: number, member: Partial<MemberStatus> = {}) => {
    const [first = MEMBER, away = MEMBER] = ONE_AWAY.members ?? [];
    const members = [first, { ...away, awayFor, ...member }];
    const found = diagnose({ ...WELL, ...ONE_AWAY, members }, { others: [], now: NOW }).problems;
    assert.equal(found.length, 1);
    return found[0]?.fix ?? "";
  };
  assert.doesNotMatch(fixAfter(4 * HOUR_MS - 1), /evict/);
  assert.match(
    fixAfter(4 * HOUR_MS),
    /^start it first.*; only if it will never return, remove it, which is permanent: dbsync members evict 10\.0\.0\.3:1111 -k root-private\.pem$/,
  );
  assert.doesNotMatch(fixAfter(4 * HOUR_MS, { listed: null }), /evict/);
  const unknown = { ...closedBy("daemon", "no-address"), address: "" };
  assert.match(fixAfter(5 * HOUR_MS, unknown), /^start that daemon first.*dbsync members evict cd -k root/);
});

test("no advice to evict is given early for a member that is catching up or delays decisions", () => {
  const fixOf = (report: Partial<TimelineStatus>) =>
    diagnose({ ...WELL, list: "1", ...report }, { others: [], now: NOW }).problems.map(({ fix }) => fix);
  const catchingUp = (finalDelayedFor: number) =>
    fixOf({
      stable: NOW - 5 * HOUR_MS,
      finalCause: "catching-up",
      finalMembers: ["ab"],
      finalOverdue: true,
      finalDelayedFor,
    });

  assert.doesNotMatch(catchingUp(301_000).join(), /evict/);
  assert.match(
    catchingUp(4 * HOUR_MS).join(),
    /permanent: dbsync members evict 10\.0\.0\.2:1111 -k root-private\.pem$/,
  );

  for (const undecidedCause of ["no-majority", "promises", "objections", "keeper"]) {
    const undecided = (undecidedFor: number) =>
      fixOf({ undecidedCause, undecidedFor, undecidedMembers: ["ab"] }).join();
    assert.doesNotMatch(undecided(60_000), /evict/, undecidedCause);
    assert.match(
      undecided(4 * HOUR_MS),
      /permanent: dbsync members evict 10\.0\.0\.2:1111 -k/,
      undecidedCause,
    );
  }

  assert.doesNotMatch(
    fixOf({ undecidedCause: "clock", undecidedFor: 5 * HOUR_MS, undecidedMembers: ["ab"] }).join(),
    /evict/,
  );
});

test("a member that was queried itself does not also delay the final date, unless it was away for hours", () => {
  const texts = (awayFor: number) => {
    const members = (ONE_AWAY.members ?? []).map((one) => ({
      ...one,
      ...(one.id === "cd" ? { awayFor } : {}),
    }));
    const availabilityOf = (): MemberAvailability => "away";
    const report = { ...WELL, ...ONE_AWAY, finalDelayedFor: awayFor, members };
    return diagnose(report, { others: [], now: NOW, availabilityOf }).problems.map(({ fix }) => fix);
  };
  assert.deepEqual(texts(180_000), []);
  assert.match(texts(5 * HOUR_MS).join(), /permanent: dbsync members evict 10\.0\.0\.3:1111 -k/);
});

test("dbsync status reports a member that is down once, although each daemon sees it", () => {
  const down = diagnose({ ...WELL, ...ONE_AWAY }, { others: [], now: NOW }).problems;
  const daemon = { problems: [...down, ...stateProblems("isolated")] } as unknown as DaemonStatus;
  assert.deepEqual(
    withoutRepeats([daemon, daemon]).map(({ problems }) => problems.length),
    [2, 1],
  );
});

test("a member that is not connected is named by its address, also if its id is unknown", () => {
  const unknown = { ...MEMBER, ...AWAY, id: null, address: "10.0.0.3:1111" };
  const away = {
    ...WELL,
    stable: NOW - 172_000,
    finalCause: "away",
    finalOverdue: true,
    finalDelayedFor: 170_000,
    members: [MEMBER, unknown, { ...unknown, address: "self", connection: "self" as const }],
  };
  const [connection, ...more] = diagnose(away, { others: [], now: NOW }).problems;
  assert.match(connection?.text ?? "", /^it cannot reach its member 10\.0\.0\.3:1111 \(ECONNREFUSED\)/);
  assert.deepEqual([connection?.isOfMember, more], [true, []]);
});

test("differences caused by entries in flight are not reported", () => {
  const found = diagnose({ ...WELL, ...withMember({ equal: false }) }, { others: [WELL], now: NOW });
  assert.deepEqual(found, { problems: [], remarks: [], progress: [] });
});

test("a daemon that is catching up is not compared with other daemons", () => {
  const behind = { ...WELL, state: "catching-up", settledFingerprint: "x" };
  assert.deepEqual(diagnose(behind, { others: [WELL], now: NOW }).problems, []);
  assert.deepEqual(diagnose(WELL, { others: [behind], now: NOW }).problems, []);
});

test("a queried member's state is not reported again as a problem of other daemons", () => {
  const found = (availability: MemberAvailability, member: Partial<MemberStatus>) => {
    const timeline = { ...WELL, ...withMember(member) };
    const { problems, progress } = diagnose(timeline, {
      others: [],
      now: NOW,
      availabilityOf: () => availability,
    });
    return [problems.length, progress.length];
  };

  assert.deepEqual(found("away", AWAY), [0, 0]);
  assert.deepEqual(found("busy", AWAY), [0, 1]);
  assert.deepEqual(found("ready", AWAY), [1, 0]);
  assert.deepEqual(found(null, AWAY), [1, 0]);
  assert.deepEqual(found("busy", { state: "catching-up" }), [0, 0]);

  // The member itself has no problem, but refuses this daemon.
  const refused = closedBy("daemon", "other-secret");
  assert.deepEqual(found("away", refused), [1, 0]);
  assert.deepEqual(found("busy", refused), [1, 0]);
});

test("a listed member without an address is a problem even if the daemon has just been started", () => {
  const members = [{ ...MEMBER, ...closedBy("daemon", "no-address"), lastHeard: null }];
  const { problems, progress } = diagnose({ ...WELL, ...JUST_STARTED, members }, { others: [], now: NOW });
  assert.deepEqual([problems.length, progress.length], [1, 0]);
});

test("a timeline in memory that no other daemon has causes a remark", () => {
  const { remarks } = diagnose({ ...WELL, durable: false, members: [] }, { others: [], now: NOW });
  assert.match(remarks[0]?.text ?? "", /stores everything only in memory, and no other daemon is connected/);
});

/** Returns the problems of a daemon that reports a state in its hello. */
function foundOf(figures: Partial<TimelineStatus>, state: StateName = "catching-up") {
  const ofState = stateProblems(state);
  const of = (wanted: Severity) => ofState.filter(({ severity }) => severity === wanted);
  const daemon = double<DaemonStatus>({
    state,
    problems: of("problem"),
    remarks: [],
    progress: of("progress"),
  });
  const timeline = { ...WELL, state, ...figures };
  const found = diagnose(timeline, { others: [timeline], now: NOW });
  const { problems, progress, ok } = withTimeline(daemon, timeline, found, NOW);
  return { problems: problems.map(({ text }) => text), progress: progress.map(({ text }) => text), ok };
}

test("the remedy for a daemon that a list does not name follows from the cause", () => {
  const fixOf = (unlistedCause: string | null): string =>
    diagnose({ ...WELL, unlisted: "why", unlistedCause }, { others: [WELL], now: NOW }).problems[0]?.fix ??
    "";

  assert.match(
    fixOf("left-out"),
    /^run dbsync dead-letters find .* new data folder, and run dbsync members add/,
  );
  assert.doesNotMatch(fixOf("left-out"), /replace/, "it refuses a removed id");
  assert.match(fixOf("not-listed"), /members add, or dbsync members replace if its folder was lost/);
  assert.match(fixOf("left"), /^stop it;.* dbsync members join/);
  assert.match(fixOf("leaving"), /^wait until it has left/);
  assert.match(fixOf("no-data"), /^start it with --data/);

  // A daemon of another version reports no cause, or one that is unknown here.
  for (const cause of [null, "constructor"]) {
    assert.match(fixOf(cause), /if it was removed: .* new data folder, and add it with dbsync members add/);
    assert.match(fixOf(cause), /^if its folder was lost: run dbsync members replace;/);
  }
});

test("a daemon whose disk has failed, or that was removed, causes no advice to wait", () => {
  assert.deepEqual(foundOf(JUST_STARTED), { problems: [], progress: [INCOMPLETE], ok: true });
  const stopped = {
    stable: NOW - 200_000,
    finalCause: "own-date",
    finalDelayedFor: 61_000,
    finalOverdue: true,
  };
  const failed = foundOf({ failure: "no space", ...stopped }, "storage-failed");
  assert.deepEqual(failed, { problems: ["its disk has failed (no space)"], progress: [], ok: false });
  const unlisted = foundOf({ unlisted: "left out" }, "not-listed");
  assert.deepEqual(unlisted, { problems: ["it accepts no writes: left out"], progress: [], ok: false });
});

test("a daemon that no peer admits has one problem with one cure, which replaces those of its members", () => {
  const closed = closedBy("member", "wrong-cluster");
  const refused = (wasAdmitted: boolean) => ({
    stable: 0,
    started: NOW - 300_000,
    notAdmitted: admissionText(new Map([["db2:1111", "wrong-cluster"]]), wasAdmitted),
    members: [{ ...MEMBER, ...closed, connection: "waiting" as const, address: "db2:1111" }],
  });
  const isNew = foundOf(refused(false), "not-admitted");
  const cause = "its peers belong to another cluster (db2:1111)";
  assert.deepEqual(isNew.problems, [
    `it accepts no writes, because it is new and no peer admits it: ${cause}`,
  ]);
  assert.equal(isNew.ok, false);
  const [first, ...others] = foundOf({ ...refused(true), stable: NOW - 1000 }, "isolated").problems;
  assert.deepEqual([first, others], [`no peer that answers admits it any longer: ${cause}`, []]);
});

test("a daemon that is still catching up after several minutes is a problem", () => {
  const started = NOW - 360_000;
  const still = "it is still catching up 6 minutes after its start";
  assert.deepEqual(foundOf({ started }), { problems: [still], progress: [], ok: false });
  const taking = { from: "db2:1111", received: 5, total: 9 };
  assert.deepEqual(foundOf({ started, taking }).problems, []);
});

test("a member that was lost after a daemon's start is immediately a problem", () => {
  const lost = { ...WELL, ...JUST_STARTED, ...withMember(AWAY) };
  assert.equal(diagnose(lost, { others: [], now: NOW }).problems.length, 1);
});

test("a daemon is healthy although a member is disconnected", () => {
  const daemon = { problems: [], remarks: [], progress: [] } as unknown as DaemonStatus;
  const timeline = { ...WELL, ...withMember(AWAY) };
  const { ok, problems } = withTimeline(daemon, timeline, diagnose(timeline, { others: [], now: NOW }), NOW);
  assert.deepEqual([ok, problems.length], [true, 1]);
});
