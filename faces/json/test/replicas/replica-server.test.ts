/** Tests the connection to a JSON server in isolation. */
import assert from "node:assert/strict";
import { createServer } from "node:net";
import { test } from "node:test";
import { Queue } from "../../../../protocol/queue.js";
import { listenAtFreePort } from "../../../../test/support/free-port.js";
import { ReplicaConnection } from "../../replicas/replica-server.js";

const NOT_VALID = '{"status":"error","message":"The action \'listindexes\' provided is not valid."}\r';
const isProbe = (request: Buffer) => String(request).includes("listindexes");

test("an exception while parsing an answer fails the request on that connection, and nothing else", async (context) => {
  const server = createServer((socket) => {
    socket.on("error", () => {});
    socket.on("data", (request) => {
      if (String(request).includes("fail"))
        context.mock.method(
          Queue.prototype,
          "shift",
          () => {
            throw new TypeError("Cannot read properties of null");
          },
          { times: 1 },
        );
      socket.write(isProbe(request) ? NOT_VALID : '{"ok":true}\r');
    });
  });

  const port = await listenAtFreePort(server);
  let closed = 0;
  const bounds = { silenceMs: 60_000, maxBytes: 1000 };
  const connection = await ReplicaConnection.open(
    { host: "127.0.0.1", port },
    "mark",
    bounds,
    () => closed++,
  );

  assert.equal(await connection.request("fine"), '{"ok":true}');
  const [fail, next] = [connection.request("fail"), connection.request("next")];
  await assert.rejects(fail, /an error in this program: TypeError: Cannot read/);
  await assert.rejects(next, /an error in this program: TypeError: Cannot read/);
  assert.deepEqual([closed, connection.isLost], [1, true]);
  server.close();
});
