import assert from "node:assert/strict";
import { test } from "node:test";
import { LogThrottle } from "../../../../daemon/net/process/log-throttle.js";

interface Line {
  readonly level: string;
  readonly text: string;
  readonly withheld?: number;
}

function throttled(options: { periodMs?: number; lines?: number } = {}) {
  const lines: Line[] = [];
  const at = (level: string) => (facts: object, text: string) => void lines.push({ level, ...facts, text });
  const clock = { now: 0 };
  const log = { warn: at("warn"), error: at("error") };
  const throttle = new LogThrottle({ log, uptime: () => clock.now, periodMs: 1000, ...options });
  return { throttle, lines, clock };
}

test("A line is written once per period, and the next line contains the number of suppressed lines", () => {
  const { throttle, lines, clock } = throttled();
  assert.equal(throttle.warn("a", {}, "text"), true);
  assert.equal(throttle.warn("a", {}, "text"), false);
  assert.equal(throttle.warn("a", {}, "text"), false);
  assert.equal(throttle.error("b", {}, "text"), true);
  clock.now = 1000;
  throttle.warn("a", {}, "text");
  clock.now = 2000;
  throttle.warn("a", {}, "text");
  assert.deepEqual(lines, [
    { level: "warn", text: "text" },
    { level: "error", text: "text" },
    { level: "warn", text: "text", withheld: 2 },
    { level: "warn", text: "text" },
  ]);
});

test("Several lines of a subject are written per period if the options allow it", () => {
  const { throttle, lines } = throttled({ lines: 3 });
  for (let i = 0; i < 10; i++) throttle.warn("a", {}, "text");
  assert.equal(lines.length, 3);
});

test("Another text or variant, or a subject that was cleared, is written immediately", () => {
  const { throttle, lines } = throttled({ periodMs: Number.POSITIVE_INFINITY });
  throttle.warn("a", {}, "one");
  throttle.warn("a", {}, "two");
  throttle.warn("a", {}, "two");
  throttle.warn("a", {}, "two", "variant");
  throttle.clear("a");
  throttle.warn("a", {}, "two", "variant");
  assert.deepEqual(
    lines.map(({ text }) => text),
    ["one", "two", "two", "two"],
  );
});

test("The number of subjects in memory is limited", () => {
  const { throttle, lines } = throttled();
  for (let i = 0; i < 4500; i++) throttle.warn(`client ${i}`, {}, "text");
  throttle.warn("client 0", {}, "text");
  assert.equal(lines.length, 4501);
  throttle.warn("client 4499", {}, "text");
  assert.equal(lines.length, 4501);
});
