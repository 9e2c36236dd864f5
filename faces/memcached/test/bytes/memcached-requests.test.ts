/** Tests requests of memcached's text protocol, in any division of their bytes. DBSYNC_SEED replays a run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { seed } from "../../../../test/support/seed.js";
import { SeededRandom } from "../../../../test/support/seeded-random.js";
import { MemcachedParser } from "../../bytes/memcached-requests.js";
import type { MemcachedRequest } from "../../bytes/request-types.js";

const STREAMS = 500;
const WORDS = [
  "get",
  "gets",
  "gat",
  "set",
  "add",
  "cas",
  "delete",
  "incr",
  "touch",
  "noreply",
  "a",
  "key",
  "quit",
];
const PARTS = [
  " ",
  " ",
  " 0 0 3\r\nabc\r\n",
  "\r\n",
  "\n",
  "\r",
  "1",
  "-1",
  "99",
  "101",
  "\0",
  "\xff",
  "2147483648",
];

function parsed(chunks: Iterable<string>, parser = new MemcachedParser(100)): MemcachedRequest[] {
  const requests: MemcachedRequest[] = [];
  for (const chunk of chunks) {
    parser.push(Buffer.from(chunk, "latin1"));
    for (let next = parser.next(); next !== null; next = parser.next()) requests.push(next);
  }
  return requests;
}

const STREAM =
  "set a 7 -1 5 noreply\r\nx\r\n\xff\0\r\n\r\nget a b\ngets a\r\ncas k 0 60 0 18446744073709551615\r\n\r\n" +
  `set big 0 0 101\r\n${"y".repeat(101)}\r\nset a 0 0 1\r\nxyz\r\nincr a 3 noreply\r\nquit\r\n`;

const DUE: readonly MemcachedRequest[] = [
  {
    kind: "store",
    verb: "set",
    key: "a",
    flags: 7,
    exptime: -1,
    unique: 0n,
    data: "x\r\n\xff\0",
    isSilent: true,
  },
  { kind: "wrong", answer: "ERROR\r\n" },
  { kind: "get", keys: ["a", "b"], withUnique: false },
  { kind: "get", keys: ["a"], withUnique: true },
  {
    kind: "store",
    verb: "cas",
    key: "k",
    flags: 0,
    exptime: 60,
    unique: 2n ** 64n - 1n,
    data: "",
    isSilent: false,
  },
  { kind: "too-large", verb: "set", key: "big", isSilent: false },
  { kind: "wrong", answer: "CLIENT_ERROR bad data chunk\r\n" },
  { kind: "wrong", answer: "ERROR\r\n" },
  {
    kind: "count",
    verb: "incr",
    key: "a",
    by: 3n,
    unique: 0n,
    exptime: null,
    initial: null,
    isSilent: true,
  },
  { kind: "quit" },
];

test("the parser returns the same requests from one piece, single bytes and pieces of any length", () => {
  assert.deepEqual(parsed([STREAM]), DUE);
  for (let length = 1; length < 60; length++) {
    const pieces = Array.from({ length: Math.ceil(STREAM.length / length) }, (_, i) =>
      STREAM.slice(i * length, (i + 1) * length),
    );
    assert.deepEqual(parsed(pieces), DUE, `pieces of ${length}`);
  }
});

test("an item that is too large is not stored, and the memory of complete items is released", () => {
  const parser = new MemcachedParser(1000);
  parsed([`set a 0 0 ${2e9}\r\n`, "x".repeat(1e6)], parser);
  assert.equal(parser.heldBytes, 0);
  assert.ok(parser.isMidRequest);
  const other = new MemcachedParser(1e6);
  parsed(["set a 0 0 1000000\r\n", ..."x".repeat(10)], other);
  assert.ok(
    other.heldBytes >= 10 && other.heldBytes <= 20,
    "the memory is proportional to the received bytes",
  );
  parsed([`${"x".repeat(999_990)}\r\n`], other);
  assert.deepEqual([other.heldBytes, other.isMidRequest], [0, false]);
});

test("the length of a line is limited, although get may name many keys", () => {
  const many = new MemcachedParser(100);
  assert.equal(parsed([`get ${"key ".repeat(60_000)}\r\n`], many)[0]?.kind, "get");
  const parser = new MemcachedParser(100);
  assert.deepEqual(parsed(["get ", "key ".repeat(70_000)], parser), []);
  assert.ok(parser.isTooLong);
  const whole = new MemcachedParser(100);
  assert.deepEqual(parsed([`version\r\nget ${"key ".repeat(70_000)}\r\nversion\r\n`], whole), [
    { kind: "version" },
  ]);
  assert.ok(whole.isTooLong);
});

test("lines of HTTP are distinguished from invalid requests", () => {
  assert.deepEqual(
    parsed(["POST / HTTP/1.1\r\nHost: a\r\nbogus HTTP\r\n"]).map(({ kind }) => kind),
    [...["http", "http", "wrong"]],
  );
});

test("arbitrary streams result in the same requests in one piece and in several", () => {
  for (let stream = 0; stream < STREAMS; stream++) {
    const random = new SeededRandom(seed(), stream);
    const length = random.between(1, 60);
    const text = Array.from({ length }, () => random.oneOf(random.chance(0.5) ? WORDS : PARTS)).join("");
    const pieces: string[] = [];
    for (let at = 0; at < text.length; ) pieces.push(text.slice(at, (at += random.between(1, 9))));
    assert.deepEqual(parsed(pieces), parsed([text]), JSON.stringify(text));
  }
});
