import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf } from "../../../protocol/byte-string.js";
import { MalformedFrame } from "../../../protocol/errors.js";
import {
  array,
  bulk,
  double,
  error,
  integer,
  map,
  NIL,
  NIL_ARRAY,
  type Reply,
  status,
} from "../../../protocol/reply.js";
import { RespReader, ShortStrings } from "../../../protocol/resp/resp-reader.js";
import { writeCommand, writeReply } from "../../../protocol/resp/resp-writer.js";
import { seed } from "../../support/seed.js";

const latin1 = (text: string) => Buffer.from(text, "latin1");
const anyBytes = fc.uint8Array({ maxLength: 30 }).map((bytes) => bytesOf(Buffer.from(bytes)));
const line = fc.string({ maxLength: 20 }).filter((text) => /^[\x20-\x7e]*$/.test(text));

const reply: fc.Arbitrary<Reply> = fc.letrec<{ reply: Reply }>((tie) => ({
  reply: fc.oneof(
    { maxDepth: 4 },
    anyBytes.map(bulk),
    line.map(status),
    line.map(error),
    fc.integer().map(integer),
    fc.bigInt({ min: -(2n ** 63n), max: 2n ** 63n - 1n }).map((value) => {
      const number = Number(value);
      return integer(Number.isSafeInteger(number) ? number : value);
    }),
    fc.constantFrom<Reply>(NIL, NIL_ARRAY),
    fc.array(tie("reply"), { maxLength: 5 }).map(array),
  ),
})).reply;

test("any reply is parsed back from its bytes", () => {
  fc.assert(
    fc.property(reply, (value) => {
      const reader = new RespReader(latin1(writeReply(value)));
      assert.deepEqual(reader.readReply(), value);
      assert.ok(reader.isAtEnd);
    }),
    { seed: seed(), numRuns: 2000 },
  );
});

test("any command is parsed back from its bytes", () => {
  fc.assert(
    fc.property(fc.array(anyBytes, { minLength: 1 }), (argv) => {
      assert.deepEqual(new RespReader(latin1(writeCommand(argv))).readCommand(new ShortStrings()), argv);
    }),
    { seed: seed(), numRuns: 500 },
  );
});

test("doubles and maps are converted to the types of RESP2", () => {
  assert.equal(writeReply(double(0.5)), "$3\r\n0.5\r\n");
  assert.equal(writeReply(map([bulk("f"), integer(1)])), "*2\r\n$1\r\nf\r\n:1\r\n");
});

test("non-canonical bytes are refused", () => {
  const bad = [
    "",
    "$",
    "$5",
    "$5\r\n",
    "$5\r\nab",
    "$05\r\nhello\r\n",
    "$+5\r\nhello\r\n",
    "$-2\r\n",
    "$5\r\nhelloXX",
    "$5\nhello\n",
  ];
  bad.push(
    "$5\r\nhello",
    "$5\r\nhello\r",
    "$99999999999\r\n",
    ":01\r\n",
    ":-0\r\n",
    ":+1\r\n",
    ":1",
    "+OK",
    "*1\r\n",
    "*-2\r\n",
    "?\r\n",
  );
  for (const text of bad) {
    assert.throws(() => new RespReader(latin1(text)).readReply(), MalformedFrame, JSON.stringify(text));
  }
});

test("endlessly nested arrays are refused without recursion", () => {
  assert.throws(() => new RespReader(latin1("*1\r\n".repeat(100_000))).readReply(), /levels/);
});

test("a length beyond the available bytes allocates no memory", () => {
  assert.throws(() => new RespReader(latin1("*4000000000\r\n$1\r\na\r\n")).readReply(), MalformedFrame);
  assert.throws(
    () => new RespReader(latin1("*4000000000\r\n$1\r\na\r\n")).readCommand(new ShortStrings()),
    MalformedFrame,
  );
});

test("strings of every length are parsed back from small and large messages", () => {
  for (const padding of [0, 5000]) {
    const strings = Array.from({ length: 30 }, (_, length) => "\u00ff\u0000ab".repeat(8).slice(0, length));
    const argv = [...strings, "x".repeat(padding)];
    assert.deepEqual(new RespReader(latin1(writeCommand(argv))).readCommand(new ShortStrings()), argv);
  }
});

test("a canonical decimal is parsed, and too large a number is refused", () => {
  const read = (text: string) => new RespReader(latin1(`$${text.length}\r\n${text}\r\n`)).readBulkDecimal();
  for (const text of ["0", "7", "10", "65535", "1763649600000", "9007199254740991"])
    assert.equal(read(text), Number(text));
  assert.ok(read("9007199254740993") > Number.MAX_SAFE_INTEGER);

  for (const text of [
    "",
    "00",
    "01",
    "-1",
    "+1",
    "1.0",
    "1e3",
    " 1",
    "1 ",
    "1a",
    "/",
    ":",
    "10000000000000000",
  ])
    assert.ok(Number.isNaN(read(text)), JSON.stringify(text));

  const reader = new RespReader(latin1("$2\r\n1x\r\n$1\r\n5\r\n"));
  assert.ok(Number.isNaN(reader.readBulkDecimal()));
  assert.equal(reader.readBulkDecimal(), 5, "the reader skips other values, too");
});

test("successive commands with similar names keep their own names", () => {
  const names = ["SET", "SET", "SEt", "SE", "", "", "SETX", "SET", "\xffET"];
  const known = new ShortStrings();
  const reader = new RespReader(latin1(names.map((name) => writeCommand([name, "SET"])).join("")));
  assert.deepEqual(
    names.map(() => reader.readCommand(known)),
    names.map((name) => [name, "SET"]),
  );
  reader.expectEnd();
});

test("short lines are distinguished from longer lines with the same beginning", () => {
  for (const line of ["+OK", "+OKAY", "+O", "+", "+OK\rx", "-OK", ":-1", "$-1", "*-1", "+-1"]) {
    const reader = new RespReader(latin1(`${line}\r\n`));
    assert.equal(writeReply(reader.readReply()), `${line}\r\n`);
    reader.expectEnd();
    assert.throws(() => new RespReader(latin1(line)).readReply(), MalformedFrame, line);
  }
  assert.throws(() => new RespReader(latin1("$-2\r\n")).readReply(), MalformedFrame);
});
