import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import { writeBulk, writeCommand } from "../../../protocol/resp/resp-writer.js";
import {
  bodyOf as bodyOfSigned,
  conditionsOf,
  envelopeOf,
  type HeaderFields,
  NO_CHOICES,
  readBody,
  signedBytes,
  signedPieces,
  signerOf,
  unitsIn,
} from "../../../protocol/version-2/envelope.js";
import { writeBody, writeSigned } from "../../../protocol/version-2/envelope-body.js";
import { entryKeyOf, unitId, unitOrderKey } from "../../../protocol/version-2/unit-names.js";
import { amount } from "../../support/amount.js";
import { seed } from "../../support/seed.js";

const latin1 = (text: string) => Buffer.from(text, "latin1");
const bytes = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((value) => bytesOf(Buffer.from(value)));
const anyBytes = fc.uint8Array({ maxLength: 20 }).map((value) => bytesOf(Buffer.from(value)));

const header = fc.record(
  {
    key: bytes(32),
    cluster: bytes(32),
    at: fc.maxSafeNat(),
    seq: fc.nat(65535),
    nonce: bytes(16),
    db: fc.nat(15),
    multi: fc.boolean(),
    after: bytes(46),
    only: bytes(32),
    as: anyBytes.filter((user) => user !== ""),
    choices: fc.constantFrom(new Map([[0, []]]), new Map([[0, ["a", ""]]])),
    expiries: fc.maxSafeNat().map((at) => new Map([[0, at]])),
    decide: fc.boolean(),
  },
  { requiredKeys: ["key", "cluster", "at", "seq", "nonce"], noNullPrototype: true },
) as fc.Arbitrary<HeaderFields>;

test("any envelope is parsed back from its body", () => {
  const conditions = fc.array(
    fc.record(
      { db: fc.nat(15), key: anyBytes, writer: fc.oneof(fc.constant(""), bytes(36)) },
      { noNullPrototype: true },
    ),
    { minLength: 1, maxLength: 3 },
  );
  const argument = fc.oneof(anyBytes, bytes(48), bytes(49), bytes(1024));
  const commands = fc.array(fc.array(argument, { minLength: 1, maxLength: 18 }), {
    minLength: 1,
    maxLength: 5,
  });

  fc.assert(
    fc.property(header, fc.option(conditions), commands, (fields, condition, argvs) => {
      const isSingle = argvs.length === 1 || fields.multi === true;
      const canDivide = argvs.length > 2 && fields.multi !== true;
      const decide = fields.decide === true;
      const units = canDivide && !decide ? [2, argvs.length - 2] : null;
      const ifs =
        decide && !isSingle && condition !== null
          ? new Map([
              [0, condition],
              [argvs.length - 1, condition.slice(0, 1)],
            ])
          : null;
      const sent = { ...fields, if: isSingle ? condition : null, ifs, units, decide };
      const body = latin1(writeBody(sent, argvs.map(writeCommand)));
      const defaults = { db: 0, multi: false, units: null, after: null, only: null, as: null, ...NO_CHOICES };
      assert.deepEqual(readBody(body), { ...defaults, ...sent, commands: argvs, decided: null });
      assert.deepEqual(envelopeOf(sent, argvs), readBody(body));
      assert.equal(signerOf(body), fields.key);
      assert.deepEqual(writeSigned(sent, argvs), signedBytes(body));
    }),
    { seed: seed(), numRuns: amount(300, 1000) },
  );
});

const good: HeaderFields = {
  key: "k".repeat(32),
  cluster: "c".repeat(32),
  at: 1790000000000,
  seq: 0,
  nonce: "n".repeat(16),
};
const PING = writeCommand(["PING"]);

/** The conditions of units by index, as a header contains them. */
const ifsOf = (...indexes: readonly (number | string)[]): string =>
  `*${2 * indexes.length}\r\n${indexes.map((index) => writeBulk(String(index)) + ABSENT).join("")}`;
const ABSENT = writeCommand(["0", "k", ""]);

/** Returns a body with these parts, valid or not. */
function bodyOf(pairs: readonly string[], { magic = "dbsync2", commands = [PING], tail = "" } = {}): Buffer {
  const head = `*${2 + commands.length}\r\n${writeBulk(magic)}*${pairs.length}\r\n`;
  return latin1(`${head}${pairs.join("")}${commands.join("")}${tail}`);
}

