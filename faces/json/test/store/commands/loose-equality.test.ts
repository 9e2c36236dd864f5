/**
 * Compares the loose equality of values with PHP's `==`, for every pair of a set and for random pairs. DBSYNC_SEED
 * replays a run.
 */
import "../../../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson } from "../../../../../protocol/json/json-reader.js";
import { isContainer } from "../../../../../protocol/json/json-value.js";
import { phpIntegerOf, phpNumeric } from "../../../../../protocol/json/php-number.js";
import { amount } from "../../../../../test/support/amount.js";
import { askPhp } from "../../../../../test/support/php.js";
import { skipWithout } from "../../../../../test/support/requirements.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { isLooselyEqual } from "../../../store/commands/loose-equality.js";
import { markOf } from "../../../store/values/document-columns.js";
import { memberValueOf } from "../../../store/values/member-value.js";

const skip = skipWithout("php");
const PAIRS = amount(8_000, 100_000);
const seed = seedOfRun();

const VALUES: readonly string[] = [
  ...["null", "true", "false", "0", "1", "-1", "1.0", "1.5", "10", "1e1", "-0.0", "1e30", "1e-7"],
  ...[
    "9007199254740992",
    "9007199254740993",
    "9223372036854775807",
    "9223372036854775808",
    "123456789012345678901",
  ],
  ...[
    '""',
    '"0"',
    '"1"',
    '"01"',
    '" 1"',
    '"1 "',
    '"1x"',
    '"+1"',
    '"1."',
    '".5"',
    '"0.5"',
    '"1e1"',
    '"abc"',
    '"ABC"',
  ],
  ...[
    '"true"',
    '"null"',
    '"0.0"',
    '"-0"',
    '"9007199254740992"',
    '"9007199254740993"',
    '"9223372036854775808"',
  ],
  ...['"9223372036854775809"', '"0x1"', '"\\n1"', '"."', '"e"', '"1e400"', '"2e400"', '"é"', '" "'],
  ...[
    "[]",
    "{}",
    "[1]",
    '["1"]',
    "[1,2]",
    "[2,1]",
    '{"a":1,"b":2}',
    '{"b":2,"a":"1"}',
    '{"0":1}',
    "[[]]",
    "[null]",
  ],
  ...['{"a":null}', "[false]", '{"1":1}', "0.5"],
];

/** Checks that pairs of JSON texts are equal exactly if they are in PHP. @returns the number of equal pairs */
function checkPairs(pairs: readonly (readonly [string, string])[], label: string): number {
  const answers = askPhp(
    "(function ($pair) { return var_export($pair[0] == $pair[1], true); })(json_decode($line, true))",
    pairs.map(([a, b]) => `[${a},${b}]`),
  );
  for (const [at, [a, b]] of pairs.entries()) {
    const [first, second] = [parseJson(a), parseJson(b)];
    const isEqual = isLooselyEqual(first, second);
    assert.equal(String(isEqual), answers[at], `${label}${a} == ${b}`);
    if (!isEqual || [first, second].some((one) => one === null || isContainer(one))) continue;
    // Marks determine which entries a query reads: 0 means that any value may be equal.
    const marks = [first, second].map((one) => markOf(memberValueOf(one)));
    assert.ok(marks.includes(0) || marks[0] === marks[1], `${label}${a} and ${b} have different marks`);
  }
  return answers.filter((answer) => answer === "true").length;
}

test("two values are equal here if they are equal in PHP", { skip }, () => {
  checkPairs(
    VALUES.flatMap((a) => VALUES.map((b) => [a, b] as const)),
    "",
  );
});

/** Integers around these values leave the range of exact doubles or of 64 bits. */
const CENTRES = [0n, 1n, 10n, 2n ** 53n, 2n ** 63n, 2n ** 64n, 10n ** 18n, 10n ** 19n, 10n ** 20n];
const ENDINGS = ["", "", "", "", ".0", ".", ".5", "e0", "E+1", "e-18", "e-400"];
const SPACES = [" ", "\t", "\n", "\v", "\f", "\r", "\0", "\u00a0"];
const WORDS = ["", ".", "0", "-0", "e", "INF", "-INF", "NAN", "abc", "Array", "true", "null", "1e400"];
const MAX_DEPTH = 2;

function randomNumber(random: SeededRandom): string {
  const near = random.oneOf(CENTRES) + BigInt(random.between(-2, 2));
  const number = `${random.chance(0.3) ? -near : near}`;
  return random.chance(0.05) ? String(Number(number) / 10) : number + random.oneOf(ENDINGS);
}

