/** Tests typed lines: quotes and escapes, as redis-cli parses them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DbsyncError } from "../../../../client/shared/errors.js";
import { isQuoted, splitArguments } from "../../../../tools/cli/shared/typed-commands.js";

const GOOD: [line: string, words: (string | Buffer)[]][] = [
  ["", []],
  ["  \t ", []],
  ["SET k v", ["SET", "k", "v"]],
  ["  SET\tk  v ", ["SET", "k", "v"]],
  ['SET k "two words"', ["SET", "k", "two words"]],
  ["SET k 'two words'", ["SET", "k", "two words"]],
  ['SET k ""', ["SET", "k", ""]],
  ["SET k ''", ["SET", "k", ""]],
  ['SET k "a\\n\\r\\t\\b\\a\\\\\\"\\q"', ["SET", "k", 'a\n\r\t\b\x07\\"q']],
  ['SET k "\\x41\\x4z"', ["SET", "k", "Ax4z"]],
  ["SET k '\\x41 \\' \\n'", ["SET", "k", "\\x41 ' \\n"]],
  ["SET k \\x41", ["SET", "k", "\\x41"]],
  ['SET k "\\xff\\x00"', ["SET", "k", Buffer.from([0xff, 0])]],
  ['SET k "\\xe2\\x82\\xac"', ["SET", "k", "€"]],
  ['SET k "gr\u00fc\u00dfe \u{1f600}"', ["SET", "k", "gr\u00fc\u00dfe \u{1f600}"]],
  ["SET gr\u00fc\u00dfe \u{1f600}", ["SET", "gr\u00fc\u00dfe", "\u{1f600}"]],
  ['SET k "it\'s"', ["SET", "k", "it's"]],
  ["SET k '\"'", ["SET", "k", '"']],
  ['SET k pre"fix"', ["SET", "k", "prefix"]],
];

for (const [line, words] of GOOD) {
  test(`${JSON.stringify(line)} has ${words.length} words`, () =>
    assert.deepEqual(splitArguments(line), words));
}

for (const [line, message] of [
  ['SET k "a', /the quote " is not closed/],
  ["SET k it's", /the quote ' is not closed/],
  ['SET k "a\\"', /the quote " is not closed/],
  ['SET k "a\\', /the quote " is not closed/],
  ["SET k 'a\\'", /the quote ' is not closed/],
  ['SET k "a"b', /the closing " must be followed by a space/],
  ["SET 'k''v'", /the closing ' must be followed by a space/],
] as const) {
  test(`${JSON.stringify(line)} is refused`, () => {
    assert.throws(
      () => splitArguments(line),
      (error) => error instanceof DbsyncError && error.code === "bad-command" && message.test(error.message),
    );
  });
}

test("isQuoted returns whether a line contains quotes", () => {
  assert.ok(!isQuoted("SET k v\\x"));
  assert.ok(isQuoted("SET k 'v'"));
  assert.ok(isQuoted('"'));
});
