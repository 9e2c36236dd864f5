/** When values are the same to PHP: every pair of a set goes to a real one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { parseJson } from "../../../../protocol/json/json-reader.js";
import { phpNumeric } from "../../../../protocol/json/php-number.js";
import { isLooselyEqual } from "../../../../store/commands/documents/loose-equality.js";
import { askPhp } from "../../../support/php.js";
import { skipWithout } from "../../../support/requirements.js";

const skip = skipWithout("php");

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

test("two values are the same to us if they are to PHP", { skip }, () => {
  const pairs = VALUES.flatMap((a) => VALUES.map((b) => [a, b] as const));
  const answers = askPhp(
    "(function ($pair) { return var_export($pair[0] == $pair[1], true); })(json_decode($line, true))",
    pairs.map(([a, b]) => `[${a},${b}]`),
  );
  for (const [at, [a, b]] of pairs.entries())
    assert.equal(String(isLooselyEqual(parseJson(a), parseJson(b))), answers[at], `${a} == ${b}`);
});

test("a string looks like a number to us if it does to PHP", { skip }, () => {
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
