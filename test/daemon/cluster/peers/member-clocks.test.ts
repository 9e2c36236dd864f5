/** Tests whose clocks count, and that the stored clocks of members without a vote are bounded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemberClocks } from "../../../../daemon/cluster/peers/member-clocks.js";
import { MEMBERS_MAX } from "../../../../daemon/cluster/peers/shared/peering-limits.js";

const LIMITS = { skewMs: 2000, clockSampleMs: 20_000 };
const PAIR = { ids: new Set(["voter"]), others: 1 };
const AHEAD_MS = 5000;
/** This machine's clock when a sample is taken. */
const OWN = { clock: AHEAD_MS, uptime: 0 };
/** A message of a member whose clock shows 0, with a short round trip. */
const AT_ZERO = { sent: 0, trip: 2 };

test("a clock that was noted before its member had a vote counts as soon as the member has one", () => {
  const clocks = new MemberClocks(LIMITS);
  const unknown = { ids: new Set<string>(), others: 1 };
  clocks.recordSample("voter", AT_ZERO, OWN, unknown);
  assert.equal(clocks.median(AHEAD_MS, 0, unknown), null);
  assert.equal(clocks.skewOf("voter", AHEAD_MS, 0, unknown), null);
  assert.equal(clocks.median(AHEAD_MS, 0, PAIR), 1);
  assert.equal(clocks.isSkewed(AHEAD_MS, 0, PAIR), true);
  assert.equal(clocks.skewOf("voter", AHEAD_MS, 0, PAIR), 1 - AHEAD_MS);
  assert.equal(clocks.median(AHEAD_MS, LIMITS.clockSampleMs + 1, PAIR), null, "the sample is too old");
});

test("clocks of members without a vote are not noted without bound, and leave room for voters and later members", () => {
  const clocks = new MemberClocks(LIMITS);
  for (let n = 0; n < 10 * MEMBERS_MAX; n++) clocks.recordSample(`stray ${n}`, AT_ZERO, OWN, PAIR);
  const strays = Array.from({ length: 10 * MEMBERS_MAX }, (_, n) => `stray ${n}`);
  const isNoted = (id: string, uptime = 0) =>
    clocks.skewOf(id, 0, uptime, { ids: new Set([id]), others: 1 }) !== null;
  assert.equal(strays.filter((id) => isNoted(id)).length, 2 * MEMBERS_MAX);
  clocks.recordSample("voter", AT_ZERO, OWN, PAIR);
  assert.ok(isNoted("voter"));
  clocks.recordSample("later", AT_ZERO, { clock: AHEAD_MS, uptime: LIMITS.clockSampleMs + 1 }, PAIR);
  assert.ok(isNoted("later", LIMITS.clockSampleMs + 1));
  assert.equal(isNoted("stray 0", LIMITS.clockSampleMs + 1), false);
});

test("a message that was on its way for long does not replace an accurate sample of a clock for some seconds", () => {
  const clocks = new MemberClocks(LIMITS);
  const note = (uptime: number, clock: number, trip: number | null) => {
    const own = { clock: uptime + AHEAD_MS, uptime };
    clocks.recordSample("voter", { sent: clock, trip }, own, PAIR);
    return clocks.median(own.clock, uptime, PAIR);
  };
  assert.equal(note(0, 0, null), 0, "the first message has no round trip");
  assert.equal(note(1_000, 999, 2), 1_000);
  // One of the two daemons was suspended for a second.
  assert.equal(note(3_000, 1_999, 1_002), 3_000);
  assert.equal(note(4_000, 3_000, null), 4_000);
  assert.equal(note(5_000, 4_994, 12), 5_000, "the round trip is usual");
  assert.equal(note(15_000, 14_000, 1_000), 14_500, "the last sample is too old");
  assert.equal(note(16_000, 15_000, 2), 15_001, "the member's clock was set");
});

test("a clock that may be equal to this machine's is equal, however long the message was on its way", () => {
  for (const took of [0, 1, 20, 40]) {
    const clocks = new MemberClocks(LIMITS);
    clocks.recordSample("voter", { sent: 1_000 - took, trip: 40 }, { clock: 1_000, uptime: 0 }, PAIR);
    assert.equal(clocks.median(1_007, 7, PAIR, true), 1_007);
    assert.equal(clocks.skewOf("voter", 1_007, 7, PAIR), 0);
  }
});
