/** Tests the replies in a stream, in any division of their bytes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { PlainReply } from "../../../../protocol/reply.js";
import { RespReader } from "../../../../protocol/resp/resp-reader.js";
import { RespReplyStream } from "../../../../tools/cli/redis/redis-source.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";

const seed = seedOfRun();
const REPLIES = [
  "+OK\r\n",
  "-ERR no\r\n",
  ":12\r\n",
  "$5\r\nhe\r\no\r\n",
  "$0\r\n\r\n",
  "$-1\r\n",
  "*0\r\n",
  "*-1\r\n",
  "*3\r\n$1\r\na\r\n*2\r\n:1\r\n*0\r\n+x\r\n",
  "*1\r\n*1\r\n*1\r\n$2\r\nab\r\n",
  `$100000\r\n${"\r\n".repeat(50_000)}\r\n`,
];

function taken(stream: RespReplyStream): PlainReply[] {
  const replies: PlainReply[] = [];
  for (let reply = stream.next(); reply !== null; reply = stream.next()) replies.push(reply);
  return replies;
}

test("replies are the same in one piece and in pieces of any length", () => {
  const random = new SeededRandom(seed);
  const bytes = Buffer.from(REPLIES.join(""), "latin1");
  const expected = REPLIES.map((reply) => new RespReader(Buffer.from(reply, "latin1")).readReply());
  for (const most of [1, 3, 20, 5000, bytes.length]) {
    const stream = new RespReplyStream(1 << 20);
    const replies: PlainReply[] = [];
    for (let at = 0; at < bytes.length; ) {
      const length = random.between(1, most);
      stream.push(bytes.subarray(at, at + length));
      replies.push(...taken(stream));
      at += length;
    }
    assert.deepEqual(replies, expected);
    assert.deepEqual([stream.isMidAnswer, stream.problem], [false, null]);
  }
});

test("invalid, too deeply nested or too long replies end the stream", () => {
  const problemOf = (text: string) => {
    const stream = new RespReplyStream(1000);
    stream.push(Buffer.from(text, "latin1"));
    taken(stream);
    return stream.problem;
  };
  assert.match(problemOf("HTTP/1.1 400\r\n") ?? "", /is not a Redis reply/);
  assert.match(problemOf("$x\r\n") ?? "", /is not a Redis reply/);
  assert.match(problemOf(":x\r\n") ?? "", /is not a Redis reply/);
  assert.match(problemOf("*1\r\n".repeat(100)) ?? "", /is not a Redis reply/);
  assert.match(problemOf("*2\r\n+a\r\n$5000\r\nxx") ?? "", /longer than 1000/);
  assert.match(problemOf(`+${"x".repeat(2000)}`) ?? "", /longer than 1000/);
  assert.equal(problemOf("$1\r\nx\r\n"), null);
});