const required = Object.entries(good).flatMap(([name, value]) => [writeBulk(name), writeBulk(String(value))]);
const pair = (name: string, value: string) => [writeBulk(name), writeBulk(value)];

test("a body whose header has unknown, duplicate, missing or misplaced names is refused", () => {
  readBody(bodyOf(required));
  readBody(bodyOf([...required, ...pair("multi", "1")], { commands: new Array(100_000).fill(PING) }));
  const bad: [string, Buffer][] = [
    ["no header", bodyOf([])],
    ["odd header", bodyOf([...required, writeBulk("db")])],
    ["unknown name", bodyOf([...required, ...pair("priority", "1")])],
    ["prototype's name", bodyOf([...required, ...pair("__proto__", "1")])],
    ["doubled name", bodyOf([...required, ...pair("at", "1")])],
    ["doubled key", bodyOf([...required, ...pair("key", "k".repeat(32))])],
    ["key not first", bodyOf([...required.slice(2), ...required.slice(0, 2)])],
    ["upper-case name", bodyOf([...required, ...pair("DB", "1")])],
    ["other magic", bodyOf(required, { magic: "dbsync3" })],
    ["no command", bodyOf(required, { commands: [] })],
    ["empty command", bodyOf(required, { commands: ["*0\r\n"] })],
    ["bytes behind", bodyOf(required, { tail: "x" })],
    ["too many separate commands", bodyOf(required, { commands: new Array(4097).fill(PING) })],
    [
      "too many commands",
      bodyOf([...required, ...pair("multi", "1")], { commands: new Array(100_001).fill(PING) }),
    ],
    [
      "if for several units",
      bodyOf([...required, writeBulk("if"), writeCommand(["0", "k", ""])], { commands: [PING, PING] }),
    ],
    ...[
      ["2"],
      ["1", "1"],
      ["2", "0"],
      ["2", "1"],
      ["01", "1"],
      ["-1", "3"],
      [],
      ["2", "2"],
      ["1", "1", "1"],
    ].map((lengths): [string, Buffer] => {
      const units = lengths.length === 0 ? "*0\r\n" : writeCommand(lengths);
      const sum = lengths.length === 3 ? 3 : 2;
      const commands = new Array(sum).fill(PING);
      return [
        `units ${lengths.join("+")} of ${sum}`,
        bodyOf([...required, writeBulk("units"), units], { commands }),
      ];
    }),
    [
      "units with multi",
      bodyOf([...required, ...pair("multi", "1"), writeBulk("units"), writeCommand(["1", "2"])], {
        commands: [PING, PING, PING],
      }),
    ],
    [
      "units of too many commands",
      bodyOf([...required, writeBulk("units"), writeCommand(["1", "4096"])], {
        commands: new Array(4097).fill(PING),
      }),
    ],
    ["empty if", bodyOf([...required, writeBulk("if"), "*0\r\n"])],
    ["if of two", bodyOf([...required, writeBulk("if"), writeCommand(["0", "k"])])],
  ];
  for (let i = 0; i < required.length; i += 2) {
    bad.push([`missing ${required[i]}`, bodyOf(required.toSpliced(i, 2))]);
  }
  for (const [name, value] of [
    ["db", "01"],
    ["db", "-1"],
    ["db", "4294967296"],
    ["multi", "0"],
    ["multi", "true"],
    ["after", "short"],
    ["only", "short"],
    ["as", ""],
    ["as", "x".repeat(257)],
  ] as const) {
    bad.push([`${name} ${value.slice(0, 10)}`, bodyOf([...required, ...pair(name, value)])]);
  }
  for (const [name, value] of [
    ["at", "1e3"],
    ["at", " 1"],
    ["at", "9007199254740992"],
    ["seq", "65536"],
    ["nonce", "short"],
    ["cluster", "c".repeat(33)],
    ["key", "k".repeat(31)],
  ] as const) {
    const index = Object.keys(good).indexOf(name) * 2;
    bad.push([`${name} ${value}`, bodyOf(required.toSpliced(index + 1, 1, writeBulk(value)))]);
  }
  for (const [what, body] of bad) assert.throws(() => readBody(body), MalformedFrame, what);
});

