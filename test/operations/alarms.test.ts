/**
 * Every problem that `dbsync status` reports has its row in test/tables/alarms.ts, and `dbsync status` reports
 * what each alarm is about, in the row's words.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { DaemonFigures } from "../../cli/status/daemon-figures.js";
import type { DaemonStatus } from "../../cli/status/daemon-status.js";
import { readFigures } from "../../cli/status/read-figures.js";
import { problemsOf, progressOf, withFigures } from "../../cli/status/read-status.js";
import type { MemberStatus, TimelineStatus } from "../../cli/status/timeline-status.js";
import type { Greeting } from "../../client/version-2/greeting.js";
import { MIRROR_FIGURES } from "../../protocol/figures/timeline-figures.js";
import { diagnose } from "../../protocol/figures/timeline-problems.js";
import { MEMBER, NOW, WELL } from "../cli/status/well-timeline.js";
import { repositoryRoot } from "../support/repository.js";
import { ALARMS, FINDINGS, sentencesOf } from "../tables/alarms.js";

/** Whether a sentence matches one of the rows; … matches anything. */
const isOneOf = (text: string, rows: readonly string[]): boolean =>
  rows.some((row) => new RegExp(`^${row.replace(/[().]/g, "\\$&").replaceAll("…", ".*")}`).test(text));
const rows = [...Object.values(ALARMS), ...FINDINGS].flatMap(({ says }) => says);

test("each sentence of dbsync status on what is bad has its row", () => {
  const source = readFileSync(join(repositoryRoot, "protocol/figures/timeline-problems.ts"), "utf8");
  const sentences = [...source.matchAll(/\b(?:bad|warn|note|passing)\(\s*(?:`([^`]*)`|"([^"]*)")/g)].map(
    ([, one, other]) => (one ?? other ?? "").replace(/\$\{[^}]*\}/g, "0"),
  );
  assert.ok(sentences.length > 20);
  for (const sentence of sentences) assert.ok(isOneOf(sentence, rows), sentence);
});

type Texts = readonly { readonly text: string }[];

const greeted = (greeting: unknown): Texts => [
  ...problemsOf(greeting as Greeting, { foreign: null, needs2: false }),
  ...progressOf(greeting as Greeting),
];
const told = (timeline: Partial<TimelineStatus>): Texts => {
  const { problems, remarks, progress } = diagnose({ ...WELL, ...timeline }, { others: [WELL], now: NOW });
  return [...problems, ...remarks, ...progress];
};
const ofMember = (member: Partial<MemberStatus>): Texts => told({ members: [{ ...MEMBER, ...member }] });
const mirror = { ...readFigures(MIRROR_FIGURES, []), redis: "r", state: "behind" };
const hello = (state: string) =>
  greeted({ kind: "hello", clockDifference: 0, roundTrip: 0, hello: { versions: [2], state, cluster: "" } });

const ofOrder = (order: { trouble?: string; behind?: number }): Texts => {
  const figures = { order: { applied: 1, behind: 0, waiting: 0, trouble: null, ...order } };
  const answer = { figures: figures as unknown as DaemonFigures, missing: null, note: null };
  const daemon = { problems: [], remarks: [], progress: [] } as unknown as DaemonStatus;
  const { problems, progress } = withFigures(daemon, answer);
  return [...problems, ...progress];
};

/** Status texts of a daemon for each rule: each list is one case. */
const SEEN: Readonly<Record<string, readonly Texts[]>> = {
  DbsyncDown: [greeted({ kind: "failed", stage: "connect", detail: "" })],
  DbsyncNotLive: [
    hello("catching-up"),
    hello("isolated"),
    told({ revoked: "db2" }),
    told({ unlisted: "left out" }),
    told({ joining: true }),
  ],
  DbsyncDiskFailed: [told({ failure: "no space" })],
  DbsyncDiskLow: [told({ diskLow: true, diskFree: 1, diskSize: 2 })],
  DbsyncWritesLost: [told({ lostGroups: 1 }), told({ strays: 1, durable: false })],
  DbsyncDeadLetters: [told({ deadLetters: 1 })],
  DbsyncBackendDown: [
    withFigures({ problems: [] } as unknown as DaemonStatus, { figures: null, missing: "r", note: null })
      .problems,
  ],
  DbsyncOrderAway: [ofOrder({ trouble: "connection refused" })],
  DbsyncOrderBehind: [ofOrder({ behind: 10_001 })],
  DbsyncMirrorAway: [
    told({ mirror: { ...mirror, trouble: "ECONNREFUSED" } }),
    told({ mirror: { ...mirror, refused: 1 } }),
  ],
  DbsyncClockSkewed: [told({ skewed: true })],
  DbsyncMemberAway: [ofMember({ connection: "waiting" })],
  DbsyncNothingFinal: [told({ stable: NOW - 300_000 }), told({ stable: 0 })],
  DbsyncMembersDiffer: [told({ settledFingerprint: "x" })],
  DbsyncStateDiffers: [told({ differing: [{ db: 0, key: "k", verdict: "unclear", members: [] }] })],
  DbsyncMemberRefused: [ofMember({ refusals: 1 })],
};

test("dbsync status and dbsync doctor find what each alarm is about, except what only a rate shows", () => {
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
