/** Tests the clock of a daemon without peers: it follows a step only after the step has lasted. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SteadyClock } from "../../../daemon/timeline/watermark.js";

const MINUTE_MS = 60_000;
const HOUR_MS = 3_600_000;

test("the steady clock returns a clock without steps unchanged", () => {
  const steady = new SteadyClock();
  for (const uptime of [0, 100, 5000, HOUR_MS])
    assert.equal(steady.read(1e12 + uptime, uptime), 1e12 + uptime);
});

test("the steady clock follows a drifting clock", () => {
  const steady = new SteadyClock();
  for (let uptime = 0; uptime < HOUR_MS; uptime += 1000) {
    const clock = 1e12 + Math.floor(uptime * 1.01);
    assert.equal(steady.read(clock, uptime), clock);
  }
});

test("the steady clock accepts a step ahead after ten minutes, and not before", () => {
  const steady = new SteadyClock();
  steady.read(1e12, 0);
  for (let uptime = 100; uptime < 10 * MINUTE_MS; uptime += 100)
    assert.equal(steady.read(1e12 + HOUR_MS + uptime, uptime), 1e12 + uptime);
  const later = 11 * MINUTE_MS;
  assert.equal(steady.read(1e12 + HOUR_MS + later, later), 1e12 + HOUR_MS + later);
});

test("a step ahead and back has no effect, and a later step must last ten minutes again", () => {
  const steady = new SteadyClock();
  steady.read(1e12, 0);
  assert.equal(steady.read(1e12 + HOUR_MS, 100), 1e12 + 100);
  assert.equal(steady.read(1e12 + 9 * MINUTE_MS, 9 * MINUTE_MS), 1e12 + 9 * MINUTE_MS);
  assert.equal(steady.read(1e12 + HOUR_MS, 12 * MINUTE_MS), 1e12 + 12 * MINUTE_MS);
});

test("the steady clock is never ahead of a clock that has stepped back", () => {
  const steady = new SteadyClock();
  steady.read(1e12, 0);
  assert.equal(steady.read(1e12 - HOUR_MS, 100), 1e12 - HOUR_MS);
});
