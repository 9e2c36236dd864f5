/**
 * Tests the body of an envelope: it is parsed back as it was written, and invalid bodies are refused. Also tests the
 * signed bytes, and the order keys of units.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import { writeBulk, writeCommand } from "../../../protocol/resp/resp-writer.js";
import {
  bodyOf as bodyOfSignedBytes,
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
const bytesOfLength = (length: number) =>
  fc.uint8Array({ minLength: length, maxLength: length }).map((value) => bytesOf(Buffer.from(value)));
const anyBytes = fc.uint8Array({ maxLength: 20 }).map((value) => bytesOf(Buffer.from(value)));

const anyHeader = fc.record(
  {
    key: bytesOfLength(32),
    cluster: bytesOfLength(32),
    at: fc.maxSafeNat(),
    seq: fc.nat(65535),
    nonce: bytesOfLength(16),
    db: fc.nat(15),
    multi: fc.boolean(),
    after: bytesOfLength(46),
    only: bytesOfLength(32),
    as: anyBytes.filter((user) => user !== ""),
    choices: fc.constantFrom(new Map([[0, []]]), new Map([[0, ["a", ""]]])),
    expiries: fc.maxSafeNat().map((at) => new Map([[0, at]])),
    decide: fc.boolean(),
  },
  { requiredKeys: ["key", "cluster", "at", "seq", "nonce"], noNullPrototype: true },
) as fc.Arbitrary<HeaderFields>;

test("any envelope is parsed back from its body", () => {
  const anyConditions = fc.array(
    fc.record(
      {
        db: fc.nat(15),
        key: anyBytes,
        writer: fc.oneof(fc.constant(""), bytesOfLength(36), bytesOfLength(72)),
      },
      { noNullPrototype: true },
    ),
    { minLength: 1, maxLength: 3 },
  );
  const anyArgument = fc.oneof(anyBytes, bytesOfLength(48), bytesOfLength(49), bytesOfLength(1024));
  const anyCommands = fc.array(fc.array(anyArgument, { minLength: 1, maxLength: 18 }), {
    minLength: 1,
    maxLength: 5,
  });

  fc.assert(
    fc.property(anyHeader, fc.option(anyConditions), anyCommands, (fields, conditions, argvs) => {
      const isOneUnit = argvs.length === 1 || fields.multi === true;
      const canDivide = argvs.length > 2 && fields.multi !== true;
      const decide = fields.decide === true;
      const units = canDivide && !decide ? [2, argvs.length - 2] : null;
      const ifs =
        decide && !isOneUnit && conditions !== null
          ? new Map([
              [0, conditions],
              [argvs.length - 1, conditions.slice(0, 1)],
            ])
          : null;

      const written = { ...fields, if: isOneUnit ? conditions : null, ifs, units, decide };
      const body = latin1(writeBody(written, argvs.map(writeCommand)));

      const defaults = { db: 0, multi: false, units: null, after: null, only: null, as: null, ...NO_CHOICES };
      assert.deepEqual(readBody(body), { ...defaults, ...written, commands: argvs, decided: null });
      assert.deepEqual(envelopeOf(written, argvs), readBody(body));
      assert.equal(signerOf(body), fields.key);
      assert.deepEqual(writeSigned(written, argvs), signedBytes(body));
    }),
    { seed: seed(), numRuns: amount(300, 1000) },
  );
});

/** The required fields, with valid values. */
const REQUIRED_FIELDS: HeaderFields = {
  key: "k".repeat(32),
  cluster: "c".repeat(32),
  at: 1790000000000,
  seq: 0,
  nonce: "n".repeat(16),
};
const PING = writeCommand(["PING"]);

/** The condition that the key `k` of the database 0 does not exist. */
const ABSENT = writeCommand(["0", "k", ""]);
/** Returns the element `ifs`: units by index, each with the condition that a key does not exist. */
const ifsOf = (...indexes: readonly (number | string)[]): string =>
  `*${2 * indexes.length}\r\n${indexes.map((index) => writeBulk(String(index)) + ABSENT).join("")}`;

/** Returns a body with the given elements of the header, valid or not. */
function bodyOf(header: readonly string[], { magic = "dbsync2", commands = [PING], tail = "" } = {}): Buffer {
  const start = `*${2 + commands.length}\r\n${writeBulk(magic)}*${header.length}\r\n`;
  return latin1(`${start}${header.join("")}${commands.join("")}${tail}`);
}

const REQUIRED = Object.entries(REQUIRED_FIELDS).flatMap(([name, value]) => [
  writeBulk(name),
  writeBulk(String(value)),
]);
/** Returns a field as elements of a header. */
const field = (name: string, value: string) => [writeBulk(name), writeBulk(value)];

