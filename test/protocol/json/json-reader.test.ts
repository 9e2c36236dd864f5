/** Compares the JSON reader and writer with those of a real PHP. DBSYNC_SEED replays a run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesOfText } from "../../../protocol/byte-string.js";
import {
  JSON_DEPTH_MAX,
  type JsonFault,
  MalformedJson,
  NOT_UTF8,
  parseJson,
} from "../../../protocol/json/json-reader.js";
import { JsonObject, type JsonValue, memberNames } from "../../../protocol/json/json-value.js";
import {
  phpFormOf,
  phpForms,
  phpList,
  writeJson,
  writePhpJson,
  writePhpString,
} from "../../../protocol/json/json-writer.js";
import { amount } from "../../support/amount.js";
import { askPhp } from "../../support/php.js";
import { skipWithout } from "../../support/requirements.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";

const TEXTS = amount(8_000, 20_000);
const PIECES_MAX = 8;
const seed = seedOfRun();
const skip = skipWithout("php");

/** Parts of well-formed texts, and parts that make them malformed. */
const LEAVES: readonly string[] = [
  ...[
    "1",
    "-0",
    "-0.0",
    "1.50",
    "1e17",
    "1e16",
    '"x/y"',
    "true",
    "false",
    "null",
    "9007199254740993",
    "1e-7",
    "0.0001",
  ],
  ...[
    '"é😀\\u2028"',
    "{}",
    "[]",
    "123456789.125",
    "1e22",
    "-1e15",
    "1234567890123456789",
    "9223372036854775808",
  ],
  ...[
    "5e-324",
    "1.7976931348623157e308",
    '"\\b\\f\\n\\r\\t\\"\\\\\\u0000\\u001f"',
    '"\u007f"',
    "1E+2",
    "0.1",
    "100.0",
  ],
];
const NAMES: readonly string[] = [
  "a",
  "b",
  "0",
  "1",
  "__proto__",
  "5",
  "-3",
  "-0",
  "é",
  "",
  "007",
  "9223372036854775807",
];
const PIECES: readonly string[] = [
  ...[
    "{",
    "}",
    "[",
    "]",
    ",",
    ":",
    '"a"',
    '"b":',
    '"0":1',
    "1",
    "-",
    ".5",
    "01",
    "1.",
    "1e",
    "TRUE",
    "nul",
    "x",
    "é",
  ],
  ...[
    '"\\ud800"',
    '"\\ud83d\\ude00"',
    '"\\udc00"',
    '"\x01"',
    "\x02",
    '"',
    "\\",
    '"\\x"',
    "\\u12",
    " ",
    "\t",
    "\ufeff",
  ],
  ...[NOT_UTF8, `"${NOT_UTF8}"`, "1e400", "'a'", "\x7f"],
];

function wellFormed(random: SeededRandom, depth = 0): string {
  const kind = random.below(depth > 3 ? 6 : 9);
  if (kind < 6) return random.oneOf(LEAVES);
  const items = Array.from({ length: random.below(4) }, () => wellFormed(random, depth + 1));
  if (kind < 8) return `[${items.join(",")}]`;
  return `{${items.map((item) => `${JSON.stringify(random.oneOf(NAMES))}: ${item}`).join(", ")}}`;
}

function spoilt(random: SeededRandom): string {
  const pieces = Array.from({ length: random.between(1, PIECES_MAX) }, () =>
    random.chance(0.2) ? wellFormed(random, 3) : random.oneOf(PIECES),
  );
  return pieces.join("");
}

const FAULTS: Readonly<Record<string, JsonFault>> = {
  1: "depth",
  2: "mismatch",
  3: "control",
  4: "syntax",
  5: "utf8",
  7: "infinite",
  10: "utf16",
};

/**
 * Returns the text as our reader and writer convert it, or the name of its fault.
 * @param text  the part after the first NOT_UTF8 is only for PHP, and is ignored here
 */
