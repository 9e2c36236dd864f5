/** Replies cut out of a stream, however they come. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { RespReplyCutter } from "../../../protocol/resp/reply-cutter.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";

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
  "%2\r\n+a\r\n:1\r\n+b\r\n~2\r\n:1\r\n:2\r\n",
  "_\r\n",
  "#t\r\n",
  ",1.5\r\n",
  "(123\r\n",
  "=7\r\ntxt:abc\r\n",
  "|1\r\n+ttl\r\n:3\r\n$1\r\nv\r\n",
  `$100000\r\n${"\r\n".repeat(50_000)}\r\n`,
];

test("replies come out whole, in any pieces", () => {
  console.log(`DBSYNC_SEED=${seed}`);
  const random = new SeededRandom(seed);
  const stream = REPLIES.join("");
  for (const most of [1, 3, 20, 5000, stream.length]) {
    const taken: string[] = [];
    const cutter = new RespReplyCutter(1 << 20, (reply) => taken.push(reply));
    for (let at = 0; at < stream.length; ) {
      const length = random.between(1, most);
      cutter.push(stream.slice(at, at + length));
      at += length;
    }
    assert.deepEqual(taken, REPLIES);
    assert.equal(cutter.heldBytes, 0);
    assert.equal(cutter.problem, null);
  }
});

test("pushes are told apart", () => {
  const pushes: boolean[] = [];
  const cutter = new RespReplyCutter(1000, (_, isPush) => pushes.push(isPush));
  cutter.push("+OK\r\n>2\r\n+invalidate\r\n*1\r\n$1\r\nk\r\n+OK\r\n");
  assert.deepEqual(pushes, [false, true, false]);
});

test("what is no reply, nested too deep or too long is told", () => {
  const problemOf = (text: string) => {
    const cutter = new RespReplyCutter(1000, () => {});
    cutter.push(text);
    return cutter.problem;
  };
  assert.equal(problemOf("HTTP/1.1 400\r\n"), "no-reply");
  assert.equal(problemOf("$x\r\n"), "no-reply");
  assert.equal(problemOf("*1\r\n".repeat(100)), "no-reply");
  assert.equal(problemOf("$5000\r\nxx"), "too-long");
  assert.equal(problemOf(`+${"x".repeat(2000)}`), "too-long");
  assert.equal(problemOf("$1\r\nx\r\n"), null);
});
