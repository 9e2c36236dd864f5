/**
 * Tests that every rule by which `dbsync status` finds a problem has instructions, and that `dbsync status` reports a
 * case of each rule with the sentence of the rule.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Greeting } from "../../client/version-2/single-hello.js";
import { DAEMON_STATES } from "../../protocol/daemon-states.js";
import { admissionText } from "../../protocol/figures/admission-refusals.js";
import { type STATE_RULES, stateProblems } from "../../protocol/figures/daemon-problems.js";
import type { FigureTable } from "../../protocol/figures/figure.js";
import type { Rule } from "../../protocol/figures/problem.js";
import { MEMBER_FIGURES, MIRROR_FIGURES, TIMELINE_FIGURES } from "../../protocol/figures/timeline-figures.js";
import { diagnose, FOREIGN_KEY, stuckCatchingUp } from "../../protocol/figures/timeline-problems.js";
import { STATE_NAMES } from "../../protocol/state-names.js";
import { KNOWS_SIGNED } from "../../protocol/version-2/messages-v2.js";
import { readFigures } from "../../tools/cli/shared/read-figures.js";
import type {
  DaemonFigures,
  MemberStatus,
  OrderFigures,
  TimelineStatus,
} from "../../tools/cli/status/daemon-figures.js";
import {
  type DaemonStatus,
  findingsOf,
  type GreetingCase,
  withFigures,
} from "../../tools/cli/status/read-status.js";
import { ALARMS, RULES, sentencesOf } from "../tables/alarms.js";
import { MEMBER, NOW, WELL } from "../tools/cli/status/well-timeline.js";

/** Whether a sentence matches one of the rows. In a row, … matches any text. */
const isOneOf = (text: string, rows: readonly string[]): boolean =>
  rows.some((row) => new RegExp(`^${row.replace(/[().]/g, "\\$&").replaceAll("…", ".*")}`).test(text));

const OWN_FILES = "protocol/figures/timeline-problems.ts or daemon-problems.ts";

test("every rule has instructions, and names an alarm that exists", () => {
  for (const [name, { alarm, steps }] of Object.entries<Rule<never>>(RULES)) {
    assert.ok(
      alarm !== null || steps !== undefined,
      `${name} has no instructions: give it an alarm, or steps`,
    );
    assert.ok(
      alarm === null || ALARMS[alarm] !== undefined,
      `${name}: there is no ${alarm}: add it to the alarms in ${OWN_FILES}`,
    );
  }
});

type Texts = readonly { readonly text: string }[];

const greeted = (greeting: unknown, expected: Partial<GreetingCase> = {}): Texts => {
  const usual = { foreign: null, needs2: false, isSigned: true, isSentVersion1: false, twin: null };
  const { problems, remarks, progress } = findingsOf({
    greeting: greeting as Greeting,
    ...usual,
    ...expected,
  });
  return [...problems, ...remarks, ...progress];
};
const textsOf = (timeline: Partial<TimelineStatus>): Texts => {
  const { problems, remarks, progress } = diagnose({ ...WELL, ...timeline }, { others: [WELL], now: NOW });
  return [...problems, ...remarks, ...progress];
};
const ofMember = (member: Partial<MemberStatus>): Texts => textsOf({ members: [{ ...MEMBER, ...member }] });
const mirror = { ...readFigures(MIRROR_FIGURES, []), redis: "r", state: "behind" };
const HELLO = { versions: [2], state: "live", cluster: "", knows: [] };
const hello = (state: string) =>
  greeted({ kind: "hello", clockDifference: 0, roundTrip: 0, hello: { ...HELLO, state } });
const helloWith = (expected: Partial<GreetingCase>, { clockDifference = 0, knows = [KNOWS_SIGNED] } = {}) =>
  greeted({ kind: "hello", clockDifference, roundTrip: 0, hello: { ...HELLO, knows } }, expected);

type OfStates = Omit<typeof STATE_RULES, "unknownState">;
const ofStates = Object.fromEntries(
  STATE_NAMES.filter((name) => DAEMON_STATES[name].problem !== null).map((name) => [
    `state ${name}`,
    // Only Redis clients receive this state.
    name === "unauthorized" ? stateProblems(name) : hello(name),
  ]),
) as Record<keyof OfStates, Texts>;

const ofOrder = (order: Partial<OrderFigures>): Texts => {
  const figures = { order: { applied: 1, behind: 0, waiting: 0, trouble: null, lowDisk: null, ...order } };
  const answer = { figures: figures as unknown as DaemonFigures, missing: null, note: null };
  const daemon = { problems: [], remarks: [], progress: [] } as unknown as DaemonStatus;
  const { problems, remarks, progress } = withFigures(daemon, answer);
  return [...problems, ...remarks, ...progress];
};

const state = (verdict: string): Texts => textsOf({ differing: [{ db: 0, key: "k", verdict, members: [] }] });

const REFUSED = admissionText(new Map([["db2:1111", "wrong-cluster"]]), false);

const DELAYED = { finalCause: "date", finalMembers: ["ab"], finalDelayedFor: 1_000 };

