/** Tests that a stream contains the same requests for any division into chunks. DBSYNC_SEED replays a run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { bytesInUse } from "../../../../test/support/garbage.js";
import { seed } from "../../../../test/support/seed.js";
import { SeededRandom } from "../../../../test/support/seeded-random.js";
import { JsonLineParser } from "../../bytes/json-lines.js";

const STREAMS = 300;
const BYTES_MAX = 40;
const BREAKS = ["\n", "\r\n", " \n", "\t\r\n"];
const TEXTS = ["", "]}", '{"[', "\\", '\\"', "é", "日本", "🙂", "\\\\", "}", "a b", "\u0000x"];
/** Lines that are not JSON or have no closing bracket. The parser waits for their line breaks. */
const ODD = ["quit", "nope", "1", '"only ]} a string"', "null", '{"open":[', "\u00ff"];

function value(random: SeededRandom, depth = 0): unknown {
  const kind = random.below(depth > 3 ? 2 : 4);
  if (kind === 0) return random.below(1000);
  if (kind === 1) return random.oneOf(TEXTS);
  const values = Array.from({ length: random.below(4) }, () => value(random, depth + 1));
  if (kind === 2) return values;
  return Object.fromEntries(values.map((one) => [random.oneOf(TEXTS), one]));
}

/** Returns a random line: usually a request, which is a JSON object, and otherwise a line of ODD. */
function lineOf(random: SeededRandom): string {
  return random.chance(0.2) ? random.oneOf(ODD) : JSON.stringify({ data: value(random) });
}

/** Returns a parser's requests from chunks whose memory is reused; the last item is whether a line was too long. */
function requestsOf(chunks: readonly Buffer[], maxBytes: number): (string | boolean)[] {
  const parser = new JsonLineParser(maxBytes);
  const requests: (string | boolean)[] = [];
  const take = (most: number) => {
    for (let line = parser.next(); line !== null; line = --most > 0 ? parser.next() : null)
      requests.push(line.toString("latin1"));
  };
  for (const chunk of chunks) {
    const lent = Buffer.from(chunk);
    parser.push(lent);
    take(2);
    parser.copyUnread();
    lent.fill("~");
    take(Number.POSITIVE_INFINITY);
  }
  return [...requests, parser.isTooLong];
}

function cut(stream: Buffer, random: SeededRandom): Buffer[] {
  const longest = random.oneOf([1, 3, 20, 300, stream.length]);
  const chunks: Buffer[] = [];
  for (let at = 0; at < stream.length; ) {
    const end = at + random.between(1, longest);
    chunks.push(stream.subarray(at, end));
    at = end;
  }
  return chunks;
}

/** Compares parsers on random streams. @returns the number of streams with a line that was too long */
function compareStreams(maxBytes: number, breaks: readonly string[]): number {
  let tooLong = 0;
  for (let number = 0; number < STREAMS; number++) {
    const random = new SeededRandom(seed(), number);
    const lines = Array.from({ length: random.between(1, 12) }, () => lineOf(random));
    const stream = Buffer.from(lines.map((line) => `${line}${random.oneOf(breaks)}`).join(""), "utf8");
    const whole = requestsOf([stream], maxBytes);
    assert.deepEqual(requestsOf(cut(stream, random), maxBytes), whole, `stream ${number}`);
    if (whole.at(-1) === true) tooLong++;
    else {
      const sent = lines.map((line) => Buffer.from(line, "utf8").toString("latin1"));
      assert.deepEqual(whole, [...sent, false], `stream ${number}`);
    }
  }
  return tooLong;
}

test("requests are the same for any division into pieces", () => {
  assert.equal(compareStreams(1024 * 1024, BREAKS), 0);
});

test("a request without a line break ends with its last closing bracket, however long its strings are", () => {
  for (let length = 0; length < 200; length++)
    for (const escaped of ['\\"', "\\\\", "\\u0022", ""]) {
      const plain = "x".repeat(length);
      const begun = `{"a":"${plain}${escaped}}`;
      for (const sent of [[begun, '"}'], [begun.slice(0, -2), begun.slice(-2), '"', "}"], [`${begun}"}`]])
        assert.deepEqual(
          requestsOf(
            sent.map((piece) => Buffer.from(piece)),
            1024,
          ),
          [`${begun}"}`, false],
          begun,
        );
    }
});

// Spaces before a line break count towards the length of the line, unless the parser has already returned the request.
// That depends on the division, so these lines do not end with spaces.
test("a line that is too long ends the requests at the same position for any division into pieces", () => {
  const tooLong = compareStreams(BYTES_MAX, ["\n"]);
  assert.ok(tooLong > 0 && tooLong < STREAMS, `${tooLong} of ${STREAMS} had one`);
});

test("a request of several lines is accepted if it arrives in one piece", () => {
  const pretty = JSON.stringify({ action: "get", where: { "]": ['{\\"', 1] }, limit: {} }, null, 2);
  const cases: readonly (readonly [sent: string, requests: readonly string[]])[] = [
    [pretty, [pretty]],
    [`${pretty}\n`, [pretty]],
    [`\r\n${pretty}\r\n{"a":1}\n`, ["", pretty, '{"a":1}']],
    [`${pretty}\n${pretty}\nquit\n`, [pretty, pretty, "quit"]],
    ['{"a":1\n{"a":\n2}\n', ['{"a":1', '{"a":', "2}"]],
    ["[\n]\n[1,\n2]\n", ["[\n]", "[1,\n2]"]],
    ['{"a":"\n"}\n', ['{"a":"\n"}']],
    ["nope\n}\n", ["nope", "}"]],
    // The first line begins and ends with a bracket.
    ['{"a":{}\n}\n', ['{"a":{}\n}']],
    ['{"a":{}\r\n\n , "b":[[]\n]}\n{"c":1}\n', ['{"a":{}\r\n\n , "b":[[]\n]}', '{"c":1}']],
    ['[[]\n,{"a":[]}\n]', ['[[]\n,{"a":[]}\n]']],
    ['{"a":1}\n}\n{"b":1}\n', ['{"a":1}', "}", '{"b":1}']],
  ];
  for (const [sent, requests] of cases)
    assert.deepEqual(requestsOf([Buffer.from(sent)], 1024), [...requests, false], sent);
});

test("the time for many unclosed lines is proportional to their bytes", () => {
  const lines = 200_000;
  assert.equal(requestsOf([Buffer.from("{\n".repeat(lines))], 1024).length, lines + 1);
});

test("a line that arrives byte by byte needs little more memory than its bytes", () => {
  const bytes = 300_000;
  const parser = new JsonLineParser(bytes);
  const before = bytesInUse();
  for (let left = bytes; left > 0; left--) parser.push(Buffer.from([0x20]));
  const taken = bytesInUse() - before;
  assert.equal(parser.heldBytes, bytes);
  assert.ok(taken < 4 * bytes, `${taken} bytes`);
});
