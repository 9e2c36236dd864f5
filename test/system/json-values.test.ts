/** Unusual JSON values are stored, found and returned unchanged. */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { freePort } from "../support/free-port.js";
import { ask } from "../support/json-lines.js";
import { RawClient } from "../support/raw-client.js";

describe("JSON documents", { timeout: 120_000 }, () => {
  let daemon: DaemonProcess;
  let line: RawClient;
  before(async () => {
    const port = await freePort();
    daemon = await startDaemon(["--json", String(port)]);
    line = await RawClient.open(port);
  });
  after(async () => {
    line?.[Symbol.dispose]();
    await daemon?.[Symbol.asyncDispose]();
  });

  test("a query with the text of a 64-bit integer finds only that entry", async () => {
    await ask(line, '{"action":"create","document":"big"}');
    await ask(
      line,
      '{"action":"insert","document":"big","data":[{"n":"9007199254740993"},{"n":"9007199254740992"}]}',
    );
    const found = await ask(line, '{"action":"get","document":"big","query":{"n":"9007199254740993"}}');
    assert.match(found, /9007199254740993/);
    assert.doesNotMatch(found, /9007199254740992/);
  });

  test("a number above 9007199254740992 is found and returned exactly", async () => {
    await ask(line, '{"action":"create","document":"numbers"}');
    await ask(
      line,
      '{"action":"insert","document":"numbers","data":[{"n":9007199254740993},{"n":9007199254740992}]}',
    );
    const found = await ask(line, '{"action":"get","document":"numbers","query":{"n":9007199254740993}}');
    assert.match(found, /9007199254740993/);
    assert.doesNotMatch(found, /9007199254740992/);
  });

  test("the name of a member may contain NUL", async () => {
    await ask(line, '{"action":"create","document":"nul"}');
    await ask(line, '{"action":"insert","document":"nul","data":[{"a\\u0000b":1}]}');
    assert.match(await ask(line, '{"action":"get","document":"nul"}'), /"a\\u0000b":1/);
    assert.match(
      await ask(line, '{"action":"get","document":"nul","query":{"a\\u0000b":1}}'),
      /"a\\u0000b":1/,
    );
  });

  test("the name of a member may begin with $", async () => {
    await ask(line, '{"action":"create","document":"dollar"}');
    await ask(line, '{"action":"insert","document":"dollar","data":[{"$set":1,"a":2},{"$set":2,"a":2}]}');
    const found = await ask(line, '{"action":"get","document":"dollar","query":{"$set":2}}');
    assert.match(found, /"\$set":2/);
    assert.doesNotMatch(found, /"\$set":1/);
  });
});
