/** --json-replica: servers that hang, go and come back. What the original's conversations show is in replay.test.ts. */
import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { freePort } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { until } from "../replicas.js";
import { ask, startJson } from "./scene.js";

/** Takes connections and never says a word. */
async function startSilent(): Promise<
  AsyncDisposable & { readonly port: number; readonly connections: number }
> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer((socket) => {
    connections++;
    sockets.add(socket.on("error", () => {}));
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    port: (server.address() as { port: number }).port,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("a server that says nothing holds one write up, and not the next ones", async () => {
  await using silent = await startSilent();
  await using ours = await startJson({ replicas: [silent.port], limits: { jsonReplicaTimeout: 50 } });
  using client = await RawClient.open(ours.port);
  const away = () => ours.log.filter(({ msg }) => /is away/.test(String(msg))).length;
  assert.match(await ask(client, { action: "create", document: "d" }), /"replicated":false/);
  assert.equal(away(), 1);
  for (let n = 0; n < 20; n++)
    assert.match(await ask(client, { action: "insert", document: "d", data: [{ n }] }), /"replicated":false/);
  assert.ok(silent.connections <= 3, "each write tried anew");
});

test("what a server missed is sent by itself when it is back, whatever the size", async () => {
  const port = await freePort();
  await using ours = await startJson({ replicas: [port] });
  using client = await RawClient.open(ours.port);
  const long = "x".repeat(900);
  await ask(client, { action: "create", document: "täble" });
  const data = Array.from({ length: 300 }, (_, n) => ({ n, long }));
  assert.match(await ask(client, { action: "insert", document: "täble", data }), /"replicated":false/);
  await ask(client, { action: "create", document: "gone" });
  await ask(client, { action: "drop", document: "gone" });
  // The link is tried each second, which the log need not tell each time.
  const said = (words: RegExp) => ours.log.filter(({ msg }) => words.test(String(msg))).length;
  assert.equal(said(/is away/), 1);
  await using replica = await startJson({ port });
  using reader = await RawClient.open(replica.port);
  const count = () => ask(reader, { action: "count", document: "täble" });
  await until("it has all", async () => (await count()) === '{"status":"success","count":300}');
  const [there, here] = [reader, client].map((one) => ask(one, { action: "getall" }));
  assert.equal(await there, await here);
  assert.equal(said(/has all documents again/), 1);
});

test("writes of several clients reach a server once each, in their order", async () => {
  await using replica = await startJson();
  await using ours = await startJson({ replicas: [replica.port] });
  using first = await RawClient.open(ours.port);
  using second = await RawClient.open(ours.port);
  await ask(first, { action: "create", document: "d" });
  const inserts = Array.from({ length: 100 }, (_, n) =>
    ask(n % 2 === 0 ? first : second, { action: "insert", document: "d", data: [{ n }] }),
  );
  await Promise.all(inserts.map(async (one) => assert.match(await one, /"replicated":true/)));
  // Updates of an entry are not the same in the original: the document is sent as a whole.
  const update = { action: "update", document: "d", id: 7, data: { n: -7 } };
  assert.match(await ask(first, update), /"replicated":true/);
  using reader = await RawClient.open(replica.port);
  const request = { action: "get", document: "d" };
  assert.equal(await ask(reader, request), await ask(first, request));
});
