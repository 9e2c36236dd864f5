/**
 * Tests BSON and Extended JSON against the package bson, the exact comparison and arithmetic of numbers, and bytes
 * that no driver sends.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BSON } from "mongodb";
import { textOfBytes } from "../../../../../protocol/byte-string.js";
import { finish } from "../../../../../protocol/steps.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import {
  type Bson,
  BsonFault,
  Int32,
  rankOf,
  typeNamed,
  typeNumbered,
  typeOf,
} from "../../../store/values/bson.js";
import {
  type BsonNumber,
  compareNumbers,
  integerOf,
  numberKey,
  productOf,
  sumOf,
} from "../../../store/values/bson-numbers.js";
import { compareBson, keyOf } from "../../../store/values/bson-order.js";
import { readBson, readKnownBson } from "../../../store/values/bson-reader.js";
import { bsonInSteps, writeBson } from "../../../store/values/bson-writer.js";
import { Decimal, decimalText } from "../../../store/values/decimal.js";
import { readExtendedJson, writeExtendedJson } from "../../../store/values/extended-json.js";
import { decimal, randomBson, randomDocument } from "./random-bson.js";

const seed = seedOfRun();
const KEPT = { promoteValues: false, promoteBuffers: false, bsonRegExp: true } as const;

test(`documents have the same bytes and the same text as in the package bson (seed ${seed})`, () => {
  for (let i = 0; i < amount(300, 3000); i++) {
    const document = randomDocument(new SeededRandom(seed, 1, i));
    const bytes = writeBson(document);
    const theirs = BSON.deserialize(Buffer.from(bytes, "latin1"), KEPT);
    assert.equal(Buffer.from(BSON.serialize(theirs)).toString("latin1"), bytes, `document ${i}`);
    const text = textOfBytes(writeExtendedJson(document));
    assert.deepEqual(
      JSON.parse(text),
      JSON.parse(BSON.EJSON.stringify(theirs, { relaxed: false })),
      `document ${i}`,
    );
    assert.equal(writeBson(readBson(bytes)), bytes);
    assert.equal(writeBson(readExtendedJson(writeExtendedJson(document))), bytes, text);
    for (const [name, value] of document)
      assert.equal(keyOf(readKnownBson(bytes, new Set([name])).get(name)), keyOf(value));
  }
});

test(`values are totally ordered, and equal values have equal keys (seed ${seed})`, () => {
  for (let i = 0; i < amount(1000, 8_000); i++) {
    const random = new SeededRandom(seed, 2, i);
    const [a, b, c] = [randomBson(random), randomBson(random), randomBson(random)] as const;
    const where = [a, b, c].map((one) => textOfBytes(writeExtendedJson(one))).join(" ");
    const order = Math.sign(compareBson(a, b)) + 0;
    assert.equal(order, -Math.sign(compareBson(b, a)) + 0, where);
    assert.equal(keyOf(a) === keyOf(b), order === 0, where);
    if (order <= 0 && compareBson(b, c) <= 0) assert.ok(compareBson(a, c) <= 0, where);
  }
});

const textOf = (value: Bson): string => textOfBytes(writeExtendedJson(value));

test("numbers of all kinds are compared by value, to the last digit", () => {
  const rising: readonly BsonNumber[][] = [
    [Number.NaN, decimal("NaN")],
    [-1 / 0, decimal("-Infinity")],
    [-(2n ** 63n), -(2 ** 63), decimal("-9223372036854775808")],
    [0, -0, new Int32(0), 0n, decimal("0"), decimal("-0"), decimal("0E+10")],
    [decimal("1E-6176")],
    [5e-324],
    [decimal("5e-324")],
    [decimal("0.1")],
    [0.1],
    [1, new Int32(1), 1n, decimal("1.00")],
    [2 ** 53, 2n ** 53n, decimal("9007199254740992")],
    [2n ** 53n + 1n, decimal("9007199254740993")],
    [2n ** 63n - 1n],
    [2 ** 63],
    [decimal("9.999999999999999999999999999999999E+6144")],
    [1 / 0, decimal("Infinity")],
  ];

  for (const [i, some] of rising.entries())
    for (const [j, others] of rising.entries())
      for (const a of some)
        for (const b of others) {
          assert.equal(Math.sign(compareNumbers(a, b)) + 0, Math.sign(i - j), `${textOf(a)} ${textOf(b)}`);
          assert.equal(numberKey(a) === numberKey(b), i === j, `${textOf(a)} ${textOf(b)}`);
          assert.equal(rankOf(a), rankOf(b));
        }

  assert.equal(integerOf(decimal("12.00")), 12n);
  assert.equal(integerOf(12.5), undefined);
  assert.equal(integerOf(decimal("1E+6000")), undefined);
});

test("sums and products have the wider kind, and an int32 that overflows becomes an int64", () => {
  const table: readonly (readonly [BsonNumber, BsonNumber, string, string])[] = [
    [new Int32(2), new Int32(3), '{"$numberInt":"5"}', '{"$numberInt":"6"}'],
    [new Int32(2147483647), new Int32(2), '{"$numberLong":"2147483649"}', '{"$numberLong":"4294967294"}'],
    [new Int32(2), 3n, '{"$numberLong":"5"}', '{"$numberLong":"6"}'],
    [new Int32(2), 0.5, '{"$numberDouble":"2.5"}', '{"$numberDouble":"1.0"}'],
    [decimal("1.10"), new Int32(2), '{"$numberDecimal":"3.10"}', '{"$numberDecimal":"2.20"}'],
    [
      decimal("1E+6144"),
      decimal("9E+6144"),
      '{"$numberDecimal":"Infinity"}',
      '{"$numberDecimal":"Infinity"}',
    ],
    [decimal("Infinity"), decimal("-Infinity"), '{"$numberDecimal":"NaN"}', '{"$numberDecimal":"-Infinity"}'],
    [
      decimal("1E+100"),
      decimal("-1E-100"),
      `{"$numberDecimal":"1.${"0".repeat(33)}E+100"}`,
      '{"$numberDecimal":"-1"}',
    ],
    [
      decimal("1"),
      decimal("9999999999999999999999999999999999"),
      '{"$numberDecimal":"1.000000000000000000000000000000000E+34"}',
      '{"$numberDecimal":"9999999999999999999999999999999999"}',
    ],
  ];

  for (const [a, b, sum, product] of table) {
    assert.equal(textOf(sumOf(a, b)), sum, `${textOf(a)} + ${textOf(b)}`);
    assert.equal(textOf(productOf(a, b)), product, `${textOf(a)} * ${textOf(b)}`);
  }

  assert.throws(() => sumOf(2n ** 63n - 1n, 1n), BsonFault);
  assert.throws(() => productOf(2n ** 62n, new Int32(2)), BsonFault);
});

test(`decimals are read and written as in the package bson (seed ${seed})`, () => {
  for (let i = 0; i < amount(500, 5000); i++) {
    const random = new SeededRandom(seed, 3, i);
    const digits = Array.from({ length: random.between(1, 34) }, () => String(random.below(10))).join("");
    const text = `${random.oneOf(["", "-"])}${digits}E${random.between(-6176, 6111)}`;
    const theirs = BSON.Decimal128.fromString(text);
    const ours = decimal(text);
    assert.equal(ours.bytes, Buffer.from(theirs.bytes).toString("latin1"), text);
    assert.equal(decimalText(ours), theirs.toString(), text);
    assert.equal(decimalText(new Decimal(ours.bytes)), decimalText(ours));
  }
});

test(`bytes that are not BSON cause a BsonFault and nothing else (seed ${seed})`, () => {
  let good = 0;
  for (let i = 0; i < amount(1000, 10_000); i++) {
    const random = new SeededRandom(seed, 4, i);
    const bytes = [...writeBson(randomDocument(random))];
    for (let remaining = random.between(1, 3); remaining > 0; remaining--)
      bytes[random.below(bytes.length)] = String.fromCharCode(random.below(256));
    const damaged = bytes.join("");
    try {
      assert.ok(readBson(damaged) instanceof Map);
      BSON.deserialize(Buffer.from(damaged, "latin1"), KEPT);
      good++;
    } catch (fault) {
      assert.ok(fault instanceof BsonFault, `seed ${seed}, ${i}: ${String(fault)}`);
    }
  }
  assert.ok(good > 10, `${good} were valid`);
});

test("documents that are too deep, too long, or contain a deprecated type are rejected by name", () => {
  let deep: Bson = [];
  for (let i = 0; i < 100; i++) deep = [deep];
  assert.throws(() => writeBson(new Map([["a", deep]])), /deep/);
  assert.throws(() => readExtendedJson(`{"a":${"[".repeat(101)}${"]".repeat(101)}}`), /deep/);
  assert.throws(() => writeBson(new Map([["a", "x".repeat(16 * 1024 * 1024)]])), /more than/);
  for (const [type, words] of [
    [0x06, /undefined/],
    [0x0d, /JavaScript/],
    [0x0e, /symbol/],
  ] as const)
    assert.throws(() => readBson(`\x08\0\0\0${String.fromCharCode(type)}a\0\0`), words);
  assert.throws(() => readBson("\x0e\0\0\0\x02a\0\x02\0\0\0\xff\0\0"), /UTF-8/);
  const twice = "\x0a\0\0\0\x0aa\0\x0aa\0";
  assert.throws(() => readBson(`\x0b${twice.slice(1)}\0`), /twice/);
});

test("no document with a zero byte in a name is written", () => {
  const inner: Bson = new Map<string, Bson>([["b\0c", 1]]);
  const fields = Array.from({ length: 3000 }, (_, i): [string, Bson] => [`f${i}`, i]);
  const many: Bson = new Map<string, Bson>([...fields, ["z", inner]]);
  for (const value of [inner, [inner], many]) {
    const document = new Map<string, Bson>([["a", value]]);
    assert.throws(() => writeBson(document), /zero byte/);
    assert.throws(() => finish(bsonInSteps(document)), /zero byte/);
  }
  assert.throws(() => finish(bsonInSteps(new Map([["a\0b", many]]))), /zero byte/);
});

test("Extended JSON has exactly the form of its type, and is refused otherwise", () => {
  const typeOfText = (json: string): string =>
    typeOf(readExtendedJson(`{"v":${json}}`).get("v") as Bson).name;
  const assertRefused = (json: string, words = /^malformed Extended JSON: expected \{"\$/) => {
    assert.throws(() => typeOfText(json), { constructor: BsonFault, message: words }, json.slice(0, 100));
  };

  const doubles = ["1", "+1", "-0.0", ".5", "5.", "1e999", "1E-7", "Infinity", "-Infinity", "NaN"];
  for (const text of doubles) assert.equal(typeOfText(`{"$numberDouble":"${text}"}`), "double", text);
  for (const text of ["", " ", " 1", "1 ", "0x10", "1_0", "e5", ".", "+Infinity", "nan"])
    assertRefused(`{"$numberDouble":"${text}"}`);
  // This does not end in useful time if the number of steps is the square of the number of digits.
  assertRefused(`{"$numberDouble":"${"1".repeat(1_000_000)}x"}`);

  const binary = (base64: string, subType: string) =>
    `{"$binary":{"base64":"${base64}","subType":"${subType}"}}`;
  for (const [base64, subType] of [
    ["", "00"],
    ["AP+A", "4"],
    ["AA==", "ff"],
  ] as const)
    assert.equal(typeOfText(binary(base64, subType)), "binData", base64);
  for (const [base64, subType] of [
    ["A P", "00"],
    ["AA==", "zz"],
    ["AA==", "100"],
    ["A-_A", "00"],
  ] as const)
    assertRefused(binary(base64, subType));

  assert.equal(typeOfText('{"$date":"2024-02-29T23:59:59.1Z"}'), "date");
  assert.deepEqual(
    readExtendedJson('{"v":{"$uuid":"00112233-4455-6677-8899-AABBCCDDEEFF"}}').get("v"),
    readExtendedJson('{"v":{"$binary":{"base64":"ABEiM0RVZneImaq7zN3u/w==","subType":"04"}}}').get("v"),
  );

  for (const json of MALFORMED) assertRefused(json);
  for (const name of ["$undefined", "$symbol", "$code", "$dbPointer"])
    assertRefused(`{"${name}":"x"}`, /deprecated type .* not supported/);
});

/** Objects that name a type. Those of bson-corpus (top.json, "parseErrors") are among them. */
const MALFORMED: readonly string[] = [
  ...["2023-02-28", "2023-02-30T00:00:00Z", "2023-01-01T24:00:00Z", "2023-1-1T00:00:00Z", ""].map(
    (date) => `{"$date":"${date}"}`,
  ),
  '{"$date":42}',
  '{"$date":{"$numberLong":42}}',
  '{"$date":{"$numberLong":"42","x":1}}',
  '{"$date":"2024-02-29T23:59:59Z","x":1}',
  '{"x":1,"$date":"2024-02-29T23:59:59Z"}',
  '{"$oid":"xyz"}',
  '{"$oid":42}',
  '{"$oid":"56e1fc72e0c917e9c471416"}',
  '{"$oid":"56e1fc72e0c917e9c4714161","unrelated":true}',
  '{"$numberInt":42}',
  '{"$numberInt":"2147483648"}',
  '{"$numberLong":42}',
  '{"$numberLong":"9223372036854775808"}',
  '{"$numberDouble":42}',
  '{"$numberDecimal":42}',
  '{"$numberDecimal":"x"}',
  '{"$binary":0,"$type":"00"}',
  '{"$binary":"","$type":0}',
  '{"$binary":{"base64":"AA==","subType":"00","x":1}}',
  '{"$timestamp":42}',
  '{"$timestamp":{"t":"123456789","i":42}}',
  '{"$timestamp":{"t":123456789,"i":"42"}}',
  '{"$timestamp":{"t":1.5,"i":1}}',
  '{"$timestamp":{"t":1,"i":-1}}',
  '{"$timestamp":{"t":1,"i":1,"x":1}}',
  '{"$regularExpression":{"pattern":"a"}}',
  '{"$regularExpression":{"pattern":"a","options":"","x":1}}',
  '{"$uuid":"x"}',
  '{"$minKey":true}',
  '{"$minKey":0}',
  '{"$minKey":1,"b":2}',
  '{"$maxKey":true}',
  '{"$maxKey":0}',
];

