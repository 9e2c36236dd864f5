/** Tests the calls of a client while it learns that a daemon speaks only version 1. */
import assert from "node:assert/strict";
import type { Socket } from "node:net";
import { test } from "node:test";
import { until } from "../../support/until.js";
import { FakeServer } from "../fake-server.js";
import { client2Of, ServedDaemon } from "../served-daemon.js";

/** Starts a version 1 server that closes the connection after the hello only when `close` is called. */
async function startOld() {
  const server = await FakeServer.start("answer");
  const hellos: Socket[] = [];
  server.hello = (socket) => void hellos.push(socket);
  return {
    server,
    hasHello: () => hellos.length > 0,
    close: () => {
      for (const socket of hellos) socket.end();
    },
    [Symbol.asyncDispose]: () => server[Symbol.asyncDispose](),
  };
}

test("calls that are signed, being signed and not signed reach a version 1 daemon in their order", async () => {
  await using old = await startOld();
  await using daemon = await ServedDaemon.start();
  let isSigning = false;
  const signAsync = () => {
    isSigning = true;
    return new Promise<Buffer>(() => {});
  };
  await using client = client2Of([old.server, daemon], { versions: "1,2", signAsync });
  daemon.passes = (answers) => (daemon.daemon.applied.length > 0 ? [] : answers);
  const first = client.send("SET k 1");
  await until("the first envelope", () => daemon.envelopes.length === 1 && old.hasHello());
  const second = client.send("SET k 2");
  await until("the second signature", () => isSigning);
  const third = client.send("SET k 3");
  old.close();
  await Promise.all([first, second, third]);
  const sent = old.server.requests.map((request) => /SET k (\d)/.exec(request.toString("latin1"))?.[1]);
  assert.deepEqual(sent, ["1", "2", "3"]);
});
