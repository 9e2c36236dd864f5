/** Tests that the frames of pages have the same bytes as those of Node's client, and which messages are malformed. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FrameParser, frameHead, writeFrame } from "../../../client/browser/message-frames.js";
import * as nodes from "../../../protocol/frame.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";

const textsOf = (payloads: readonly Buffer[]) => payloads.map((payload) => payload.toString("latin1"));

test("a message yields the payloads that Node's parser finds", () => {
  const random = new SeededRandom(seedOfRun());
  for (let round = 0; round < 100; round++) {
    const payloads = Array.from({ length: random.below(5) }, () => ":".repeat(1 + random.below(300)));
    const message = Buffer.from(payloads.map(writeFrame).join(""), "latin1");
    assert.equal(message.toString("latin1"), payloads.map((each) => nodes.writeFrame(each, 2)).join(""));
    const [parser, nodesParser] = [new FrameParser(), new nodes.FrameParser(1000, 2)];
    assert.deepEqual(textsOf(parser.split(message)), textsOf(nodesParser.split(message)));
    assert.equal(parser.malformed, null);
  }
  assert.equal(frameHead(12), nodes.frameHead(12, 2));
});

test("a message that does not consist of complete frames of version 2 is malformed", () => {
  for (const rest of [
    "ds2:3:ab",
    "ds2:3",
    "ds2:03:abc",
    "ds2:0:",
    "ds2:-1:",
    "ds:3:abc",
    "HTTP/1.1 200 OK",
    "\0",
  ]) {
    const parser = new FrameParser();
    assert.deepEqual(textsOf(parser.split(Buffer.from(`ds2:1:x${rest}`))), ["x"], rest);
    assert.equal(parser.malformed?.offset, 7, rest);
  }
});
