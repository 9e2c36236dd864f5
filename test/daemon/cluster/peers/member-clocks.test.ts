/** Tests whose clocks count, and that the stored clocks of members without a vote are bounded. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { MemberClocks } from "../../../../daemon/cluster/peers/member-clocks.js";
import { MEMBERS_MAX } from "../../../../daemon/cluster/peers/shared/peering-limits.js";

const LIMITS = { skewMs: 2000, clockSampleMs: 20_000 };
const PAIR = { ids: new Set(["voter"]), others: 1 };
const AHEAD_MS = 5000;

test("a clock that was noted before its member had a vote counts as soon as the member has one", () => {
  const clocks = new MemberClocks(LIMITS);
  const unknown = { ids: new Set<string>(), others: 1 };
  clocks.note("voter", 0, 0, unknown);
  assert.equal(clocks.median(AHEAD_MS, 0, unknown), null);
  assert.equal(clocks.skewOf("voter", AHEAD_MS, 0, unknown), null);
  assert.equal(clocks.median(AHEAD_MS, 0, PAIR), 0);
  assert.equal(clocks.isSkewed(AHEAD_MS, 0, PAIR), true);
  assert.equal(clocks.skewOf("voter", AHEAD_MS, 0, PAIR), -AHEAD_MS);
  assert.equal(clocks.median(AHEAD_MS, LIMITS.clockSampleMs + 1, PAIR), null, "the sample is too old");
});

test("clocks of members without a vote are not noted without bound, and leave room for voters and later members", () => {
  const clocks = new MemberClocks(LIMITS);
  for (let n = 0; n < 10 * MEMBERS_MAX; n++) clocks.note(`stray ${n}`, 0, 0, PAIR);
  const strays = Array.from({ length: 10 * MEMBERS_MAX }, (_, n) => `stray ${n}`);
  const isNoted = (id: string, uptime = 0) =>
    clocks.skewOf(id, 0, uptime, { ids: new Set([id]), others: 1 }) !== null;
  assert.equal(strays.filter((id) => isNoted(id)).length, 2 * MEMBERS_MAX);
  clocks.note("voter", 0, 0, PAIR);
  assert.ok(isNoted("voter"));
  clocks.note("later", 0, LIMITS.clockSampleMs + 1, PAIR);
  assert.ok(isNoted("later", LIMITS.clockSampleMs + 1));
  assert.equal(isNoted("stray 0", LIMITS.clockSampleMs + 1), false);
});
