/**
 * Tests the requests in a stream, in any division of its bytes. faces/redis/test compares the errors for malformed
 * streams with those of redis-server.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { HeapGauge } from "../../../../daemon/engine/memory/memory-limit.js";
import { quotedArgument, splitLine } from "../../../../protocol/resp/inline-command.js";
import { ShortStrings } from "../../../../protocol/resp/resp-reader.js";
import { writeCommand } from "../../../../protocol/resp/resp-writer.js";
import { seed } from "../../../../test/support/seed.js";
import { SeededRandom } from "../../../../test/support/seeded-random.js";
import { RespRequestParser } from "../../bytes/resp-request-parser.js";

const bounds = { bulkBytes: 1024 * 1024, requestBytes: 2 * 1024 * 1024 };

/** Parses a stream that arrives in these pieces, each in the same buffer. @returns the requests and the error */
function read(pieces: readonly Buffer[]): { requests: (readonly string[])[]; problem: string | null } {
  const parser = new RespRequestParser(bounds, new ShortStrings());
  const requests: (readonly string[])[] = [];
  const lent = Buffer.alloc(Math.max(0, ...pieces.map(({ length }) => length)));
  for (const piece of pieces) {
    lent.fill("?");
    piece.copy(lent);
    parser.push(lent.subarray(0, piece.length));
    for (let argv = parser.next(); argv !== null; argv = parser.next()) requests.push(argv);
    parser.copyUnread();
  }
  return { requests, problem: parser.problem };
}

const bytes = (text: string) => Buffer.from(text, "latin1");

const stream =
  writeCommand(["SET", "key", "a\r\nb\0\xff"]) +
  "PING\r\n\r\n*0\r\n*-1\r\n" +
  writeCommand(["SET", "", ""]) +
  "set \"a b\" 'c\\'d'\n" +
  writeCommand(["GET", "x".repeat(300)]);
const requests = [
  ["SET", "key", "a\r\nb\0\xff"],
  ["PING"],
  ["SET", "", ""],
  ["set", "a b", "c'd"],
  ["GET", "x".repeat(300)],
];

test("a stream that is divided anywhere contains the same requests", () => {
  for (let at = 0; at <= stream.length; at++) {
    const found = read([bytes(stream.slice(0, at)), bytes(stream.slice(at))]);
    assert.deepEqual(found, { requests, problem: null }, `cut at ${at}`);
  }
});

test("a stream that arrives byte by byte contains the same requests", () => {
  assert.deepEqual(read([...stream].map(bytes)), { requests, problem: null });
});

test("random requests in random pieces are parsed unchanged", () => {
  const random = new SeededRandom(seed());
  const sent = Array.from({ length: 200 }, () =>
    Array.from({ length: 1 + random.below(5) }, () =>
      String.fromCharCode(
        ...Array.from({ length: random.below(random.below(10) === 0 ? 5000 : 20) }, () => random.below(256)),
      ),
    ),
  );
  const all = bytes(sent.map(writeCommand).join(""));
  const pieces: Buffer[] = [];
  for (let at = 0; at < all.length; ) {
    const end = at + 1 + random.below(random.below(2) === 0 ? 8 : 3000);
    pieces.push(all.subarray(at, end));
    at = end;
  }
  assert.deepEqual(read(pieces), { requests: sent, problem: null });
});

test("a piece that ends a long argument may contain further requests and the beginning of another argument", () => {
  const sent = [
    ["SET", "a", "x".repeat(70_000)],
    ["GET", "a"],
    ["SET", "b", "y".repeat(70_000)],
    ["MSET", ...Array.from({ length: 8 }, (_, i) => "z".repeat(40_000 + i))],
  ];
  const all = bytes(sent.map(writeCommand).join(""));
  for (const length of [65_536, 69_990, 70_034, 70_035, 140_000, 262_144]) {
    const pieces: Buffer[] = [];
    for (let at = 0; at < all.length; at += length) pieces.push(all.subarray(at, at + length));
    assert.deepEqual(read(pieces), { requests: sent, problem: null }, `pieces of ${length}`);
  }
});

test("invalid bytes never throw, and complete requests before them remain valid", () => {
  const random = new SeededRandom(seed());
  const alphabet = ["*", "$", "-", "1", "2", "0", "\r", "\n", "\r\n", '"', "'", "\\", " ", "a", "\0", "\xff"];
  for (let round = 0; round < 3000; round++) {
    const garbage = Array.from(
      { length: random.below(30) },
      () => alphabet[random.below(alphabet.length)],
    ).join("");
    const found = read([bytes(`PING\r\n${garbage}`)]);
    assert.deepEqual(found.requests[0], ["PING"], `round ${round}`);
    assert.deepEqual(read([...`PING\r\n${garbage}`].map(bytes)), found, `round ${round}`);
  }
});

test("many small pieces of a large argument are not copied again and again", () => {
  const parser = new RespRequestParser(
    { bulkBytes: 64 * 1024 * 1024, requestBytes: 128 * 1024 * 1024 },
    new ShortStrings(),
  );

  const size = 8 * 1024 * 1024;
  parser.push(bytes(`*2\r\n$4\r\nECHO\r\n$${size}\r\n`));
  const piece = Buffer.alloc(256, "x");
  for (let sent = 0; sent < size; sent += piece.length) {
    assert.equal(parser.next(), null);
    parser.push(piece);
    assert.ok(
      parser.heldBytes <= 2 * (sent + 2 * piece.length),
      "the memory is proportional to the received bytes",
    );
  }

  parser.push(bytes("\r\n"));
  assert.equal(parser.next()?.[1]?.length, size);
  assert.equal(parser.heldBytes, 0);
});

