/** Tests the rows of the limits, and the log of the reasons why connections are closed. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { pino } from "pino";
import { REFUSALS } from "../../../daemon/engine/answers/refusals.js";
import { RefusalLog } from "../../../daemon/net/connections/connection-refusals.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { isLoopback } from "../../../daemon/net/process/host-and-port.js";
import { LIMITS } from "../../../daemon/options/limits.js";
import {
  formatLimit,
  formatRetention,
  parseLimit,
  parseRetention,
} from "../../../daemon/options/value-forms.js";
import { ALL_LIMITS } from "../../support/installed-options.js";

test("sizes and times are parsed with their units, and their formatted texts have the same values", () => {
  const { maxRequestBytes, idleTimeout, maxConnections } = LIMITS;
  assert.equal(parseLimit(maxRequestBytes, "1.5KiB"), 1536);
  assert.equal(parseLimit(maxRequestBytes, "2048"), 2048);
  assert.equal(parseLimit(idleTimeout, "90"), 90_000);
  assert.equal(parseLimit(idleTimeout, "0.5s"), 500);
  assert.equal(parseLimit(idleTimeout, "2h"), 7_200_000);
  assert.equal(formatLimit(idleTimeout, 90_000), "90s");
  assert.equal(formatLimit(idleTimeout, 1500), "1500ms");
  assert.equal(formatLimit(maxConnections, 10_000), "10000");
  for (const row of Object.values(ALL_LIMITS)) {
    for (const value of [row.min, row.fallback, row.max])
      assert.equal(parseLimit(row, formatLimit(row, value)), value);
  }
});

test("a retention time is a number of days, or a time with a unit", () => {
  for (const [text, milliseconds] of [
    ["7", 604_800_000],
    ["12h", 43_200_000],
    ["90m", 5_400_000],
    ["forever", Number.POSITIVE_INFINITY],
  ] as const) {
    assert.equal(parseRetention(text), milliseconds);
    assert.equal(formatRetention(milliseconds), text);
  }
  assert.equal(parseRetention("2d"), parseRetention("48h"));
  for (const text of ["", "0", "0m", "30s", "1.5", "36501", "h"])
    assert.throws(() => parseRetention(text), { name: "RangeError", message: /^Expected forever/ }, text);
});

test("a limit that is invalid or out of bounds is refused with the expected form", () => {
  for (const text of ["", "many", "-1", "1e9", "0x10", "5 parsecs", "1KiB", "9999h"]) {
    assert.throws(
      () => parseLimit(LIMITS.idleTimeout, text),
      { name: "RangeError", message: /^Expected / },
      text,
    );
  }
  assert.throws(() => parseLimit(LIMITS.maxConnections, "2.5"), /a whole number/);
});

test("each default is within its bounds and has a reason", () => {
  for (const { min, fallback, max, reason } of Object.values(ALL_LIMITS)) {
    assert.ok(min <= fallback && fallback <= max);
    assert.notEqual(reason, "");
  }
});

test("the bounds of a limit are accepted and round, and the values next to them are refused", () => {
  const SIZES = { bytes: 1024, time: 60, count: 10 } as const;
  /** Returns the digits of a bound in the largest unit that divides it. */
  const rounded = (value: number, unit: keyof typeof SIZES): number => {
    if (value === 0) return 0;

    let rest = value;
    if (unit === "time") while (rest % 10 === 0) rest /= 10;
    while (rest % SIZES[unit] === 0) rest /= SIZES[unit];
    return rest;
  };

  for (const [name, row] of Object.entries(ALL_LIMITS)) {
    for (const value of [row.min, row.max])
      assert.ok(rounded(value, row.unit) < 1000, `${name}: the bound ${value} is not a round number`);
    for (const text of [row.min - 1, row.max + 1].map((value) => formatLimit(row, value)))
      assert.throws(
        () => parseLimit(row, text),
        { name: "RangeError", message: /^Expected / },
        `${name} ${text}`,
      );
  }
});

test("loopback addresses are recognized, and names other than localhost are undecided", () => {
  for (const address of ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1", "localhost"])
    assert.equal(isLoopback(address), true);
  for (const address of ["0.0.0.0", "::", "10.0.0.1", "fe80::1", "128.0.0.1"])
    assert.equal(isLoopback(address), false);
  assert.equal(isLoopback("db.example"), null);
});

test("the daemon logs a reason a few times, then only counts it, and later logs the count", () => {
  const lines: Record<string, unknown>[] = [];
  const log = pino({ base: null }, { write: (line) => lines.push(JSON.parse(line)) });
  let now = 0;
  const refusals = new RefusalLog(log, { ...realEnvironment, uptime: () => now }, REFUSALS);
  for (let i = 0; i < 100; i++) refusals.logRefusal("malformed", { remote: "r", detail: "d" });
  refusals.logRefusal("unsigned", { remote: "r", detail: "d" });
  assert.equal(lines.length, 21);
  now = 60_000;
  refusals.logRefusal("malformed", { remote: "r", detail: "d" });
  assert.equal(lines.at(-1)?.["withheld"], 80);
});