function ours(text: string): string {
  const end = text.indexOf(NOT_UTF8);
  try {
    return writePhpJson(parseJson(end < 0 ? text : text.slice(0, end + 1)));
  } catch (problem) {
    assert.ok(problem instanceof MalformedJson);
    return problem.fault;
  }
}

test(`texts that PHP accepts are parsed, and written as PHP writes them (seed ${seed})`, { skip }, () => {
  const random = new SeededRandom(seed, 0);
  const texts = Array.from({ length: TEXTS }, () =>
    random.chance(0.4) ? wellFormed(random) : spoilt(random),
  );
  const hex = texts.map((text) => bytesOfMarked(text).toString("hex"));
  const answers = askPhp(
    "(function ($text) { $value = json_decode($text, true); $fault = json_last_error(); " +
      "if ($fault) return $fault; $json = json_encode($value); return $json === false ? json_last_error() : $json; })(hex2bin($line))",
    hex,
  );

  const seen = new Set<string>();
  for (const [at, text] of texts.entries()) {
    const theirs = FAULTS[answers[at] as string] ?? answers[at];
    // PHP's error numbers are JSON texts as well.
    const mine = ours(text);
    assert.ok(
      mine === theirs || mine === answers[at],
      `${JSON.stringify(text)}: ${mine}, but PHP prints ${answers[at]}`,
    );
    seen.add(mine);
  }

  for (const fault of ["syntax", "mismatch", "control", "utf8", "utf16", "infinite"])
    assert.ok(seen.has(fault), fault);
});

/** Numbers at the limits of doubles and of 64 bits. */
const EDGES = ["9007199254740993", "9223372036854775807", "9223372036854775808", "18446744073709551616"];
const NUMBERS = amount(4_000, 60_000);

function randomNumber(random: SeededRandom): string {
  const digits = (most: number) =>
    Array.from({ length: random.between(1, most) }, () => random.below(10)).join("");
  const whole = random.chance(0.3) ? random.oneOf([...EDGES, "0", "1"]) : digits(25).replace(/^0+(?=\d)/, "");
  const fraction = random.chance(0.4) ? `.${random.chance(0.3) ? "0" : digits(30)}` : "";
  const exponent = random.chance(0.3)
    ? `${random.oneOf(["e", "E"])}${random.oneOf(["", "+", "-"])}${random.below(random.oneOf([5, 25, 420]))}`
    : "";
  return (random.chance(0.3) ? "-" : "") + whole + fraction + exponent;
}

test(`numbers are written as PHP writes them after parsing, and stored as they were sent (seed ${seed})`, {
  skip,
}, () => {
  const random = new SeededRandom(seed, 3);
  const few = ["18446744073709551616", "-0", "-0.0", "9007199254740993.0", "1e400", "-1e-400", "1E5"];
  const numbers = [...few, ...Array.from({ length: NUMBERS }, () => randomNumber(random))];
  const answers = askPhp("json_encode(json_decode($line, true))", numbers);
  let infinite = 0;
  for (const [at, number] of numbers.entries()) {
    const written = ours(number);
    // PHP prints nothing for infinite numbers.
    assert.equal(written === "infinite" ? "" : written, answers[at], number);
    if (written === "infinite") infinite++;
    else assert.equal(writeJson(parseJson(number)), number);
  }
  assert.ok(infinite > 1 && infinite < numbers.length / 2);
});

/** Returns the text's bytes, with an invalid UTF-8 byte in place of each mark. */
function bytesOfMarked(text: string): Buffer {
  const parts = text.split(NOT_UTF8).map((part) => Buffer.from(part, "utf8"));
  return Buffer.concat(parts.flatMap((part, at) => (at === 0 ? [part] : [Buffer.of(0xff), part])));
}

