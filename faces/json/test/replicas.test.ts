/**
 * Tests --json-replica with servers that hang, stop and return. replay.test.ts covers the conversations of the
 * original.
 */
import assert from "node:assert/strict";
import { createServer, type Server, type Socket } from "node:net";
import { test } from "node:test";
import { CuttablePort } from "../../../test/support/cuttable-port.js";
import { freePort } from "../../../test/support/free-port.js";
import { ask } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { until } from "../../../test/support/until.js";
import { startAsOriginal } from "./as-original.js";
import { startJson, startJsonAlone } from "./scene.js";

const CUTS = 30;
const NO_DOCUMENTS = '{"status":"success","documents":[],"replicated":false}';
const DONE = '{"status":"success"}';

/** Starts a server that accepts connections and never answers. */
async function startSilent(
  port: number,
): Promise<AsyncDisposable & { readonly port: number; readonly connections: number }> {
  const sockets = new Set<Socket>();
  let connections = 0;
  const server: Server = createServer((socket) => {
    connections++;
    sockets.add(socket.on("error", () => {}));
    socket.resume();
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    port,
    get connections() {
      return connections;
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

interface Original extends AsyncDisposable {
  readonly port: number;
  readonly requests: readonly string[];
  readonly connections: number;
  closeAll(): void;
}

/**
 * Starts a server that answers like the original: it treats all bytes of one read as one request, and answers in a
 * later turn of the event loop.
 */
async function startOriginal({
  port = 0,
  answerTo = () => DONE,
}: {
  port?: number;
  /** Returns the answer, or null if there is none. */
  answerTo?: (request: string) => string | null;
} = {}): Promise<Original> {
  const sockets = new Set<Socket>();
  const requests: string[] = [];

  const server: Server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}).on("close", () => sockets.delete(socket)));
    socket.on("data", (chunk) => {
      const request = chunk.toString();
      requests.push(request);
      const answer = request.includes("listindexes")
        ? '{"status":"error","message":"The action \'listindexes\' provided is not valid."}'
        : request.includes('"getall"')
          ? NO_DOCUMENTS
          : answerTo(request);
      if (answer !== null) setImmediate(() => socket.write(`${answer}\n\r`));
    });
  });

  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    port: (server.address() as { port: number }).port,
    requests,
    get connections() {
      return sockets.size;
    },
    closeAll() {
      for (const socket of sockets) socket.end();
    },
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

test("a silent server delays the first write, but not later ones", async () => {
  const port = await freePort();
  await using ours = await startJsonAlone({ replicas: [port], limits: { jsonReplicaTimeout: 50 } });
  await using silent = await startSilent(port);
  using client = await RawClient.open(ours.port);
  const reports = () => ours.log.filter(({ msg }) => /is unreachable/.test(String(msg))).length;
  assert.match(await ask(client, { action: "create", document: "d" }), /"replicated":false/);
  assert.equal(reports(), 1);
  for (let n = 0; n < 20; n++)
    assert.match(await ask(client, { action: "insert", document: "d", data: [{ n }] }), /"replicated":false/);
  assert.ok(silent.connections < 20, "each write tried to connect again");
});

test("a new timeout applies immediately, even to a write that is already waiting", async () => {
  await using original = await startOriginal({
    answerTo: (request) => (request.includes('"create"') ? null : DONE),
  });
  const limits = { jsonReplicaTimeout: 3_600_000 };
  await using ours = await startJson({ replicas: [original.port], limits });
  using client = await RawClient.open(ours.port);
  const answered = ask(client, { action: "create", document: "d" });
  await until("the original receives the write", () =>
    original.requests.some((request) => request.includes("create")),
  );
  ours.reload({ jsonReplicaTimeout: 50 });
  assert.match(await answered, /"replicated":false/);
});

test("missed writes are sent automatically when the server is back, whatever their size", async () => {
  const port = await freePort();
  await using ours = await startJsonAlone({ replicas: [port] });
  using client = await RawClient.open(ours.port);

  const long = "x".repeat(900);
  await ask(client, { action: "create", document: "täble" });
  const data = Array.from({ length: 300 }, (_, n) => ({ n, long }));
  assert.match(await ask(client, { action: "insert", document: "täble", data }), /"replicated":false/);
  await ask(client, { action: "create", document: "gone" });
  await ask(client, { action: "drop", document: "gone" });

  // The daemon retries the connection each second, but need not log each attempt.
  const logged = (words: RegExp) => ours.log.filter(({ msg }) => words.test(String(msg))).length;
  assert.equal(logged(/is unreachable/), 1);

  await using replica = await startAsOriginal({ port });
  using reader = await RawClient.open(replica.port);
  const count = () => ask(reader, { action: "count", document: "täble" });
  await until("all entries are there", async () => (await count()) === '{"status":"success","count":300}');
  const [remote, local] = [reader, client].map((one) => ask(one, { action: "getall" }));
  assert.equal(await remote, await local);
  await until("the recovery is logged", () => logged(/has all documents again/) === 1);
});

