/** Tests the state of a listener before its start and after its end. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { NO_OBSERVER } from "../../../../daemon/engine/pipeline/pipeline-parts.js";
import { CONNECTION_REFUSALS } from "../../../../daemon/net/connections/connection-refusals.js";
import { SocketListener } from "../../../../daemon/net/connections/socket-listener.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { keepLog } from "../../../support/log-lines.js";
import { defaultLimits } from "../../program/in-process.js";

test("a listener has an address before its start and after its end, because --admin also reports it at these times", async () => {
  const listener = new SocketListener({
    name: "test",
    address: "127.0.0.1",
    port: 0,
    options: { address: "-l", port: "-p" },
    gate: null,
    fullText: "",
    observer: NO_OBSERVER,
    limits: defaultLimits,
    refusals: CONNECTION_REFUSALS,
    environment: realEnvironment,
    log: keepLog("debug").log,
    connector: () => () => assert.fail("no client connects"),
  });
  assert.deepEqual(listener.address, { address: "127.0.0.1", port: 0 });
  await listener.start();
  const { port } = listener.address;
  assert.ok(port > 0);
  await listener.stop();
  assert.equal(listener.address.port, port);
});
