/**
 * Tests that objects in an array that have the shape of the first object are parsed only when their members are read,
 * and that late parsing makes no visible difference.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  JSON_VALUES_MAX,
  MalformedJson,
  parseForeignJson,
  parseJson,
} from "../../../protocol/json/json-reader.js";
import { JsonNumber, JsonObject, type JsonValue } from "../../../protocol/json/json-value.js";
import { writeJson } from "../../../protocol/json/json-writer.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";

const LISTS = 2000;
const seed = seedOfRun();

/** Names of members of objects that mostly look alike. */
const NAMES = [['"a"'], ['"a"', '"b"'], ['"a"', '"b"', '"c\\n"'], ['"é"', '"a"']] as const;
const VALUES = [
  "1",
  "-0",
  "1.50",
  "1e400",
  '"x"',
  '"x\\u0041"',
  '"é😀"',
  "true",
  "null",
  "{}",
  '[{"a":1},{"a":2}]',
];
const BAD = ['"', "01", "{", '{"a":1,}', "\t", '"\ud800"', "1 2", "1e400"];

function listText(random: SeededRandom): string {
  const names = random.oneOf(NAMES);
  const blank = () => (random.chance(0.02) ? " " : "");
  const items = Array.from({ length: random.below(14) }, () => {
    if (random.chance(0.05)) return random.oneOf(VALUES);
    const members = (random.chance(0.05) ? random.shuffled(names) : names).map(
      (name) => `${name}:${blank()}${random.oneOf(random.chance(0.01) ? BAD : VALUES.slice(0, 8))}`,
    );
    if (random.chance(0.03)) members.push(members[0] as string);
    return `{${members.join(",")}}${blank()}`;
  });
  return `[${items.join(",")}]`;
}

/** Returns a text of a value's contents, which makes the value parse its members. */
function shown(value: JsonValue): string {
  if (value instanceof JsonObject)
    return `{${value.names.map((name, at) => `${JSON.stringify(name)}:${shown(value.values[at] as JsonValue)}`).join(",")}}`;
  if (Array.isArray(value)) return `[${value.map(shown).join(",")}]`;
  return value instanceof JsonNumber ? value.text : JSON.stringify(value);
}

/** Returns the parsed text, or the fault of malformed JSON. */
function outcome(parse: () => string): string {
  try {
    return parse();
  } catch (problem) {
    if (!(problem instanceof MalformedJson)) throw problem;
    return problem.fault;
  }
}

test(`lists of objects have the values and the text of their members (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  let unread = 0;
  for (let i = 0; i < LISTS; i++) {
    const text = listText(random);
    const apart = outcome(() => shown(parseJson(text)));
    assert.equal(
      outcome(() => writeJson(parseJson(text))),
      apart,
      text,
    );
    // If the list begins with a literal, there is no first shape, so all objects are parsed immediately.
    const none = outcome(() => writeJson(parseJson(text.replace("[", "[0,").replace("[0,]", "[0]"))));
    assert.equal(none.replace(/^\[0,?/, "["), apart, text);
    if (apart.startsWith("["))
      unread += (parseJson(text) as JsonValue[]).filter(
        (item) => item instanceof JsonObject && item.text !== null,
      ).length;
  }
  assert.ok(unread > LISTS / 4, `${unread} objects were not parsed`);
});

test("an object that is parsed late can be read and changed like any other", () => {
  const [, late, other] = parseJson('[{"a":1,"b":"x"},{"a":2,"b":"y"},{"a":3,"b":"z"}]') as [
    JsonObject,
    JsonObject,
    JsonObject,
  ];
  assert.equal(late.text, '{"a":2,"b":"y"}');
  assert.equal(late.get("b"), "y");
  assert.equal(late.text, null);
  other.set("b", "changed");
  other.set("c", null);
  assert.equal(writeJson(other), '{"a":3,"b":"changed","c":null}');
  assert.equal(writeJson(late), '{"a":2,"b":"y"}');
});

test("values are counted, whether they are parsed or not", () => {
  const listOf = (objects: number) => `[${'{"a":1},'.repeat(objects - 1)}{"a":1}]`;
  const most = Math.floor((JSON_VALUES_MAX - 1) / 2);
  assert.equal((parseForeignJson(listOf(most)) as JsonValue[]).length, most);
  assert.throws(
    () => parseForeignJson(listOf(most + 1)),
    (problem) => problem instanceof MalformedJson && problem.fault === "values",
  );
});
