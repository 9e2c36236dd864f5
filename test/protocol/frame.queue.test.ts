/** Tests the queue of received frames, and the memory that it counts. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameQueue, writeFrame } from "../../protocol/frame.js";

const latin1 = (text: string) => Buffer.from(text, "latin1");

test("frames are returned in order, whether they arrived in one piece or in several", () => {
  const queue = new FrameQueue(100);
  assert.equal(queue.push(latin1(writeFrame("a") + writeFrame("b"))), true);
  assert.equal(queue.next()?.toString("latin1"), "a");
  queue.push(latin1(writeFrame("c")));
  const rest = [queue.next(), queue.next(), queue.next()];
  assert.deepEqual(
    rest.map((payload) => payload?.toString("latin1")),
    ["b", "c", undefined],
  );
  assert.equal(queue.version, 1);
});

test("push reports pieces that begin or complete a frame, but not pieces that only continue a frame", () => {
  const queue = new FrameQueue(100);
  const told = ["ds2:3", ":ab", "c", "ds2:1:dds2:", "1:e"].map((piece) => queue.push(latin1(piece)));
  assert.deepEqual(told, [true, false, true, true, true]);
  assert.equal(queue.isMidRequest, false);
  assert.equal(queue.version, 2);
});

test("each piece counts as more bytes than it contains, until its frame is removed", () => {
  const queue = new FrameQueue(100);
  for (const byte of writeFrame("abc")) queue.push(latin1(byte));
  const ofBytes = queue.heldBytes;
  queue.push(latin1("ds:4:"));
  assert.ok(queue.isMidRequest);
  const withUnfinished = queue.heldBytes;
  assert.ok(ofBytes > 100 * writeFrame("abc").length && withUnfinished > ofBytes);
  queue.next();
  assert.equal(queue.heldBytes, withUnfinished - ofBytes);
  queue.push(latin1("abcd"));
  queue.next();
  assert.equal(queue.heldBytes, 0);
});

test("invalid bytes are reported after the frames before them", () => {
  const queue = new FrameQueue(100);
  queue.push(latin1(`${writeFrame("a")}x`));
  assert.equal(queue.next()?.toString("latin1"), "a");
  assert.equal(queue.next(), null);
  assert.match(queue.malformed?.message ?? "", /expected a frame/);
});