test("an announced length uses no memory before its bytes arrive", () => {
  const parser = new RespRequestParser(
    { bulkBytes: 512 * 1024 * 1024, requestBytes: 1024 * 1024 * 1024 },
    new ShortStrings(),
  );
  parser.push(bytes("*2147483647\r\n$536870912\r\nabc"));
  assert.equal(parser.next(), null);
  assert.ok(parser.heldBytes < 1000);
});

test("a request above its limit is refused", () => {
  const parser = new RespRequestParser({ bulkBytes: 100, requestBytes: 150 }, new ShortStrings());
  parser.push(bytes(`*3\r\n$100\r\n${"x".repeat(100)}\r\n$100\r\n${"x".repeat(60)}`));
  assert.equal(parser.next(), null);
  assert.equal(parser.problem, "Protocol error: request above 150 bytes");
});

test("before authentication only short requests are accepted", () => {
  for (const [text, problem] of [
    ["*11\r\n", "Protocol error: unauthenticated multibulk length"],
    [`*11\r\n${"$1\r\nx\r\n".repeat(11)}`, "Protocol error: unauthenticated multibulk length"],
    ["*1\r\n$16385\r\n", "Protocol error: unauthenticated bulk length"],
  ] as const) {
    const parser = new RespRequestParser(bounds, new ShortStrings());
    parser.trusted = false;
    parser.push(bytes(text));
    assert.equal(parser.next(), null);
    assert.equal(parser.problem, problem);
  }
});

test("a line's words are quoted as in Redis", () => {
  assert.deepEqual(splitLine(' a  "b\\x41\\n" \'c\\\'\' ""'), ["a", "bA\n", "c'", ""]);
  assert.deepEqual(splitLine('a"b"'), ["ab"]);
  for (const [line, quote, isOpen] of [
    ['"a', '"', true],
    ["'a", "'", true],
    ['"a\\"', '"', true],
    ['"a"b', '"', false],
    ["'a'b", "'", false],
  ] as const)
    assert.deepEqual(splitLine(line), { quote, isOpen }, line);
  const bytes = String.fromCharCode(...Array(256).keys());
  assert.deepEqual(splitLine(`a ${quotedArgument(bytes)} ""`), ["a", bytes, ""]);
  assert.equal(quotedArgument('a"\\\n\x7f\xe9'), '"a\\"\\\\\\n\\x7f\\xe9"');
});

test("a request above the limit is reported for any division into pieces", () => {
  for (const cut of [0, 1, 5]) {
    const parser = new RespRequestParser({ bulkBytes: 1024, requestBytes: 10_000 }, new ShortStrings());
    parser.push(bytes(`*100000\r\n${"$0\r\n\r\n".slice(0, cut)}`));
    for (let piece = 0; piece < 1000 && parser.problem === null; piece++) {
      assert.equal(parser.next(), null);
      parser.push(bytes("$0\r\n\r\n$0\r\n\r\n".slice(cut) + "$0\r\n\r\n".slice(0, cut)));
    }
    assert.equal(parser.problem, "Protocol error: request above 10000 bytes", `cut at ${cut}`);
  }
});

test("a complete short request is refused for the same reasons as a request in pieces", () => {
  const requests = [
    ["*1\r\n$4\r\nPING\r\n*2\r\n$3\r\nGET\r\n$9\r\nkey:00001\r\n", null],
    ["*1\r\n$11\r\n12345678901\r\n", "invalid bulk length"],
    ["*1\r\n$04\r\nPING\r\n", "invalid bulk length"],
    ["*1\r\n$-1\r\n", "invalid bulk length"],
    ["*1\r\n$4x\r\nPING\r\n", "invalid bulk length"],
    ["*1\r\n+PING\r\n", "expected '$', got '+'"],
    ["*x\r\n$4\r\nPING\r\n", "invalid multibulk length"],
    ["*1x\r\n$4\r\nPING\r\n", "invalid multibulk length"],
    ["*01\r\n$4\r\nPING\r\n", "invalid multibulk length"],
    [`*12\r\n${"$1\r\nx\r\n".repeat(12)}`, null],
  ] as const;
  for (const [bytes, problem] of requests) {
    for (const pieces of [[bytes], [...bytes]]) {
      const parser = new RespRequestParser({ bulkBytes: 10, requestBytes: 1024 }, new ShortStrings());
      for (const piece of pieces) {
        parser.push(Buffer.from(piece, "latin1"));
        while (parser.next() !== null) {}
        parser.copyUnread();
      }
      assert.equal(parser.problem, problem === null ? null : `Protocol error: ${problem}`, bytes);
    }
  }
});

test("words of lines use no more memory than their bytes", () => {
  const gauge = new HeapGauge();
  const kept: unknown[] = [];
  gauge.collect();
  const before = gauge.used();
  for (let i = 0; i < 5000; i++)
    kept.push(splitLine(`SET key:${i} ${"v".repeat(1000)} "${"w".repeat(1000)}"`));
  gauge.collect();
  const grown = gauge.used() - before;
  assert.equal(kept.length, 5000);
  assert.ok(grown < 30_000_000, `${grown} bytes for 10 MB`);
});