/** The sentences of `dbsync status` in a case of each rule that one figure alone does not fulfil. */
const CASES: Partial<Readonly<Record<keyof typeof RULES, Texts>>> = {
  diskLow: textsOf({ diskLow: true, diskFree: 1, diskSize: 2 }),
  revoked: textsOf({ revoked: "db2" }),
  notAdmitted: textsOf({ state: "not-admitted", notAdmitted: REFUSED }),
  refusedByPeers: textsOf({ notAdmitted: REFUSED }),
  foreignKey: textsOf({ authorize: FOREIGN_KEY }),
  unauthorized: textsOf({ authorize: "CLUSTER ADD k" }),
  noList: textsOf({ administered: true }),
  parallelLists: textsOf({ lists: [3, 4] }),
  datedAhead: textsOf({ state: "clock-off" }),
  dataDiffer: textsOf({ settledFingerprint: "x" }),
  finalIsAwaited: textsOf({ ...DELAYED, stable: NOW - 300_000 }),
  finalIsOld: textsOf({ ...DELAYED, stable: NOW - 300_000, finalOverdue: true }),
  firstFinalIsAwaited: textsOf({ ...DELAYED, stable: 0 }),
  nothingFinal: textsOf({ ...DELAYED, stable: 0, finalOverdue: true }),
  undecided: textsOf({ undecidedFor: 12_000, undecidedCause: "keeper", undecidedMembers: ["ab"] }),
  promisesAwaited: textsOf({ missingPromises: ["ab", "cd"], started: NOW - 1_000 }),
  promisesLost: textsOf({ missingPromises: ["ab"] }),
  connecting: textsOf({
    started: NOW - 1_000,
    members: [{ ...MEMBER, connection: "waiting", lastHeard: null }],
  }),
  memberDown: textsOf({
    members: [
      { ...MEMBER, connection: "waiting", awayFor: 9000 },
      {
        ...MEMBER,
        address: "10.0.0.3:1111",
        problems: [{ code: "memberDown", member: "10.0.0.2:1111", text: "" }],
      },
    ],
  }),
  memberAway: ofMember({ connection: "waiting", lastHeard: null }),
  memberCatchingUp: ofMember({ state: "catching-up" }),
  memberSkewed: ofMember({ skew: 3_000 }),
  inFlight: ofMember({ lag: 20_000 }),
  invalidIndex: textsOf({ invalidIndexes: [{ db: 0, key: "mongo:shop.users", index: "email_1" }] }),
  ownStateDiffers: state("own"),
  memberStateDiffers: state("member"),
  statesDiffer: state("unclear"),
  mirrorAway: textsOf({ mirror: { ...mirror, trouble: "ECONNREFUSED" } }),
  mirrorCompared: textsOf({ mirror: { ...mirror, state: "comparing" } }),
  mirrorForeign: textsOf({ mirror: { ...mirror, foreign: 1 } }),
  mirrorRefused: textsOf({ mirror: { ...mirror, refused: 1 } }),
  takingSnapshot: textsOf({ taking: { from: "db2", received: 1, total: 2 } }),
  writesLost: textsOf({ strays: 1, durable: false }),
  waiting: textsOf({ waiting: 20_000 }),
  onlyInMemory: textsOf({ durable: false, members: [] }),
  stuck: [stuckCatchingUp({ ...WELL, started: NOW - 400_000 }, NOW)].filter((found) => found !== null),
  orderAway: ofOrder({ trouble: "connection refused" }),
  orderBehind: ofOrder({ behind: 10_001 }),
  orderDiskLow: ofOrder({ lowDisk: { free: 1, size: 2 } }),
  databaseDown: withFigures({ problems: [] } as unknown as DaemonStatus, {
    figures: null,
    missing: "r",
    note: null,
  }).problems,
  ...ofStates,
  unknownState: hello("confused"),
  onlyVersion1: greeted({ kind: "closed" }, { needs2: true }),
  noKeys: helloWith({ needs2: true }, { knows: [] }),
  foreignCluster: helloWith({ foreign: ["ab", "but most daemons belong to another one"] }),
  clockDiffers: helloWith({}, { clockDifference: 3_000 }),
  sameDaemon: helloWith({ twin: "db2:1111" }),
  sentVersion1: helloWith({ isSentVersion1: true }),
};

/** A bad value of each kind of figure. */
const BAD = {
  text: "x",
  "text-or-nil": "x",
  bytes: "x",
  number: 1,
  "number-or-nil": 1,
  flag: true,
  "flag-or-nil": false,
  "bytes-list": ["ab"],
} as const;

/** Returns the figures of a table, each with a bad value. */
const badFigures = (table: FigureTable): Readonly<Record<string, unknown>>[] =>
  Object.entries(table).flatMap(([name, { kind }]) =>
    kind === "list" || kind === "map" ? [] : [{ [name]: BAD[kind] }],
  );

/** The sentences of `dbsync status` for each figure of a timeline or a member that alone is bad. */
const OF_ONE_FIGURE: readonly Texts[] = [
  ...badFigures(TIMELINE_FIGURES).map(textsOf),
  ...badFigures(MEMBER_FIGURES).map(ofMember),
].filter(({ length }) => length === 1);

test("dbsync status and dbsync doctor report the problem of each rule with its sentence", () => {
  for (const [name, { says }] of Object.entries(RULES)) {
    const found = CASES[name as keyof typeof RULES];
    const texts = found ?? OF_ONE_FIGURE.find(([first]) => isOneOf(first?.text ?? "", [says])) ?? [];
    assert.deepEqual(texts.slice(1), [], name);
    assert.ok(
      isOneOf(texts[0]?.text ?? "", [says]),
      `${name}: ${texts[0]?.text ?? "one bad figure does not fulfil it: add a case to test/operations/alarms.test.ts"}`,
    );
  }
});

test("dbsync status reports the problem of each alarm, except those that only a rate shows", () => {
  const failed = greeted({ kind: "failed", stage: "connect", detail: "" });
  assert.ok(isOneOf(failed[0]?.text ?? "", sentencesOf("DbsyncDown")));
  for (const [name, { expr }] of Object.entries(ALARMS))
    assert.ok(
      sentencesOf(name).length > 0 || /\b(?:rate|increase|changes)\(/.test(expr),
      `${name} says nothing`,
    );
});
