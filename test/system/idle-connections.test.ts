/**
 * Attack: open many idle unauthenticated connections. They do not keep a client from connecting, neither to the port
 * for commands nor to the port for health checks.
 */
import assert from "node:assert/strict";
import { once } from "node:events";
import { request } from "node:http";
import { connect, type Socket } from "node:net";
import { describe, test } from "node:test";
import { startDaemon } from "../support/daemon-process.js";
import { Victims } from "./attacker/victims.js";

const LIMIT = { timeout: 300_000 };
const CONNECTIONS_MAX = 8;
const IDLE = 40;
const ADMIN_IDLE = 200;

async function idle(port: number, count: number, text = ""): Promise<Disposable> {
  const sockets: Socket[] = [];
  for (let i = 0; i < count; i++) {
    const socket = connect({ port, host: "127.0.0.1" });
    socket.on("error", () => {});
    await Promise.race([once(socket, "connect"), once(socket, "close")]);
    socket.write(text);
    sockets.push(socket);
  }
  return {
    [Symbol.dispose]() {
      for (const socket of sockets) socket.destroy();
    },
  };
}

/** Sends a request on a new connection. @returns the status code */
function statusOf(port: number, path: string): Promise<number> {
  return new Promise((resolve, reject) => {
    const sent = request({ port, host: "127.0.0.1", path, agent: false }, (response) => {
      response.resume();
      resolve(response.statusCode ?? 0);
    });
    sent.on("error", reject).end();
  });
}

describe("unauthenticated connections", { concurrency: true }, () => {
  test(
    "are closed at --max-connections in favour of clients that sign, and authenticated clients stay connected",
    LIMIT,
    async () => {
      await using victims = await Victims.start(1, { args: ["--max-connections", String(CONNECTIONS_MAX)] });
      await victims.allLive();
      using before = await victims.client();
      assert.equal(await before.text("SET", "k", "v"), "OK");
      using _idle = await idle(victims.port(0), IDLE);
      using client = await victims.client();
      assert.equal(await client.text("GET", "k"), "v");
      assert.equal(await before.text("GET", "k"), "v");
    },
  );

  test("are closed even if they have sent a part of a frame", LIMIT, async () => {
    await using victims = await Victims.start(1, { args: ["--max-connections", String(CONNECTIONS_MAX)] });
    await victims.allLive();
    using _half = await idle(victims.port(0), IDLE, "ds2:1000:*2\r\n");
    using client = await victims.client();
    assert.equal(await client.text("SET", "k", "v"), "OK");
  });

  for (const [state, text] of [
    ["silent", ""],
    ["half a request sent", "GET /healthz HTTP/1.1\r\nHost: x\r\n"],
    ["kept alive", "GET /healthz HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n"],
  ] as const) {
    test(`do not prevent /healthz from answering (${ADMIN_IDLE} connections: ${state})`, LIMIT, async () => {
      await using daemon = await startDaemon(["--admin", "0"]);
      const port = await daemon.portOf("/healthz and /metrics");
      using _idle = await idle(port, ADMIN_IDLE, text);
      for (let i = 0; i < 5; i++) assert.equal(await statusOf(port, "/healthz"), 200);
    });
  }
});
