/** Tests that no line of a client of another protocol reaches a server through the balancer or the cache. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { answerUntilClosed, clientHello } from "../../support/client-hello.js";
import { startBalancer } from "./balancer/scene.js";
import { startCache } from "./cache/scene.js";
import { FakeSqlServer } from "./sql-server.js";

const WRITE = ";create database stolen;";
const REQUEST = "POST /;x HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n";

const STARTS = {
  balancer: ({ port }: FakeSqlServer) => startBalancer([{ id: "m1", port }]),
  cache: ({ port }: FakeSqlServer) => startCache(port),
};

for (const [name, start] of Object.entries(STARTS))
  test(`the ${name} closes TLS and HTTP clients, and executes nothing that they sent`, async () => {
    const server = await FakeSqlServer.start();
    await using proxy = await start(server);
    assert.equal(await answerUntilClosed(proxy.port, await clientHello(WRITE)), "");
    assert.equal(await answerUntilClosed(proxy.port, `${REQUEST}${WRITE}\r\n`), "");
    assert.deepEqual(
      server.statements.filter((statement) => statement.includes("stolen")),
      [],
    );
    await server.stop();
  });
