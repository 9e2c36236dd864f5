import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf } from "../../protocol/byte-string.js";
import { FrameParser, writeFrame } from "../../protocol/frame.js";
import { seed } from "../support/seed.js";

const LIMIT = 1000;

/** Returns the results of a parser for bytes that arrive in the given pieces. */
function parse(pieces: readonly Buffer[], limit = LIMIT) {
  const parser = new FrameParser(limit);
  const payloads = pieces.flatMap((piece) => parser.split(piece).map((payload) => bytesOf(payload)));
  return { payloads, malformed: parser.malformed, isMidRequest: parser.isMidRequest };
}

function cut(bytes: Buffer, positions: readonly number[]): Buffer[] {
  const sorted = [...new Set(positions.map((position) => position % (bytes.length + 1)))].sort(
    (a, b) => a - b,
  );
  return [0, ...sorted].map((start, i) => bytes.subarray(start, sorted[i] ?? bytes.length));
}

const latin1 = (text: string) => Buffer.from(text, "latin1");

test("a stream of frames contains the same payloads, wherever it is cut", () => {
  fc.assert(
    fc.property(
      fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 6 }),
      fc.array(fc.nat(), { maxLength: 10 }),
      fc.constantFrom(1 as const, 2 as const),
      (payloads, positions, version) => {
        const expected = payloads.map((payload) => bytesOf(Buffer.from(payload)));
        const stream = latin1(expected.map((payload) => writeFrame(payload, version)).join(""));
        const parsed = parse(cut(stream, positions));
        assert.deepEqual(parsed.payloads, expected);
        assert.equal(parsed.malformed, null);
        assert.equal(parsed.isMidRequest, false);
      },
    ),
    { seed: seed(), numRuns: 2000 },
  );
});

test("any bytes result in the same payloads and the same error, wherever they are cut", () => {
  const noise = fc.array(
    fc.oneof(
      fc.constantFrom(
        "ds:",
        "ds:3:abc",
        "ds:0:",
        "ds:",
        "ds2:",
        "ds2:3:abc",
        "2:",
        "4:",
        ":",
        " ",
        "+",
        "d",
        "s",
        "99999",
        "x",
      ),
      fc.uint8Array({ maxLength: 4 }).map((bytes) => bytesOf(Buffer.from(bytes))),
    ),
    { maxLength: 12 },
  );
  fc.assert(
    fc.property(noise, fc.array(fc.nat(), { maxLength: 10 }), (parts, positions) => {
      const stream = latin1(parts.join(""));
      const whole = parse([stream]);
      const pieces = parse(cut(stream, positions));
      const bytewise = parse([...stream].map((byte) => Buffer.of(byte)));
      for (const other of [pieces, bytewise]) {
        assert.deepEqual(other.payloads, whole.payloads);
        assert.equal(other.malformed?.message, whole.malformed?.message);
        assert.equal(other.isMidRequest, whole.isMidRequest);
      }
    }),
    { seed: seed(), numRuns: 5000 },
  );
});

test("the length is parsed as in the original, with spaces, a plus sign, leading zeros, or ten characters", () => {
  for (const length of ["5", "+5", " 5", "\t\n 5", " +05", "0000000005"]) {
    assert.deepEqual(parse([latin1(`ds:${length}:PING\0`)]).payloads, ["PING\0"], JSON.stringify(length));
  }
  assert.deepEqual(parse([latin1("ds:0:")]).payloads, [""]);
});

test("a malformed header is refused at its first bad byte, with the offset in the stream", () => {
  const cases: [string, number][] = [
    ["GET / HTTP/1.1\r\n", 0],
    ["dx:5:PING\0", 1],
    ["dsssss", 2],
    ["ds:abc:PING\0", 3],
    ["ds::PING\0", 3],
    ["ds:-5:PING\0", 3],
    ["ds:+ 5:PING\0", 4],
    ["ds:1 :a", 4],
    ["ds:00000000005:PING\0", 13],
    ["ds:2:PING\0", 7],
    ["ds:1:ads:1:bX", 12],
  ];
  for (const [text, offset] of cases) {
    const { malformed } = parse([latin1(text)]);
    assert.equal(malformed?.offset, offset, JSON.stringify(text));
    assert.match(malformed?.message ?? "", new RegExp(`at byte ${offset}$`));
  }
});