function randomText(random: SeededRandom): string {
  const space = () => (random.chance(0.15) ? random.oneOf(SPACES) : "");
  if (random.chance(0.04)) return space() + random.oneOf(WORDS) + space();
  const sign = random.chance(0.1) ? "+" : "";
  // These numbers have more digits than any double.
  const digits = random.chance(0.04)
    ? `${random.oneOf(["", "-"])}${"9".repeat(random.between(308, 311))}`
    : randomNumber(random);
  const zeros = random.chance(0.1) ? digits.replace(/^-?/, (minus) => `${minus}00`) : digits;
  return space() + sign + zeros + (random.chance(0.03) ? random.oneOf(["x", "e", "e+", "_0"]) : "") + space();
}

/** Returns a JSON text. */
function randomValue(random: SeededRandom, depth = 0): string {
  const kind = random.below(depth < MAX_DEPTH ? 10 : 8);
  if (kind < 5) return JSON.stringify(randomText(random));
  if (kind < 7) return randomNumber(random).replace(".e", ".0e").replace(/\.$/, ".0");
  if (kind === 7) return random.oneOf(["null", "true", "false", '""', "0"]);
  const values = Array.from({ length: random.below(3) }, () => randomValue(random, depth + 1));
  if (kind === 8) return `[${values}]`;
  return `{${values.map((value) => `${JSON.stringify(random.oneOf(["0", "1", "a", "01"]))}:${value}`)}}`;
}

test("random values are equal here if they are equal in PHP", { skip }, () => {
  const random = new SeededRandom(seed);
  const pairs = Array.from({ length: PAIRS }, () => {
    const one = randomValue(random);
    // In PHP, a list of one element can equal an object whose only key is 0, so this produces equal pairs.
    if (random.chance(0.1)) return [`[${one}]`, `{"0":${randomValue(random, MAX_DEPTH)}}`] as const;
    return [one, randomValue(random)] as const;
  });
  const equal = checkPairs(pairs, `seed ${seed}: `);
  assert.ok(equal > PAIRS / 50, `only ${equal} pairs of ${PAIRS} are equal`);
});

test("integers of more than 64 bits in strings are equal only if their digits are", () => {
  const pairs: readonly (readonly [string, string, boolean])[] = [
    ['"9223372036854775807"', '"9223372036854775808"', false],
    ['"9223372036854775808"', '"9223372036854775808.0"', true],
    ['"18446744073709551616.0"', '"18446744073709551617.5"', false],
    ['"9223372036854775808"', '"9223372036854775809"', false],
    ['"1e400"', '"2e400"', false],
    ['["9223372036854775807"]', '["9223372036854775808"]', false],
    ["-9223372036854775807", '"-9223372036854775808 "', true],
    ['"10000000000000000000e-18"', '"10"', false],
    ['"10"', '" 10.0"', true],
  ];
  for (const [a, b, isEqual] of pairs) {
    const [first, second] = [parseJson(a), parseJson(b)];
    assert.equal(isLooselyEqual(first, second), isEqual, `${a} == ${b}`);
    assert.equal(isLooselyEqual(second, first), isEqual, `${b} == ${a}`);
  }
});

test("a string counts as a number here if it does in PHP", { skip }, () => {
  const texts = [
    "",
    "1",
    " 1",
    "1 ",
    "1\t ",
    "1x",
    "0x1",
    "1e0",
    ".5",
    "1.",
    ".",
    "+1",
    "-0",
    "- 1",
    "1e",
    "e1",
    "١",
    "1_0",
  ];
  const answers = askPhp(
    "var_export(is_numeric(json_decode($line)), true)",
    texts.map((text) => JSON.stringify(text)),
  );
  for (const [at, text] of texts.entries())
    assert.equal(String(phpNumeric(text) !== undefined), answers[at], JSON.stringify(text));
});

test("a string is cast to the same integer here as in PHP", { skip }, () => {
  const random = new SeededRandom(seed, 1);
  const parts = ["0", "1", "9", "12", "9223372036854775807", ".", "e", "E", "+", "-", " ", "x", "\u00a0"];
  const texts = [
    ...[
      "1e1x",
      "0x1A",
      " 5x",
      "+5x",
      ".9x",
      "1.9e1x",
      "-3x",
      "1e",
      "1e+x",
      "99999999999999999999x",
      "-1e30x",
    ],
    ...["\u00a05x", "1e999", "-9223372036854775808x", "x"],
    ...Array.from({ length: 300 }, () =>
      Array.from({ length: random.between(1, 6) }, () => random.oneOf(parts)).join(""),
    ),
  ];

  const answers = askPhp(
    "(int) json_decode($line)",
    texts.map((text) => JSON.stringify(text)),
  );
  for (const [at, text] of texts.entries())
    assert.equal(String(phpIntegerOf(text)), answers[at], `seed ${seed}: ${JSON.stringify(text)}`);
});
