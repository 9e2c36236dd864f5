/** Tests that patterns match what JavaScript's regular expressions match, in linear time. DBSYNC_SEED replays a run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import {
  compilePattern,
  PATTERN_STEPS_MAX,
  PatternExceeded,
  PatternFault,
  PatternProgram,
} from "../../../store/queries/pattern.js";

const seed = seedOfRun();
const RUNS = 4000;

const FOUND: readonly (readonly [pattern: string, text: string, isFound: boolean])[] = [
  ["", "", true],
  ["^$", "a", false],
  ["(?i)straße", "STRAßE", true],
  ["(?i)é", "É", false],
  ["(?i)[a-f]x", "Ex", true],
  ["(?i)[^a-f]", "E", false],
  ["^.$", "🙂", true],
  ["^.$", "\n", false],
  ["[🙂-🙅]", "🙃", true],
  ["\\bfoo\\b", "a foo.", true],
  ["\\Bfoo", "a foo.", false],
  ["a{2,3}$", "baaaa", true],
  ["^a{2,3}$", "aaaa", false],
  ["^(a|ab)(c|bcd)$", "abcd", true],
  ["(a*)*b", "aaaa", false],
  ["\\u00e9\\x41\\.", "éA.", true],
  ["[\\]\\-\\d]", "-", true],
  ["[a-]", "-", true],
  ["a??b", "b", true],
  // The pattern repeats an empty match about 10^24 times. A matcher that iterated would never return.
  ["^((((((){9999}){9999}){9999}){9999}){9999}){9999}$", "", true],
  ["(?:(?:a{0}){9999}){9999}b", "b", true],
  ["^[^ab]{3}[b-d]{2}$", "zyxdc", true],
  ["^[^ab]{3}[b-d]{2}$", "zyaab", false],
];
const WRONG: readonly (readonly [pattern: string, message: RegExp])[] = [
  ["(", /a \( that is not closed, at character 1/],
  [")", /an unmatched \)/],
  ["*", /\* must be written \\\*/],
  ["a**", /\* must be written/],
  ["[", /ends unexpectedly/],
  ["[]", /is empty/],
  ["[b-a]", /wrong order/],
  ["[\\d-z]x[a-\\d]", /wrong order/],
  ["a{3,2}", /wrong order/],
  ["(a)\\1", /there is no \\1 \(back references are not supported\)/],
  ["(?=a)", /only \(\?: is supported/],
  ["(?<n>a)", /only \(\?: is supported/],
  ["\\p{L}", /there is no \\p/],
  ["a\\", /ends unexpectedly/],
  ["a{400}b{400}", new RegExp(`more than ${PATTERN_STEPS_MAX} steps`)],
  ["((a{99}){99}){99}", new RegExp(`more than ${PATTERN_STEPS_MAX} steps`)],
  ["a".repeat(1001), /at most 1000 characters/],
];

test("patterns match the texts in the table", () => {
  for (const [pattern, text, isFound] of FOUND)
    assert.equal(compilePattern(pattern).isIn(text), isFound, `${pattern} in ${text}`);
});

test("invalid patterns are reported", () => {
  for (const [pattern, message] of WRONG)
    assert.throws(
      () => compilePattern(pattern),
      (problem) => problem instanceof PatternFault && message.test(problem.message),
      pattern,
    );
});

function patternOf(random: SeededRandom, depth = 0): string {
  const kind = random.below(depth > 3 ? 5 : 9);
  if (kind < 3) return random.oneOf(["a", "b", "c", "\\.", "é", "🙂"]);
  if (kind < 4) return random.oneOf([".", "[ab]", "[^a]", "[a-c\\d]", "\\d", "\\w", "\\W", "\\s", "\\S"]);
  if (kind < 5) return random.oneOf(["^", "$", "\\b", ""]);
  if (kind < 6) return `(${patternOf(random, depth + 1)}|${patternOf(random, depth + 1)})`;
  if (kind < 8) return patternOf(random, depth + 1) + patternOf(random, depth + 1);
  const times = random.oneOf(["*", "+", "?", "{2}", "{1,}", "{0,2}", "*?", "+?"]);
  return `(?:${patternOf(random, depth + 1)})${times}`;
}

test(`patterns find what JavaScript finds (seed ${seed})`, () => {
  let matchCount = 0;
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const pattern = patternOf(random);
    const text = Array.from({ length: random.below(8) }, () =>
      random.oneOf(["a", "b", "c", ".", "é", "🙂", "1", " ", "_", "\n"]),
    ).join("");
    // JavaScript recognizes additional line ends, and would not find \B within the four bytes of one character; the
    // texts avoid both.
    const expected = new RegExp(pattern, "u").test(text);
    const label = `DBSYNC_SEED=${seed}, run ${run}: ${pattern} in ${JSON.stringify(text)}`;
    assert.equal(compilePattern(pattern).isIn(text), expected, label);
    if (expected) matchCount++;
  }
  assert.ok(matchCount > RUNS / 10 && matchCount < RUNS, `${matchCount} of ${RUNS} matched`);
});

test("a pattern that makes backtracking matchers try all paths is decided immediately", () => {
  const text = "a".repeat(100_000);
  for (const pattern of ["^(a+)+$b", "(a|a)*b", "(a*)*c", "(.*)(.*)(.*)(.*)x$"])
    assert.equal(compilePattern(pattern).isIn(text), false);
});

test(`what a program remembers does not change its results, and long texts have a limit (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 9);
  const pattern = "a[^c]{0,20}bb[^c]{0,20}c";
  const textOfLength = (length: number) =>
    Array.from({ length }, () => random.oneOf(["a", "b", "d", "é"])).join("");

  const used = compilePattern(pattern);
  for (let run = 0; run < 10; run++) {
    const text = textOfLength(random.oneOf([10, 1000, 9000])) + random.oneOf(["", "c", "\n"]);
    assert.equal(used.isIn(text), new RegExp(pattern).test(text));
  }
  // The program remembers about one fact for each character of these texts, 20,000 in all, and reads 100,000 without.
  const long = textOfLength(115_000);
  const other = compilePattern(pattern);
  assert.equal(other.isIn(textOfLength(9000)), false);
  for (const program of [other, used]) assert.equal(program.isIn(long), false);
  assert.equal(used.isIn(`${long}abbc`), true);
  const tooLong = textOfLength(400_000);
  for (const program of [used, compilePattern(pattern)])
    assert.throws(() => program.isIn(tooLong), PatternExceeded);
  assert.equal(used.isIn("ab".repeat(1_000_000)), false);
  const codes = Array.from({ length: 60_000 }, (_, i) => String.fromCodePoint(0x10000 + i)).join("");
  assert.equal(compilePattern("[a-c]$").isIn(`${codes}b`), true);
});

test("a program computes each combination of steps and kind of character once", () => {
  let tested = 0;
  const program = new PatternProgram([
    {
      kind: "char",
      is: (code) => {
        tested++;
        return code === 0x63;
      },
    },
    { kind: "found" },
  ]);
  assert.equal(program.isIn("ab".repeat(100_000)), false);
  assert.ok(tested < 20, `${tested} characters were tested`);
});
