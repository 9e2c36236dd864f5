import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { bytesOf } from "../../../protocol/byte-string.js";
import { array, bulk, EMPTY_ARRAY, integer, map, NIL, NIL_ARRAY, status } from "../../../protocol/reply.js";
import {
  readResponsePayload,
  replyText,
  writeResponseFrame,
} from "../../../protocol/version-1/response-v1.js";
import { seed } from "../../support/seed.js";

const latin1 = (text: string) => Buffer.from(text, "latin1");
const payloadOf = (frame: string) => latin1(frame.replace(/^ds:\d+:/, ""));

test("the values of all databases are parsed back from their chunks, with any bytes", () => {
  fc.assert(
    fc.property(fc.array(fc.uint8Array(), { minLength: 1, maxLength: 4 }), (values) => {
      const bytes = values.map((value) => bytesOf(Buffer.from(value)));
      assert.deepEqual(readResponsePayload(payloadOf(writeResponseFrame(bytes))), bytes);
    }),
    { seed: seed(), numRuns: 500 },
  );
});

test("responses equal the recorded bytes", () => {
  assert.equal(writeResponseFrame(["PONG"]), "ds:13:redis:5:PONG\0");
  assert.equal(writeResponseFrame(["OK", "OK"]), "ds:22:redis:3:OK\0redis:3:OK\0");
  assert.equal(writeResponseFrame(["a\nb\nc"]), "ds:14:redis:6:a\nb\nc\0");
});

test("a missing value is written as one NUL, or as an empty chunk next to another database's value", () => {
  assert.equal(writeResponseFrame([null]), "ds:1:\0");
  assert.equal(writeResponseFrame([null, null]), "ds:1:\0");
  assert.equal(writeResponseFrame([null, "v"]), "ds:19:redis:1:\0redis:2:v\0");
  assert.deepEqual(readResponsePayload(latin1("\0")), []);
});

test("replies are converted to text: elements joined by line feeds, nil as an empty line, nested arrays flattened", () => {
  assert.equal(replyText(status("OK")), "OK");
  assert.equal(replyText(integer(2n ** 62n)), "4611686018427387904");
  assert.equal(replyText(NIL), null);
  assert.equal(replyText(NIL_ARRAY), null);
  assert.equal(replyText(EMPTY_ARRAY), null);
  assert.equal(replyText(array([bulk("a"), NIL, bulk("c")])), "a\n\nc");
  assert.equal(replyText(array([NIL])), "");
  assert.equal(replyText(array([bulk("0"), array([bulk("x"), integer(2)])])), "0\nx\n2");
  assert.equal(replyText(map([bulk("f"), bulk("v")])), "f\nv");
});

test("a payload without chunks is refused with the offset", () => {
  for (const [payload, offset] of [
    ["", 0],
    ["redis", 0],
    ["redis:5:PON", 8],
    ["redis:0:", 8],
    ["redis:5:PONGX", 8],
    ["redis:3:OK\0junk", 11],
    ["redis:99999999999:x\0", 0],
  ] as const) {
    assert.throws(() => readResponsePayload(latin1(payload)), { name: "MalformedFrame", offset }, payload);
  }
});