test("each unit on which members decide has its own conditions", () => {
  const decide = [...required, ...pair("decide", "1")];
  const body = (ifs: string, names = decide, count = 3) =>
    bodyOf([...names, writeBulk("ifs"), ifs], { commands: new Array(count).fill(PING) });
  const envelope = readBody(body(ifsOf(0, 2)));
  const absent = [{ db: 0, key: "k", writer: "" }];
  assert.deepEqual(
    [0, 1, 2].map((index) => conditionsOf(envelope, index)),
    [absent, null, absent],
  );
  assert.deepEqual(unitsIn(envelope).length, 3);
  const bad: [string, Buffer][] = [
    ["without decide", body(ifsOf(0), required)],
    ["with multi", body(ifsOf(0), [...decide, ...pair("multi", "1")])],
    ["with one command", body(ifsOf(0), decide, 1)],
    ["of an index out of range", body(ifsOf(3))],
    ["of no index", body(ifsOf("x"))],
    ["of a negative index", body(ifsOf(-1))],
    ["descending", body(ifsOf(2, 0))],
    ["twice", body(ifsOf(1, 1))],
    ["of no unit", body("*0\r\n")],
    ["without conditions", body(`*2\r\n${writeBulk("0")}*0\r\n`)],
    ["of half a condition", body(`*2\r\n${writeBulk("0")}${writeCommand(["0", "k"])}`)],
    ["without a value", body(`*1\r\n${writeBulk("0")}`)],
    ["beside if", body(ifsOf(0), [...decide, writeBulk("if"), ABSENT])],
    ["of several units", bodyOf([...decide, writeBulk("if"), ABSENT], { commands: [PING, PING] })],
  ];
  for (const [what, bytes] of bad) assert.throws(() => readBody(bytes), MalformedFrame, `conditions ${what}`);
});

test("members decide on at most 256 units of an envelope, each of one command", () => {
  const decide = [...required, ...pair("decide", "1")];
  const body = (count: number, names: readonly string[] = decide) =>
    bodyOf(names, { commands: new Array(count).fill(PING) });
  assert.equal(unitsIn(readBody(body(256))).length, 256);
  assert.throws(() => readBody(body(257)), MalformedFrame);
  assert.equal(unitsIn(readBody(body(257, [...decide, ...pair("multi", "1")]))).length, 1);
  assert.equal(unitsIn(readBody(body(257, required))).length, 257);
  const units = (names: readonly string[]) =>
    body(3, [...names, writeBulk("units"), writeCommand(["1", "2"])]);
  assert.equal(unitsIn(readBody(units(required))).length, 2);
  assert.throws(() => readBody(units(decide)), MalformedFrame);
});

test("the signed bytes are the domain, the length and the body, and nothing else", () => {
  const body = latin1("abc");
  assert.equal(bytesOf(signedBytes(body)), "dbsync2\0command\0\0\0\0\0\0\0\0\x03abc");
});

test("the pieces that are hashed one by one add up to the signed bytes, for bytes and for text", () => {
  for (const length of [0, 16_383, 16_384, 70_000]) {
    const body = latin1("\xfe".repeat(length));
    const signed = signedBytes(body);
    assert.deepEqual(Buffer.concat(signedPieces(body)), signed);
    assert.deepEqual(signedBytes(bytesOf(body)), signed);
    assert.deepEqual(bodyOfSigned(signed), body);
  }
});

test("order keys sort as bytes by date, then seq, then id, then index", () => {
  const id = (digit: string) => digit.repeat(32);
  const keys = [
    unitOrderKey(1, 65535, id("z"), 9),
    unitOrderKey(2, 0, id("b"), 9),
    unitOrderKey(2, 1, id("a"), 0),
    unitOrderKey(2, 1, id("a"), 256),
    unitOrderKey(2, 1, id("b"), 0),
    unitOrderKey(2 ** 40, 0, id("a"), 0),
  ];

  assert.deepEqual([...keys].sort(), keys);
  assert.ok(keys.every((key) => key.length === 46));
  assert.deepEqual(
    keys.slice(-2).map((key) => entryKeyOf(key)),
    [
      { at: 2, seq: 1, id: id("b") },
      { at: 2 ** 40, seq: 0, id: id("a") },
    ],
  );

  assert.equal(unitId(id("a"), 0x01020304).slice(32), "\x01\x02\x03\x04");
  for (const again of [1, 2])
    assert.deepEqual([again, unitId(id("a"), 0x0102)], [again, `${id("a")}\0\0\x01\x02`]);
});
