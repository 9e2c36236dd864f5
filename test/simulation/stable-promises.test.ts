/** Tests that the check of stable points excuses only daemons that could not know about the stable point. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Ledger } from "./ledger.js";
import { isExcused } from "./stable-promises.js";

const promise = { host: "d0", at: 1_000, reportedAt: 50, orderKeys: new Set<string>() };

for (const [behaviour, beginnings, isExpected] of [
  [
    "began empty later and saw only clocks that were behind",
    [{ at: 60, latestClock: 999, watermarks: [1_000, 1_000] }],
    true,
  ],
  ["saw a clock that was not behind", [{ at: 60, latestClock: 1_000, watermarks: [] }], false],
  [
    "had begun before the stable point was reported",
    [{ at: 40, latestClock: 999, watermarks: [1, 1] }],
    false,
  ],
  [
    "saw that half of its members did not know it",
    [{ at: 60, latestClock: 1_000, watermarks: [999, 1_000] }],
    true,
  ],
  ["saw that most members knew it", [{ at: 60, latestClock: 1_000, watermarks: [999, 1_000, 1_000] }], false],
  ["did not know yet what members knew", [{ at: 60, latestClock: 1_000, watermarks: [null, 1_000] }], false],
  ["had a single member, which knew less", [{ at: 60, latestClock: 1_000, watermarks: [999] }], false],
  ["did not begin empty", [], false],
] as const)
  test(`a daemon that ${behaviour} is ${isExpected ? "" : "not "}excused`, () => {
    const ledger = new Ledger();
    ledger.beginnings.set("id", [...beginnings]);
    assert.equal(isExcused({ ledger }, promise, "id"), isExpected);
  });
