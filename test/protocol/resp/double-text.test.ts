/** Compares doubles as text with the output of redis-server 7.0 and of C's `%.17g`. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { formatDouble, formatFixed } from "../../../protocol/resp/double-text.js";

const PRINTED: readonly (readonly [number, string])[] = [
  [0, "0"],
  [-0, "-0"],
  [3, "3"],
  [-17, "-17"],
  [0.1, "0.10000000000000001"],
  [0.1 + 0.2, "0.30000000000000004"],
  [1.5, "1.5"],
  [-0.0001, "-0.0001"],
  [0.00001, "1.0000000000000001e-05"],
  [0.00001234, "1.234e-05"],
  [1e15, "1000000000000000"],
  [1e16, "10000000000000000"],
  [1e17, "1e+17"],
  [1e21, "1e+21"],
  [1e-310, "9.9999999999999694e-311"],
  [5e-324, "4.9406564584124654e-324"],
  [12345678901234567000, "1.2345678901234567e+19"],
  [1.7976931348623157e308, "1.7976931348623157e+308"],
  [Number.POSITIVE_INFINITY, "inf"],
  [Number.NEGATIVE_INFINITY, "-inf"],
];

test("A double is written as C's %.17g writes it", () => {
  for (const [value, text] of PRINTED) assert.equal(formatDouble(value), text);
});

test("A double halfway between two numbers of 17 digits is rounded to the even number", () => {
  assert.equal(formatDouble(123456 + 2 ** -12), "123456.00024414062");
  assert.equal(formatDouble(-123456 - 2 ** -12), "-123456.00024414062");
  assert.equal(formatDouble(123456 + 3 * 2 ** -12), "123456.00073242188");
});

test("An integer above 2⁵³ is written with its exact digits, not with zeros", () => {
  assert.equal(formatDouble(84870438847213024), "84870438847213024");
  assert.equal(formatDouble(-48722398290747264), "-48722398290747264");
});

test("formatFixed rounds halves to even, as C does", () => {
  const cases: readonly [number, number, string][] = [
    [0.25, 1, "0.2"],
    [0.75, 1, "0.8"],
    [0.03125, 4, "0.0312"],
    [0.09375, 4, "0.0938"],
    [-181.0078125, 6, "-181.007812"],
    [166274.15156960033, 4, "166274.1516"],
    [-0, 2, "-0.00"],
    [1e21, 1, "1000000000000000000000.0"],
    [Number.POSITIVE_INFINITY, 6, "inf"],
  ];
  for (const [value, digits, text] of cases) assert.equal(formatFixed(value, digits), text);
});
