/** Tests the state of a listener before its start and after its end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { plainListener } from "./plain-listener.js";

test("a listener has an address before its start and after its end, because --admin also reports it at these times", async () => {
  const listener = plainListener(() => () => assert.fail("no client connects"));
  assert.deepEqual(listener.address, { address: "127.0.0.1", port: 0 });
  await listener.start();
  const { port } = listener.address;
  assert.ok(port > 0);
  await listener.stop();
  assert.equal(listener.address.port, port);
});