test("a body whose header has unknown, duplicate, missing or misplaced names is refused", () => {
  readBody(bodyOf(REQUIRED));
  readBody(bodyOf([...REQUIRED, ...field("multi", "1")], { commands: new Array(100_000).fill(PING) }));

  const invalid: [fault: string, body: Buffer][] = [
    ["no header", bodyOf([])],
    ["odd header", bodyOf([...REQUIRED, writeBulk("db")])],
    ["unknown name", bodyOf([...REQUIRED, ...field("priority", "1")])],
    ["prototype's name", bodyOf([...REQUIRED, ...field("__proto__", "1")])],
    ["doubled name", bodyOf([...REQUIRED, ...field("at", "1")])],
    ["doubled key", bodyOf([...REQUIRED, ...field("key", "k".repeat(32))])],
    ["key not first", bodyOf([...REQUIRED.slice(2), ...REQUIRED.slice(0, 2)])],
    ["upper-case name", bodyOf([...REQUIRED, ...field("DB", "1")])],
    ["other magic", bodyOf(REQUIRED, { magic: "dbsync3" })],
    ["no command", bodyOf(REQUIRED, { commands: [] })],
    ["empty command", bodyOf(REQUIRED, { commands: ["*0\r\n"] })],
    ["bytes after the body", bodyOf(REQUIRED, { tail: "x" })],
    ["too many separate commands", bodyOf(REQUIRED, { commands: new Array(4097).fill(PING) })],
    [
      "too many commands",
      bodyOf([...REQUIRED, ...field("multi", "1")], { commands: new Array(100_001).fill(PING) }),
    ],
    [
      "if for several units",
      bodyOf([...REQUIRED, writeBulk("if"), writeCommand(["0", "k", ""])], { commands: [PING, PING] }),
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
      const count = lengths.length === 3 ? 3 : 2;
      const commands = new Array(count).fill(PING);
      return [
        `units ${lengths.join("+")} of ${count}`,
        bodyOf([...REQUIRED, writeBulk("units"), units], { commands }),
      ];
    }),
    [
      "units with multi",
      bodyOf([...REQUIRED, ...field("multi", "1"), writeBulk("units"), writeCommand(["1", "2"])], {
        commands: [PING, PING, PING],
      }),
    ],
    [
      "units of too many commands",
      bodyOf([...REQUIRED, writeBulk("units"), writeCommand(["1", "4096"])], {
        commands: new Array(4097).fill(PING),
      }),
    ],
    ["empty if", bodyOf([...REQUIRED, writeBulk("if"), "*0\r\n"])],
    ["if of two", bodyOf([...REQUIRED, writeBulk("if"), writeCommand(["0", "k"])])],
    ...[35, 37, 71, 73, 108].map((length): [string, Buffer] => [
      `a writer of ${length} bytes`,
      bodyOf([...REQUIRED, writeBulk("if"), writeCommand(["0", "k", "w".repeat(length)])]),
    ]),
  ];

  for (let i = 0; i < REQUIRED.length; i += 2) {
    invalid.push([`missing ${REQUIRED[i]}`, bodyOf(REQUIRED.toSpliced(i, 2))]);
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
    invalid.push([`${name} ${value.slice(0, 10)}`, bodyOf([...REQUIRED, ...field(name, value)])]);
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
    const index = Object.keys(REQUIRED_FIELDS).indexOf(name) * 2;
    invalid.push([`${name} ${value}`, bodyOf(REQUIRED.toSpliced(index + 1, 1, writeBulk(value)))]);
  }

  for (const [fault, body] of invalid) assert.throws(() => readBody(body), MalformedFrame, fault);
});

test("each unit on which members decide has its own conditions", () => {
  const decided = [...REQUIRED, ...field("decide", "1")];
  const body = (ifs: string, fields = decided, count = 3) =>
    bodyOf([...fields, writeBulk("ifs"), ifs], { commands: new Array(count).fill(PING) });

  const envelope = readBody(body(ifsOf(0, 2)));
  const absent = [{ db: 0, key: "k", writer: "" }];
  assert.deepEqual(
    [0, 1, 2].map((index) => conditionsOf(envelope, index)),
    [absent, null, absent],
  );
  assert.deepEqual(unitsIn(envelope).length, 3);

  const invalid: [fault: string, body: Buffer][] = [
    ["without decide", body(ifsOf(0), REQUIRED)],
    ["with multi", body(ifsOf(0), [...decided, ...field("multi", "1")])],
    ["with one command", body(ifsOf(0), decided, 1)],
    ["of an index out of range", body(ifsOf(3))],
    ["of no index", body(ifsOf("x"))],
    ["of a negative index", body(ifsOf(-1))],
    ["descending", body(ifsOf(2, 0))],
    ["twice", body(ifsOf(1, 1))],
    ["of no unit", body("*0\r\n")],
    ["without conditions", body(`*2\r\n${writeBulk("0")}*0\r\n`)],
    ["of half a condition", body(`*2\r\n${writeBulk("0")}${writeCommand(["0", "k"])}`)],
    ["without a value", body(`*1\r\n${writeBulk("0")}`)],
    ["in addition to if", body(ifsOf(0), [...decided, writeBulk("if"), ABSENT])],
    ["of several units", bodyOf([...decided, writeBulk("if"), ABSENT], { commands: [PING, PING] })],
  ];

  for (const [fault, invalidBody] of invalid)
    assert.throws(() => readBody(invalidBody), MalformedFrame, `conditions ${fault}`);
});

test("members decide on at most 256 units of an envelope, each of one command", () => {
  const decided = [...REQUIRED, ...field("decide", "1")];
  const body = (count: number, fields: readonly string[] = decided) =>
    bodyOf(fields, { commands: new Array(count).fill(PING) });
  assert.equal(unitsIn(readBody(body(256))).length, 256);
  assert.throws(() => readBody(body(257)), MalformedFrame);
  assert.equal(unitsIn(readBody(body(257, [...decided, ...field("multi", "1")]))).length, 1);
  assert.equal(unitsIn(readBody(body(257, REQUIRED))).length, 257);
  const units = (fields: readonly string[]) =>
    body(3, [...fields, writeBulk("units"), writeCommand(["1", "2"])]);
  assert.equal(unitsIn(readBody(units(REQUIRED))).length, 2);
  assert.throws(() => readBody(units(decided)), MalformedFrame);
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
    assert.deepEqual(bodyOfSignedBytes(signed), body);
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
  // The second call uses the cached bytes of the index.
  for (const call of [1, 2]) assert.equal(unitId(id("a"), 0x0102), `${id("a")}\0\0\x01\x02`, `call ${call}`);
});
