/** Trial D20. Unusual JSON values are stored, found and returned unchanged. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { freePort } from "../support/free-port.js";
import { JsonLine } from "../support/json-line.js";

describe("JSON documents", { timeout: 120_000 }, () => {
  let daemon: DaemonProcess;
  let line: JsonLine;
  before(async () => {
    const port = await freePort();
    daemon = await startDaemon(["--json", String(port)]);
    line = await JsonLine.open(port);
  });
  after(async () => {
    line?.[Symbol.dispose]();
    await daemon?.[Symbol.asyncDispose]();
  });

  test("a query with the text of a 64-bit integer finds only that entry", async () => {
    await line.text('{"action":"create","document":"big"}');
    await line.text(
      '{"action":"insert","document":"big","data":[{"n":"9007199254740993"},{"n":"9007199254740992"}]}',
    );
    const found = await line.text('{"action":"get","document":"big","query":{"n":"9007199254740993"}}');
    assert.match(found, /9007199254740993/);
    assert.doesNotMatch(found, /9007199254740992/);
  });

  test("a number above 9007199254740992 is found and returned exactly", async () => {
    await line.text('{"action":"create","document":"numbers"}');
    await line.text(
      '{"action":"insert","document":"numbers","data":[{"n":9007199254740993},{"n":9007199254740992}]}',
    );
    const found = await line.text('{"action":"get","document":"numbers","query":{"n":9007199254740993}}');
    assert.match(found, /9007199254740993/);
    assert.doesNotMatch(found, /9007199254740992/);
  });

  test("the name of a member may contain NUL", async () => {
    await line.text('{"action":"create","document":"nul"}');
    await line.text('{"action":"insert","document":"nul","data":[{"a\\u0000b":1}]}');
    assert.match(await line.text('{"action":"get","document":"nul"}'), /"a\\u0000b":1/);
    assert.match(
      await line.text('{"action":"get","document":"nul","query":{"a\\u0000b":1}}'),
      /"a\\u0000b":1/,
    );
  });

  test("the name of a member may begin with $", async () => {
    await line.text('{"action":"create","document":"dollar"}');
    await line.text('{"action":"insert","document":"dollar","data":[{"$set":1,"a":2},{"$set":2,"a":2}]}');
    const found = await line.text('{"action":"get","document":"dollar","query":{"$set":2}}');
    assert.match(found, /"\$set":2/);
    assert.doesNotMatch(found, /"\$set":1/);
  });
});
