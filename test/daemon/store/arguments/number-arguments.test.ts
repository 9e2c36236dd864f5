/**
 * Tests the time that parsing numbers takes, and the canonical form of integers. test/conformance checks that all
 * numbers are parsed as in Redis.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { runInNewContext } from "node:vm";
import {
  addIntegers,
  INT64_MAX,
  INT64_MIN,
  parseDouble,
  parseInteger,
} from "../../../../daemon/store/arguments/number-arguments.js";
import { addFloats } from "../../../../daemon/store/arithmetic/long-double.js";

/** A limit in milliseconds. An algorithm with quadratic time would take hours. */
const TIMEOUT = 20_000;

/** Returns the result of a function, which is aborted if it takes too long. */
const withTimeout = (step: () => unknown): unknown =>
  runInNewContext("step()", { step }, { timeout: TIMEOUT });

test("the parser rejects a long text that is not a number in linear time", () => {
  const digits = "1".repeat(2_000_000);
  for (const text of [`${digits}x`, `${digits}.${digits}x`, `.${digits}x`, `0x${digits}z`, `1e${digits}x`])
    assert.equal(
      withTimeout(() => parseDouble(text)),
      undefined,
      text.slice(0, 3),
    );
});

test("the parser accepts long numbers", () => {
  const digits = "1".repeat(300);
  assert.equal(parseDouble(`${digits}.${digits}`), Number(digits));
  assert.equal(parseDouble(`0x${"0".repeat(1000)}.8p1`), 1);
  for (const text of ["0x", "0x.", "-0xp1", ".", "", "+", "e1"])
    assert.equal(parseDouble(text), undefined, text);
});

test("addition rejects long texts that are not numbers in linear time", () => {
  const digits = "1".repeat(5100);
  withTimeout(() => {
    for (let i = 0; i < 1000; i++) assert.equal(addFloats(`${digits}x`, "1"), "not-a-float");
  });
  assert.equal(addFloats(".5", "1."), "1.5");
  assert.equal(addFloats(".", "1"), "not-a-float");
});

test("the parser accepts hexadecimal numbers with many digits and any exponent", () => {
  for (const [text, value] of [
    [`0x1.${"0".repeat(300)}`, 1],
    [`0x1${"0".repeat(300)}p-1200`, 1],
    ["0x1000000p-1080", 2 ** -1056],
    ["0x.0000001p1030", 2 ** 1002],
    ["0x1p-1074", 2 ** -1074],
    ["0x0.0p99999999999999999999", 0],
    ["0x1p1024", Number.POSITIVE_INFINITY],
    ["-0x1p-1076", -0],
    [`0x10000000000000800000000${"0".repeat(50)}1p-292`, 1 + 2 ** -52],
    [`0x10000000000000800000000${"0".repeat(50)}0p-292`, 1],
  ] as const)
    assert.ok(Object.is(parseDouble(text), value), `${text} ${parseDouble(text)}`);
});

test("addition keeps 64 bits of a hexadecimal number", () => {
  assert.equal(addFloats("0x109007199254740993", "-79"), "305526197161924233568");
  assert.equal(addFloats("-0x1.8p1", "0"), "-3");
  assert.equal(addFloats("0x1p16383", "0"), String(2n ** 16383n));
  for (const text of ["0x1p16384", "0x1p-16447", "0x", "0x.p1"])
    assert.equal(addFloats(text, "0"), "not-a-float", text);
  assert.equal(addFloats("-Infinity", "1"), "infinite");
});

test("the parser accepts integers of any length, but only in their canonical form", () => {
  for (const value of [0, 7, -1, 10, 123456789012345, -99999999999999, 999999999999999, 2 ** 53 - 1])
    assert.ok(Object.is(parseInteger(String(value)), value), String(value));
  for (const value of [2n ** 63n - 1n, -(2n ** 63n)]) assert.equal(parseInteger(String(value)), value);

  for (const text of [
    "",
    "-",
    "+1",
    "-0",
    "00",
    "01",
    "-01",
    " 1",
    "1 ",
    "1.0",
    "1e3",
    "0x1",
    "1a",
    "/",
    ":",
    "\xb2",
  ])
    assert.equal(parseInteger(text), undefined, JSON.stringify(text));

  for (const text of [String(2n ** 63n), "0".repeat(16), `${"1".repeat(16)}x`, "1".repeat(21)])
    assert.equal(parseInteger(text), undefined, text);
});

test("sums of integers are exact up to 64 bits, and a bigint only where a number would be inexact", () => {
  assert.equal(addIntegers(2, -5), -3);
  assert.equal(addIntegers(Number.MAX_SAFE_INTEGER, 2), BigInt(Number.MAX_SAFE_INTEGER) + 2n);
  assert.equal(addIntegers(INT64_MAX, -5), INT64_MAX - 5n);
  assert.equal(addIntegers(INT64_MIN, INT64_MAX), -1);
  assert.equal(addIntegers(INT64_MAX, 1), undefined);
  assert.equal(addIntegers(-1, INT64_MIN), undefined);
});
