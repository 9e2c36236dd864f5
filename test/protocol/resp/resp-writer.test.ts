import assert from "node:assert/strict";
import { test } from "node:test";
import { array, bulk } from "../../../protocol/reply.js";
import { isTooLong } from "../../../protocol/resp/resp-writer.js";

test("a long reply is too long from the first byte above the maximum, with and without nested arrays", () => {
  const texts = array(Array.from({ length: 1000 }, () => bulk("abc")));
  const pairs = array(Array.from({ length: 1000 }, () => array([bulk("ab"), bulk("c")])));
  for (const reply of [texts, pairs]) {
    assert.ok(isTooLong(reply, 2_999));
    assert.ok(!isTooLong(reply, 3_000));
  }
});
