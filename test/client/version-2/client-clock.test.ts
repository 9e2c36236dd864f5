/** Tests the clock by which a client dates its envelopes, and the choice of the cluster. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ClientClock } from "../../../client/version-2/client-clock.js";
import { chooseCluster } from "../../../client/version-2/cluster-votes.js";
import { SEQ_MAX } from "../../../protocol/version-2/envelope.js";

const daemon = {};

test("the clock follows this machine until a daemon has answered, and then the daemon", () => {
  const clock = new ClientClock(1_000_000);
  assert.equal(clock.time(5), 1_000_005);
  clock.update(daemon, 2_000_000, 10, 20);
  assert.ok(Math.abs(clock.time(15) - 2_000_000) <= 1);
});

test("the clock moves to the nearest time that an answer permits", () => {
  const clock = new ClientClock(0);
  clock.update(daemon, 1_000, 10, 20);
  const before = clock.time(100);
  clock.update(daemon, 1_095, 90, 130);
  assert.equal(clock.time(100), before);
  clock.update(daemon, 1_200, 190, 191);
  assert.ok(Math.abs(clock.time(191) - 1_200) <= 1);
});

test("a client of several daemons uses the median of their clocks", () => {
  const clock = new ClientClock(0);
  for (const [index, time] of [1_000, 60_000, 1_010].entries()) clock.update({ index }, time, 0, 0);
  assert.ok(Math.abs(clock.time(0) - 1_010) <= 1);
});

test("each date is later than all previous and all seen dates", () => {
  const clock = new ClientClock(1_000);
  assert.deepEqual(
    [clock.date(0), clock.date(0), clock.date(1)],
    [
      { at: 1_000, seq: 0 },
      { at: 1_000, seq: 1 },
      { at: 1_001, seq: 0 },
    ],
  );

  clock.seen({ at: 1_500, seq: 17 });
  assert.deepEqual(clock.date(2), { at: 1_500, seq: 18 });
  clock.seen({ at: 1_500, seq: 4 });
  assert.deepEqual(clock.date(3), { at: 1_500, seq: 19 });
  clock.seen({ at: 1_500, seq: SEQ_MAX });
  assert.deepEqual(clock.date(4), { at: 1_501, seq: 0 });
  assert.deepEqual(clock.date(501), { at: 1_501, seq: 1 });
  assert.deepEqual(clock.date(502), { at: 1_502, seq: 0 });
});

test("clients that take turns within a millisecond choose ascending dates close to it", () => {
  const clocks = [-3, 0, 2].map((offset) => new ClientClock(1_000 + offset));
  for (const [envelopes, most] of [
    [10_000, 1_002],
    [200_000, 1_006],
  ] as const) {
    let last = { at: 0, seq: 0 };
    for (let turn = 0; turn < envelopes; turn++) {
      const clock = clocks[turn % clocks.length] ?? assert.fail();
      clock.seen(last);
      const date = clock.date(0);
      assert.ok(date.at > last.at || (date.at === last.at && date.seq > last.seq), `turn ${turn}`);
      last = date;
    }
    assert.ok(last.at <= most, `${envelopes} envelopes end at ${last.at}`);
  }
});

test("a client that corrects its clock no longer uses earlier dates from the wrong clock", () => {
  const clock = new ClientClock(61_000);
  assert.deepEqual(clock.date(0), { at: 61_000, seq: 0 });
  clock.update(daemon, 1_000, 0, 0);
  assert.deepEqual(clock.date(0), { at: 1_000, seq: 0 });
});

test("a client follows the dates of another client at most 4 s ahead of the daemons", () => {
  const clock = new ClientClock(1_000);
  clock.seen({ at: 9_000_000, seq: 17 });
  assert.deepEqual(
    [clock.date(0), clock.date(0)],
    [
      { at: 5_000, seq: 0 },
      { at: 5_000, seq: 1 },
    ],
  );
});

test("the clock uses the next millisecond after the last sequence number of a millisecond", () => {
  const clock = new ClientClock(1_000);
  for (let count = 0; count <= SEQ_MAX; count++) clock.date(0);
  assert.deepEqual(clock.date(0), { at: 1_001, seq: 0 });
});

const CHOICES: [votes: string, servers: number, now: string, final: string][] = [
  ["", 3, "open", "open"],
  ["a", 1, "a", "a"],
  ["a", 3, "open", "a"],
  ["aa", 3, "a", "a"],
  ["ab", 3, "open", "conflict"],
  ["ab", 2, "open", "conflict"],
  ["abb", 3, "b", "b"],
  ["abb", 7, "open", "b"],
  ["aabb", 4, "open", "conflict"],
];

for (const [votes, servers, now, final] of CHOICES) {
  test(`the votes "${votes}" of ${servers} servers choose: ${now}, at the end ${final}`, () => {
    const map = new Map([...votes].map((vote, voter) => [`s${voter}`, vote.repeat(32)]));
    const chosen = (isFinal: boolean) => {
      const choice = chooseCluster(map, servers, isFinal);
      return choice.kind === "chosen" ? choice.cluster[0] : choice.kind;
    };
    assert.deepEqual([chosen(false), chosen(true)], [now, final]);
  });
}
