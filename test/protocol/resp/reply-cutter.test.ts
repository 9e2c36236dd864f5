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
  assert.equal(problemOf(">2\r\n+invalidate\r\n$5000\r\nxx"), "too-long");
  assert.equal(problemOf(`+${"x".repeat(2000)}`), "too-long");
  assert.equal(problemOf("$1\r\nx\r\n"), null);
});

test("a reply that is too long is told in its place, and costs no other", () => {
  const long = `$5000\r\n${"x".repeat(5000)}\r\n`;
  const told = "-ERR the answer is longer than any may be\r\n";
  for (const [stream, due] of [
    [`+a\r\n${long}+b\r\n`, ["+a\r\n", told, "+b\r\n"]],
    [`*3\r\n:1\r\n${long}:2\r\n+b\r\n${long}`, [told, "+b\r\n", told]],
    [`*2\r\n*300\r\n${"$4\r\nabcd\r\n".repeat(300)}:1\r\n>1\r\n+p\r\n`, [told, ">1\r\n+p\r\n"]],
  ] as const)
    for (const piece of [1, 7, 100]) {
      const taken: string[] = [];
      let most = 0;
      const cutter = new RespReplyCutter(1000, (reply) => taken.push(reply));
      for (let at = 0; at < stream.length; at += piece) {
        cutter.push(stream.slice(at, at + piece));
        most = Math.max(most, cutter.heldBytes);
      }
      assert.deepEqual(taken, due);
      assert.equal(cutter.problem, null);
      assert.equal(cutter.heldBytes, 0);
      assert.ok(most <= 1000, `${most} bytes were held`);
    }
});