test("each type has the number and the name of MongoDB, and the order of its values", () => {
  const kinds: readonly (readonly [name: string, number: number])[] = [
    ["minKey", -1],
    ["double", 1],
    ["string", 2],
    ["object", 3],
    ["array", 4],
    ["binData", 5],
    ["objectId", 7],
    ["bool", 8],
    ["date", 9],
    ["null", 10],
    ["regex", 11],
    ["int", 16],
    ["timestamp", 17],
    ["long", 18],
    ["decimal", 19],
    ["maxKey", 127],
  ];

  for (const [name, number] of kinds) {
    assert.equal(typeNamed(name)?.number, number, name);
    assert.equal(typeNumbered(number)?.name, name, name);
  }

  const ascending = [
    "minKey",
    "null",
    "int",
    "string",
    "object",
    "array",
    "binData",
    "objectId",
    "bool",
    "date",
  ];
  const ranks = [...ascending, "timestamp", "regex", "maxKey"].map(
    (name) => typeNamed(name)?.rank ?? Number.NaN,
  );
  for (const [i, rank] of ranks.slice(1).entries()) assert.ok(rank > (ranks[i] as number), `type ${i + 1}`);
});

test("a document may have exactly as many bytes as the limit", () => {
  const bytes = writeBson(new Map([["a", "text"]]));
  assert.equal(writeBson(readBson(bytes, bytes.length)), bytes);
  assert.throws(() => readBson(bytes, bytes.length - 1), BsonFault);
});