test("the parser recognizes a Redis client on the wrong port, and servers of other protocols", () => {
  const problem = (text: string) => parse([latin1(text)]).malformed?.message ?? "";
  assert.match(
    problem("*1\r\n$4\r\nPING\r\n"),
    /begins with "ds:" or "ds2:"; this looks like a Redis client/,
  );
  assert.match(problem("-ERR unknown command\r\n"), /"ds2:"; this looks like a Redis server, at byte 0/);
  assert.match(problem("HTTP/1.1 400 Bad Request\r\n"), /"ds2:"; this looks like an HTTP server, at byte 0/);
  for (const text of ["PING\r\n", "ds:1:a*1\r\n", "ds2:1:a*", "dH"])
    assert.doesNotMatch(problem(text), /looks like/);
});

test("the parser delivers frames before a malformed frame, but no later frames", () => {
  const { payloads, malformed } = parse([latin1("ds:1:ads:1:b!ds:1:c"), latin1("ds:1:d")]);
  assert.deepEqual(payloads, ["a", "b"]);
  assert.equal(malformed?.offset, 12);
});

test("a frame above the limit is refused when its length arrives, not after its payload", () => {
  assert.equal(parse([latin1(`ds:${LIMIT}:`)]).malformed, null);
  assert.match(parse([latin1(`ds:${LIMIT + 1}`)]).malformed?.message ?? "", /over 1000 bytes was announced/);
  assert.match(parse([latin1("ds:4294967301:PING\0")]).malformed?.message ?? "", /over 1000 bytes/);
});

test("the first frame determines the version of a stream, and a parser may require one version", () => {
  assert.deepEqual(parse([latin1("ds2:1:ads2:1:b")]).payloads, ["a", "b"]);
  assert.equal(parse([latin1("ds2:1:ads:1:b")]).malformed?.offset, 9);
  assert.equal(parse([latin1("ds:1:ads2:1:b")]).malformed?.offset, 8);
  const insisting = new FrameParser(LIMIT, 2);
  insisting.split(latin1("ds:1:a"));
  assert.match(insisting.malformed?.message ?? "", /begins with "ds2:", at byte 2$/);
});

test("version 2 accepts only canonical lengths", () => {
  for (const length of ["+5", " 5", "05", "00", "-1", ""]) {
    assert.notEqual(parse([latin1(`ds2:${length}:PING\0`)]).malformed, null, JSON.stringify(length));
  }
  assert.deepEqual(parse([latin1("ds2:0:ds2:10:0123456789")]).payloads, ["", "0123456789"]);
});

test("after the first frame of version 2, a complete header is refused for the same reasons as a header in pieces", () => {
  for (const [header, problem] of [
    [`ds2:${LIMIT + 1}:`, /over 1000 bytes was announced/],
    ["ds2:01:", /canonical decimal length/],
    ["ds2::", /expected a decimal length/],
    ["ds2:99999999999:", /over 1000 bytes was announced/],
    ["ds2:1a:", /canonical decimal length/],
    ["ds:1:", /begins with "ds2:"|expected a frame/],
  ] as const) {
    const parser = new FrameParser(LIMIT);
    assert.equal(parser.split(latin1("ds2:2:ab")).length, 1);
    assert.deepEqual(parser.split(latin1(header)), []);
    assert.match(parser.malformed?.message ?? "", problem, header);
  }
  const parser = new FrameParser(LIMIT);
  const payloads = parser.split(latin1("ds2:2:abds2:0:ds2:3:cde"));
  assert.deepEqual(payloads.map(String), ["ab", "", "cde"]);
});
