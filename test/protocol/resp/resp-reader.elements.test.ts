/** Tests the maximum number of elements in the replies of one message. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ELEMENTS_MAX, RespReader } from "../../../protocol/resp/resp-reader.js";

test("a message with more elements than the reader's limit is malformed before its elements are read", () => {
  const nested = `*2\r\n*1\r\n:1\r\n*${ELEMENTS_MAX}\r\n:1\r\n`;
  assert.throws(() => new RespReader(Buffer.from(nested)).readReply(), /expected at most \d+ elements/);
});