test("a restarted server receives all its documents with the next write", async () => {
  for (const start of [startAsOriginal, startOriginal] as const) {
    const port = await freePort();
    await using ours = await startJsonAlone({ replicas: [port] });
    const clients = await Promise.all(Array.from({ length: 8 }, () => RawClient.open(ours.port)));
    const [client] = clients as [RawClient];
    {
      await using _ = await start({ port });
      for (const document of ["d", "e", "f"]) await ask(client, { action: "create", document });
      await ask(client, { action: "drop", document: "f" });
      const first = await ask(client, { action: "insert", document: "d", data: [{ n: 0 }, { n: 1 }] });
      assert.match(first, /"replicated":true/);
    }
    await using replica = await startAsOriginal({ port });
    using reader = await RawClient.open(replica.port);
    const inserts = clients.map((one, n) => ask(one, { action: "insert", document: "e", data: [{ n }] }));
    for (const one of await Promise.all(inserts)) assert.match(one, /"replicated":true/);
    const request = { action: "getall" };
    assert.equal(await ask(reader, request), await ask(client, request));
    for (const one of clients) one[Symbol.dispose]();
  }
});

test("a connection that was closed in the meantime is opened again, and nothing is sent twice", async () => {
  await using original = await startOriginal({
    answerTo: (request) =>
      request.includes('"list"') ? '{"status":"success","documents":[7,"\\u00e9"]}' : DONE,
  });
  await using ours = await startJson({ replicas: [original.port] });
  using client = await RawClient.open(ours.port);
  for (const document of ["7", "é"]) await ask(client, { action: "create", document });

  original.closeAll();
  await until("the connection is closed", () => original.connections === 0);
  const before = original.requests.length;

  const insert = { action: "insert", document: "é", data: [{ n: 1 }] };
  assert.match(await ask(client, insert), /"replicated":true/);
  const sent = original.requests.slice(before).map((request) => JSON.parse(request) as { action: string });
  assert.deepEqual(
    sent.map(({ action }) => action),
    ["listindexes", "list", "get", "get", "insert"],
  );
});

test("writes of several clients are sent to a server once each, in order", async () => {
  await using replica = await startAsOriginal();
  await using ours = await startJson({ replicas: [replica.port] });
  using first = await RawClient.open(ours.port);
  using second = await RawClient.open(ours.port);
  await ask(first, { action: "create", document: "d" });
  const inserts = Array.from({ length: 100 }, (_, n) =>
    ask(n % 2 === 0 ? first : second, { action: "insert", document: "d", data: [{ n }] }),
  );
  await Promise.all(inserts.map(async (one) => assert.match(await one, /"replicated":true/)));
  // The original treats updates of an entry differently, so the complete document is sent.
  const update = { action: "update", document: "d", id: 7, data: { n: -7 } };
  assert.match(await ask(first, update), /"replicated":true/);
  using reader = await RawClient.open(replica.port);
  const request = { action: "get", document: "d" };
  assert.equal(await ask(reader, request), await ask(first, request));
});

test("an original server receives one request at a time, in the form that originals use", async () => {
  await using original = await startOriginal();
  await using ours = await startJson({ replicas: [original.port] });
  const clients = await Promise.all(Array.from({ length: 5 }, () => RawClient.open(ours.port)));
  const [first] = clients as [RawClient];
  await ask(first, { action: "create", document: "d" });
  const inserts = clients.map((client, n) => ask(client, { action: "insert", document: "d", data: [{ n }] }));
  for (const one of await Promise.all(inserts)) assert.match(one, /"replicated":true/);
  const update = { action: "update", document: "d", id: 2, data: { n: -2 } };
  assert.match(await ask(first, update), /"replicated":true/);
  for (const client of clients) client[Symbol.dispose]();
  const sent = original.requests.map((request) => request.split("\n"));
  assert.ok(sent.every(([, ...more]) => more.join("") === ""));
  const actions = sent.map(([line]) => (JSON.parse(line as string) as { action: string }).action);
  assert.deepEqual(actions, ["listindexes", "getall", "create", ...inserts.map(() => "insert"), "update"]);
});

test("a server whose connection is cut repeatedly during many writes eventually has everything", async () => {
  await using replica = await startAsOriginal();
  await using relay = await CuttablePort.open(() => replica.port);
  await using ours = await startJson({ replicas: [relay.port] });
  using control = await RawClient.open(ours.port);
  using reader = await RawClient.open(replica.port);

  const documents = ["c", "d"];
  for (const document of documents) {
    await ask(control, { action: "create", document });
    await ask(control, { action: "insert", document, data: [{ by: -1, n: -1 }] });
  }

  let isOver = false;
  const write = async (by: number) => {
    using client = await RawClient.open(ours.port);
    const document = documents[by % 2];
    for (let n = 0; !isOver; n++) {
      const update = { action: "update", document, id: 0, data: { n } };
      await ask(client, n % 3 === 0 ? update : { action: "insert", document, data: [{ by, n }] });
    }
  };

  const writing = Array.from({ length: 8 }, (_, by) => write(by));
  const contents = async (client: RawClient) => {
    const all: string[] = [];
    for (const document of documents) all.push(await ask(client, { action: "get", document }));
    return all.join("\n");
  };

  try {
    for (let round = 0; round < CUTS; round++) {
      const before = await contents(reader);
      await until("more documents have arrived", async () => (await contents(reader)) !== before);
      relay.cut();
    }

    isOver = true;
    await Promise.all(writing);
    await until("the contents are equal", async () => (await contents(reader)) === (await contents(control)));
  } finally {
    isOver = true;
    await Promise.all(writing);
  }
});
