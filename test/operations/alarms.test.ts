/**
 * Tests that every problem that `dbsync status` reports has a row in test/tables/alarms.ts, and that `dbsync status`
 * reports the problem of each alarm with the sentence in the row of that alarm.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Greeting } from "../../client/version-2/single-hello.js";
import { MIRROR_FIGURES } from "../../protocol/figures/timeline-figures.js";
import { diagnose } from "../../protocol/figures/timeline-problems.js";
import type { DaemonFigures, OrderFigures } from "../../tools/cli/status/daemon-figures.js";
import {
  type DaemonStatus,
  problemsOf,
  progressOf,
  withFigures,
} from "../../tools/cli/status/read-status.js";
import {
  type MemberStatus,
  readFigures,
  type TimelineStatus,
} from "../../tools/cli/status/read-timeline-status.js";
import { repositoryRoot } from "../support/repository.js";
import { ALARMS, FINDINGS, sentencesOf } from "../tables/alarms.js";
import { MEMBER, NOW, WELL } from "../tools/cli/status/well-timeline.js";

/** Whether a sentence matches one of the rows. In a row, … matches any text. */
const isOneOf = (text: string, rows: readonly string[]): boolean =>
  rows.some((row) => new RegExp(`^${row.replace(/[().]/g, "\\$&").replaceAll("…", ".*")}`).test(text));
const rows = [...Object.values(ALARMS), ...FINDINGS].flatMap(({ says }) => says);

test("every sentence of dbsync status about a problem has a row", () => {
  const source = readFileSync(join(repositoryRoot, "protocol/figures/timeline-problems.ts"), "utf8");
  const sentences = [...source.matchAll(/\b(?:bad|warn|note|passing)\(\s*(?:`([^`]*)`|"([^"]*)")/g)].map(
    ([, one, other]) => (one ?? other ?? "").replace(/\$\{[^}]*\}/g, "0"),
  );
  assert.ok(sentences.length > 20);
  for (const sentence of sentences) assert.ok(isOneOf(sentence, rows), sentence);
});

type Texts = readonly { readonly text: string }[];

const greeted = (greeting: unknown): Texts => [
  ...problemsOf(greeting as Greeting, { foreign: null, needs2: false, isSigned: true }),
  ...progressOf(greeting as Greeting),
];
const textsOf = (timeline: Partial<TimelineStatus>): Texts => {
  const { problems, remarks, progress } = diagnose({ ...WELL, ...timeline }, { others: [WELL], now: NOW });
  return [...problems, ...remarks, ...progress];
};
const ofMember = (member: Partial<MemberStatus>): Texts => textsOf({ members: [{ ...MEMBER, ...member }] });
const mirror = { ...readFigures(MIRROR_FIGURES, []), redis: "r", state: "behind" };
const hello = (state: string) =>
  greeted({ kind: "hello", clockDifference: 0, roundTrip: 0, hello: { versions: [2], state, cluster: "" } });

const ofOrder = (order: Partial<OrderFigures>): Texts => {
  const figures = { order: { applied: 1, behind: 0, waiting: 0, trouble: null, lowDisk: null, ...order } };
  const answer = { figures: figures as unknown as DaemonFigures, missing: null, note: null };
  const daemon = { problems: [], remarks: [], progress: [] } as unknown as DaemonStatus;
  const { problems, remarks, progress } = withFigures(daemon, answer);
  return [...problems, ...remarks, ...progress];
};

/** For each rule, the sentences of `dbsync status` in one or more cases. */
const SEEN: Readonly<Record<string, readonly Texts[]>> = {
  DbsyncDown: [greeted({ kind: "failed", stage: "connect", detail: "" })],
  DbsyncNotLive: [
    hello("catching-up"),
    hello("isolated"),
    textsOf({ revoked: "db2" }),
    textsOf({ unlisted: "left out" }),
    textsOf({ joining: true }),
  ],
  DbsyncDiskFailed: [textsOf({ failure: "no space" })],
  DbsyncDiskLow: [
    textsOf({ diskLow: true, diskFree: 1, diskSize: 2 }),
    ofOrder({ lowDisk: { free: 1, size: 2 } }),
  ],
  DbsyncWritesLost: [textsOf({ lostGroups: 1 }), textsOf({ strays: 1, durable: false })],
  DbsyncDeadLetters: [textsOf({ deadLetters: 1 })],
  DbsyncBackendDown: [
    withFigures({ problems: [] } as unknown as DaemonStatus, { figures: null, missing: "r", note: null })
      .problems,
  ],
  DbsyncOrderAway: [ofOrder({ trouble: "connection refused" })],
  DbsyncOrderBehind: [ofOrder({ behind: 10_001 })],
  DbsyncMirrorAway: [
    textsOf({ mirror: { ...mirror, trouble: "ECONNREFUSED" } }),
    textsOf({ mirror: { ...mirror, refused: 1 } }),
  ],
  DbsyncClockSkewed: [textsOf({ skewed: true })],
  DbsyncMemberAway: [ofMember({ connection: "waiting" })],
  DbsyncNothingFinal: [textsOf({ stable: NOW - 300_000 }), textsOf({ stable: 0 })],
  DbsyncMembersDiffer: [textsOf({ settledFingerprint: "x" })],
  DbsyncStateDiffers: [textsOf({ differing: [{ db: 0, key: "k", verdict: "unclear", members: [] }] })],
  DbsyncVotesContradict: [textsOf({ contradicting: ["ab"] })],
  DbsyncPromisesLost: [
    textsOf({ missingPromises: ["ab"] }),
    textsOf({ missingPromises: ["ab", "cd"], started: NOW - 1_000 }),
  ],
  DbsyncMemberRefused: [ofMember({ refusals: 1 })],
};

test("dbsync status and dbsync doctor report the problem of each alarm, except those that only a rate shows", () => {
  const names = Object.keys(ALARMS).filter((name) => sentencesOf(name).length > 0);
  assert.deepEqual(Object.keys(SEEN).sort(), names.sort());
  for (const [name, { expr }] of Object.entries(ALARMS))
    assert.ok(names.includes(name) || /\b(?:rate|increase|changes)\(/.test(expr), `${name} says nothing`);
  for (const [name, cases] of Object.entries(SEEN))
    for (const [index, texts] of cases.entries()) {
      assert.equal(texts.length, 1, `${name} ${index}`);
      assert.ok(isOneOf(texts[0]?.text ?? "", sentencesOf(name)), `${name}: ${texts[0]?.text}`);
    }
});