test(`a stored text is written in PHP's form, with the same result whether it is parsed or not (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 1);
  for (let left = 2000; left > 0; left--) {
    const value = parseJson(wellFormed(random));
    const kept = bytesOfText(writeJson(value));
    assert.equal(phpFormOf(kept), writePhpJson(value), kept);
  }
});

/** Values that PHP writes in the same way, apart from escapes. */
const SAME_IN_PHP = [
  ...["1", "-1", "0", "true", '"y"', "[]", '[1,"x"]', '{"a":{"b":[1]}}', "-0.25", "0.0001", "123456789.1234"],
  ...['"1.0/e5"', '"é\\n\\"{}"', "999999999999999"],
];
const ALMOST_SAME = [
  "-0",
  "1.0",
  "1.50",
  "0.00001",
  "1e3",
  "{}",
  '{"0":1}',
  "1234567890.12345678",
  "[[[[1.0]]]]",
];

test(`texts that are joined equal the text of the complete list or object (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 2);
  for (let left = 2000; left > 0; left--) {
    // PHP writes most of these values in the same way, so the writer does not examine them one by one.
    const plain = () => `{"n":"x","k":${random.oneOf(random.chance(0.8) ? SAME_IN_PHP : ALMOST_SAME)}}`;
    const values = Array.from({ length: random.between(1, 5) }, () =>
      parseJson(random.chance(0.7) ? plain() : wellFormed(random)),
    );
    const texts = values.map((value) => bytesOfText(writeJson(value)));
    assert.equal(`[${phpForms(texts).join(",")}]`, writePhpJson(values));
    assert.equal(`[${phpList(texts)}]`, writePhpJson(values));
    const names = values.map((_, at) => String(at + 7));
    const object = new JsonObject();
    for (const [at, name] of names.entries()) object.set(name, values[at] as JsonValue);
    const written = phpForms(texts).map((text, at) => `${writePhpString(names[at] as string)}:${text}`);
    assert.equal(`{${written.join(",")}}`, writePhpJson(object));
  }
});

test("a character that needs escaping is found even in a long string", () => {
  for (const length of [63, 64, 65, 200]) {
    const start = "x".repeat(length);
    for (const [written, read] of [
      ["\\n", "\n"],
      ["é", "é"],
      ["😀", "😀"],
      ["\\ud83d\\ude00", "😀"],
    ] as const)
      assert.equal(parseJson(`"${start}${written}${start}"`), start + read + start);
    for (const [fault, spoilt] of [
      ["control", "\n"],
      ["control", "\u0000"],
      ["utf8", NOT_UTF8],
    ] as const)
      assert.throws(() => parseJson(`"${start}${spoilt}${start}"`), { fault });
    assert.throws(() => parseJson(`"${start}`), { fault: "control" });
  }
});

test("numbers, the order of members and names of any kind remain as they were written", () => {
  for (const text of [
    '{"b":1,"10":2,"9":3,"__proto__":{"x":1},"constructor":1.50,"a":-0}',
    "[1.0,1e5,123456789012345678901234567890,0.10]",
  ])
    assert.equal(writeJson(parseJson(text)), text);
  const value = parseJson('{"a":1,"b":2,"a":3}');
  assert.equal(writeJson(value), '{"a":3,"b":2}');
});

test("an object with many members finds each member, and stores the last of duplicate members", () => {
  const names = Array.from({ length: 40 }, (_, at) => `n${at}`);
  const text = [...names, ...names].map((name, at) => `"${name}":${at}`).join(",");
  const value = parseJson(`{${text}}`);
  assert.ok(value instanceof JsonObject);
  assert.deepEqual(memberNames(value), names);
  assert.equal(writeJson(value.get("n7") ?? null), "47");
  assert.equal(value.get("toString"), undefined);
});

test("nested brackets are accepted up to the limit, and refused beyond it before the stack overflows", () => {
  const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
  assert.equal(writeJson(parseJson(nested(JSON_DEPTH_MAX))), nested(JSON_DEPTH_MAX));
  for (const depth of [JSON_DEPTH_MAX + 1, 1_000_000])
    assert.throws(() => parseJson(nested(depth)), { name: "MalformedJson", fault: "depth" });
});
