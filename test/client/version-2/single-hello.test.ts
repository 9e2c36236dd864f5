/** Tests the results of greeting a daemon, including each failure. */
import assert from "node:assert/strict";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { test } from "node:test";
import { realClientEnvironment } from "../../../client/shared/client-environment.js";
import { parseServers } from "../../../client/shared/server-list.js";
import { readHello } from "../../../client/version-2/single-hello.js";
import { startDaemon } from "../../../daemon/program/testing.js";
import { writeFrame } from "../../../protocol/frame.js";
import { writeRefused } from "../../../protocol/version-2/messages-v2.js";
import { listenAtFreePort, refusingAddress } from "../../support/free-port.js";
import { NAMELESS } from "../../support/nameless.js";

const greeting = (address: string, timeout = 5_000) => {
  const [server] = parseServers(address);
  return readHello(server!, realClientEnvironment, timeout);
};

test("a daemon with keys reports its versions, state, cluster and clock", async () => {
  await using daemon = await startDaemon();
  const found = await greeting(daemon.servers);
  assert.ok(found.kind === "hello");
  assert.deepEqual(
    [found.hello.versions, found.hello.state, found.hello.daemon.length],
    [[1, 2], "live", 32],
  );
  assert.equal(Buffer.from(found.hello.cluster, "latin1").toString("hex"), daemon.cluster);
  assert.ok(found.roundTrip > 0 && found.connecting > 0);
  assert.ok(Math.abs(found.clockDifference) <= found.roundTrip / 2 + 5, `${found.clockDifference}`);
});

test("a daemon without keys reports that it accepts only unsigned envelopes", async () => {
  await using daemon = await startDaemon({ key: false });
  const found = await greeting(daemon.servers);
  assert.ok(found.kind === "hello");
  assert.deepEqual(found.hello.versions, [1, 2]);
  assert.deepEqual([found.hello.cluster, found.hello.knows[0]], ["", "unsigned"]);
});

const ROWS: [behaviour: string, expected: string, act: (socket: Socket) => void][] = [
  ["closes without an answer", "closed", (socket) => socket.end()],
  ["resets", "closed", (socket) => socket.resetAndDestroy()],
  ["is silent", "timeout", () => {}],
  ["speaks HTTP", "garbage", (socket) => socket.write("HTTP/1.1 400 Bad Request\r\n\r\n")],
  ["answers in version 1", "garbage", (socket) => socket.write("ds:13:redis:5:PONG\0")],
  ["announces too much", "garbage", (socket) => socket.write("ds2:9999999999:*7\r\n")],
  ["closes in the middle", "lost", (socket) => socket.end("ds2:100:*7\r\n")],
  [
    "refuses",
    "refused",
    (socket) => {
      const refusal = {
        id: "",
        code: "malformed",
        sentence: "No.",
        clock: 1,
        effect: "not-applied",
      } as const;
      socket.end(writeFrame(writeRefused(refusal), 2), "latin1");
    },
  ],
];

for (const [behaviour, expected, act] of ROWS) {
  test(`the result for a server that ${behaviour} is ${expected}`, async () => {
    const sockets = new Set<Socket>();
    const server = createServer((socket) => {
      sockets.add(socket.on("error", () => {}).on("data", () => act(socket)));
    });
    await listenAtFreePort(server);
    const { port } = server.address() as AddressInfo;
    const found = await greeting(`127.0.0.1:${port}`, expected === "timeout" ? 1_000 : 20_000);
    assert.equal(found.kind === "failed" ? found.stage : found.kind, expected);
    for (const socket of sockets) socket.destroy();
    server.close();
  });
}

test("an unreachable server and an unknown name are reported as such", async () => {
  const dead = await greeting(await refusingAddress());
  assert.deepEqual(dead, { kind: "failed", stage: "connect", detail: "ECONNREFUSED" });
  const unknown = await greeting(NAMELESS);
  assert.equal(unknown.kind === "failed" && unknown.stage, "dns");
});
