/** Tests that a port holds back the bytes of one direction and forwards those of the other. */
import assert from "node:assert/strict";
import { once } from "node:events";
import { connect, createServer } from "node:net";
import { test } from "node:test";
import { CuttablePort, type Direction } from "./cuttable-port.js";
import { listenAtFreePort } from "./free-port.js";
import { until } from "./until.js";

for (const held of ["forward", "back"] as const satisfies readonly Direction[])
  test(`bytes that go ${held} are held back until they are released, and those of the other direction are not`, async (t) => {
    const received = { forward: "", back: "" };
    const server = createServer((socket) => {
      socket.on("data", (bytes) => {
        received.forward += bytes;
      });
      socket.on("error", () => {});
      socket.write("back");
    });

    const port = await listenAtFreePort(server);
    await using link = await CuttablePort.open(() => port);
    link.hold(held, true);

    const client = connect(link.port, "127.0.0.1");
    t.after(() => {
      client.destroy();
      server.close();
    });
    client.on("data", (bytes) => {
      received.back += bytes;
    });

    await once(client, "connect");
    client.write("forward");
    const free = held === "forward" ? "back" : "forward";
    await until("the bytes of the other direction arrive", () => received[free] === free);
    assert.equal(received[held], "");

    link.hold(held, false);
    await until("the held bytes arrive", () => received[held] === held);
  });
