/**
 * Tests that members compare their states less often while nothing is written, and still find a difference within a
 * bounded time. Two daemons run with a simulated clock.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { ClusterState } from "../../../../../daemon/cluster/peers/shared/cluster-state.js";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import {
  type ComparedMember,
  StateComparing,
} from "../../../../../daemon/cluster/peers/state/state-comparing.js";
import type { OwnMessage } from "../../../../../protocol/members/member-messages.js";
import type { StateSumsMessage } from "../../../../../protocol/members/state-messages.js";
import { double } from "../../../../support/double.js";

const { compareEveryMs, compareIdleMs } = PEERING_LIMITS;
const SECOND = 1000;
const HOUR = 3_600_000;
/** The date of the first tick: a multiple of all intervals. */
const EPOCH = compareIdleMs * 4_000_000;
/** The time after which a date is final. */
const FINAL_MS = 30_000;

type KeysMessage = OwnMessage & { kind: "state-keys" };

/** One of the two daemons. */
class Side {
  readonly id: string;
  /** The sum of the only bucket. */
  sum = 7;
  /** The dates as of which this daemon has computed its sums. */
  readonly dates: number[] = [];
  /** The dates as of which this daemon has computed the digests of keys. */
  readonly keyDates: number[] = [];
  readonly timeline = {
    newest: { at: EPOCH, seq: 0 },
    published: 0,
    index: {
      total: () => ({ count: 1, sum: String(this.timeline.newest.at) }),
      digestUpTo: () => ({ count: 1, sum: "" }),
    },
    digests: {
      isExact: () => true,
      sums: ({ at }: { at: number }) => this.#sums(at),
      keysIn: () => this.#keys(),
      digests: ({ at }: { at: number }) => {
        this.keyDates.push(at);
        return [{ db: 0, key: "k", digest: { high: 1, low: this.sum } }];
      },
    },
  };
  readonly stable = { value: 0 };
  readonly comparing: StateComparing;
  readonly members = new Map<string, ComparedMember>();

  constructor(id: string, other: string, shares: number, now: () => number) {
    this.id = id;
    this.shares = shares;
    const cluster = double<ClusterState>({
      timeline: this.timeline as never,
      log: { info() {}, warn() {}, error() {} },
      limits: PEERING_LIMITS,
      uptime: now,
      random: () => 0,
      members: this.members as never,
      addresses: [{ id: other, isSelf: false }],
    });
    this.comparing = new StateComparing(cluster, this.stable);
  }

  readonly shares: number;

  *#sums(at: number) {
    this.dates.push(at);
    yield;
    return { shares: this.shares, sums: Uint32Array.of(this.sum) };
  }

  *#keys() {
    yield;
    return [{ db: 0, key: "k" }];
  }
}

/** Two daemons that are members of each other. */
class Pair {
  now = EPOCH;
  readonly sides: readonly [Side, Side];

  constructor(shares = 1) {
    const now = () => this.now;
    this.sides = [new Side("a", "b", shares, now), new Side("b", "a", shares, now)];
    const [a, b] = this.sides;
    for (const [from, to] of [
      [a, b],
      [b, a],
    ] as const) {
      const send = (message: OwnMessage) =>
        to.comparing.receive(
          to.members.get(from.id) as ComparedMember,
          message as StateSumsMessage | KeysMessage,
        );
      from.members.set(
        to.id,
        double<ComparedMember>({
          id: to.id,
          status: { state: "live" },
          malformed: (detail) => assert.fail(detail),
          connection: { unsentBytes: 0, send },
        }),
      );
    }
  }

  /** Lets time pass, in steps of a tenth of a second. */
  run(milliseconds: number, until: () => boolean = () => false): void {
    for (const end = this.now + milliseconds; this.now < end && !until(); this.now += SECOND / 10)
      for (const { comparing, timeline, stable } of this.sides) {
        stable.value = timeline.published = this.now - FINAL_MS;
        comparing.tick(this.now);
      }
  }

  write(): void {
    for (const { timeline } of this.sides) timeline.newest = { at: this.now, seq: 0 };
  }

  /** The intervals between the dates that the first daemon has compared since `from`. */
  intervals(from = 0): number[] {
    const dates = this.sides[0].dates.slice(from);
    return dates.slice(1).map((date, index) => date - (dates[index] as number));
  }
}

test("idle members compare their states less often, up to a limit", () => {
  const pair = new Pair();
  pair.run(HOUR);
  const count = HOUR / compareEveryMs;
  assert.ok(pair.sides[0].dates.length < count / 10, `${pair.sides[0].dates.length} comparisons`);
  assert.deepEqual(pair.sides[0].dates, pair.sides[1].dates);
  assert.equal(pair.intervals().at(-1), compareIdleMs);
  assert.ok(pair.intervals().every((interval) => interval <= compareIdleMs));
});

test("members to which something is written compare their states at each date", () => {
  const pair = new Pair();
  for (let written = 0; written < 20; written++) {
    pair.write();
    pair.run(compareEveryMs);
  }
  assert.ok(pair.intervals().length > 10);
  assert.ok(pair.intervals().every((interval) => interval === compareEveryMs));
});

test("a write makes idle members compare their states often again, and then less often", () => {
  const pair = new Pair();
  pair.run(HOUR);
  const before = pair.sides[0].dates.length;
  pair.write();
  const writtenAt = pair.now;
  pair.run(4 * compareEveryMs);
  const [first, ...following] = pair.sides[0].dates.slice(before);
  assert.ok((first ?? 0) > writtenAt - FINAL_MS - compareEveryMs);
  assert.ok(following.length >= 2, "the dates before and after the write are compared");
  assert.ok(pair.intervals(before).every((interval) => interval === compareEveryMs));
  pair.run(HOUR);
  assert.equal(pair.intervals().at(-1), compareIdleMs);
});

test("a difference that arises without a write is found within the limit, and is compared often from then on", () => {
  const pair = new Pair();
  pair.run(HOUR);
  const before = pair.sides[0].dates.length;
  pair.sides[1].sum++;
  const { differences } = pair.sides[0].comparing;
  const damagedAt = pair.now;
  pair.run(HOUR, () => differences.all.length > 0);
  assert.equal(differences.all.length, 1);
  const { keyDates } = pair.sides[0];
  assert.ok(keyDates.length > 0);
  assert.ok(keyDates.every((at) => at % SECOND === 0 && at <= pair.now - FINAL_MS));
  assert.ok(pair.now - damagedAt <= compareIdleMs + FINAL_MS + 4 * compareEveryMs);
  pair.run(HOUR);
  assert.ok(pair.intervals(before + 1).every((interval) => interval === compareEveryMs));
});

test("an idle member compares each date that a member has compared", () => {
  const pair = new Pair();
  pair.run(HOUR);
  const before = pair.sides[0].dates.length;
  // Only the second daemon knows of a write, as if it had just been started.
  pair.sides[1].timeline.newest = { at: pair.now, seq: 0 };
  pair.run(3 * compareEveryMs);
  assert.ok(pair.sides[0].dates.length >= before + 2);
});

test("dates with a long interval still select each share of a large keyspace", () => {
  const shares = 8;
  const pair = new Pair(shares);
  pair.run(10 * HOUR);
  const dates = pair.sides[0].dates.slice(-shares);
  assert.equal((dates.at(-1) as number) - (dates.at(-2) as number), compareIdleMs);
  assert.equal(new Set(dates.map((at) => (at / SECOND) % shares)).size, shares);
});
