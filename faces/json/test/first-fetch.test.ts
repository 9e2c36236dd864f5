/**
 * Tests that a daemon that could not fetch a server's documents is not ready, and never overwrites that server's
 * documents.
 */
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { describe, test } from "node:test";
import { amount } from "../../../test/support/amount.js";
import { freePort } from "../../../test/support/free-port.js";
import { ask } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { SeededRandom, seedOfRun } from "../../../test/support/seeded-random.js";
import { until } from "../../../test/support/until.js";
import { Original } from "./original.js";
import { startJson } from "./scene.js";

const ENTRIES = 100;
const NOT_READY = /"message":"This daemon has not fetched yet the documents of /;
const limits = { jsonReplicaTimeout: 300 };

/** Starts an original server with 100 entries in one document. */
async function startFull(port: number): Promise<Original> {
  const original = await Original.start(port, []);
  original.documents.set(
    "users",
    Array.from({ length: ENTRIES }, (_, n) => ({ n })),
  );
  return original;
}

/** What a server does instead of sending its documents: it may send bytes, or close the connection. */
type Fault = (socket: Socket, request: string) => void;
const UNKNOWN = '{"status":"error","message":"The action \'listindexes\' provided is not valid."}\n\r';
const probed =
  (fault: Fault): Fault =>
  (socket, request) =>
    request.includes("listindexes") ? socket.write(UNKNOWN) : fault(socket, request);

const FAULTS: Readonly<Record<string, Fault>> = {
  "accepts connections and is silent": () => {},
  "is silent when its documents are requested": probed(() => {}),
  "closes each connection": (socket) => socket.destroy(),
  "closes the connection in the middle of its answer": probed((socket) => {
    socket.end('{"status":"success","documents":{"users":[{"n":0},{"n"');
  }),
  "ends its answer in the middle": probed((socket) => {
    socket.write('{"status":"success","documents":{"users":[{"n":0},{"n"\n\r');
  }),
  "answers with an error": probed((socket) => {
    socket.write('{"status":"error","message":"no","documents":[]}\n\r');
  }),
  "answers without documents": probed((socket) => {
    socket.write('{"status":"success","replicated":false}\n\r');
  }),
  "sends an invalid document": probed((socket) => {
    socket.write('{"status":"success","documents":{"users":null}}\n\r');
  }),
};

interface Faulty extends AsyncDisposable {
  /** The requests, in order. */
  readonly requests: readonly string[];
}

async function startFaulty(port: number, fault: Fault): Promise<Faulty> {
  const sockets = new Set<Socket>();
  const requests: string[] = [];
  const server = createServer((socket) => {
    sockets.add(socket.on("error", () => {}));
    socket.on("data", (chunk) => {
      requests.push(chunk.toString());
      fault(socket, chunk.toString());
    });
  });
  await new Promise<void>((resolve) => server.listen(port, "127.0.0.1", resolve));
  return {
    requests,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((resolve) => server.close(resolve));
    },
  };
}

/** Matches requests that change a document. A server that has not sent its documents must not receive any. */
const CHANGES = /"action":"(?:create|insert|update|delete|empty|drop)"/;

async function hasAll(port: number): Promise<void> {
  using client = await RawClient.open(port);
  await until("the documents are fetched", async () =>
    (await ask(client, { action: "count", document: "users" })).includes(`"count":${ENTRIES}`),
  );
  const insert = { action: "insert", document: "users", data: [{ n: ENTRIES }] };
  assert.match(await ask(client, insert), /"replicated":true/);
}

test("clients are refused until a stopped server has sent its documents, and nothing is lost", async () => {
  const port = await freePort();
  await using ours = await startJson({ replicas: [port], limits });
  using client = await RawClient.open(ours.port);

  for (const request of [
    { action: "create", document: "users", codes: true },
    { action: "create", document: "users", replicate: false },
    { action: "insert", document: "users", data: [{ n: -1 }] },
    { action: "get", document: "users" },
    { action: "list" },
    { action: "getall" },
    { action: "getall", replicate: false },
  ])
    assert.match(await ask(client, request), NOT_READY);

  assert.match(await ask(client, { action: "list" }), /"code":"NOT_NOW"/);
  assert.ok(ours.log.some(({ msg }) => /^not ready: servers of --json-replica/.test(String(msg))));
  assert.equal(ours.figures?.isReady, false);

  await using original = await startFull(port);
  await hasAll(ours.port);
  assert.equal(original.documents.get("users")?.length, ENTRIES + 1);
  assert.equal(ours.figures?.isReady, true);
});

test("an original that requests all documents at its start receives a refusal without documents, and starts", async () => {
  const [port, absent] = [await freePort(), await freePort()];
  await using ours = await startJson({ replicas: [port, absent], limits });
  await using original = await Original.start(port, [ours.port]);
  assert.deepEqual([...original.documents.keys()], []);
  using client = await RawClient.open(ours.port);
  const refused = await ask(client, { action: "getall", replicate: false });
  assert.match(refused, /^\{"status":"error","documents":\[\],"message":"This daemon has not fetched yet/);
});

// These tests mostly wait for the next request, so they run at the same time.
describe("the documents of a faulty server are requested again", { concurrency: true }, () => {
  for (const [does, fault] of Object.entries(FAULTS))
    test(`the daemon sends nothing to a server that ${does}, and queries it again`, async () => {
      const port = await freePort();
      const faulty = await startFaulty(port, fault);
      await using ours = await startJson({ replicas: [port], limits });
      using client = await RawClient.open(ours.port);
      assert.match(await ask(client, { action: "create", document: "users" }), NOT_READY);
      const before = faulty.requests.length;
      await until("the server is queried again", () => faulty.requests.length > before);
      await faulty[Symbol.asyncDispose]();
      assert.doesNotMatch(faulty.requests.join("\n"), CHANGES);
      await using original = await startFull(port);
      await hasAll(ours.port);
      assert.equal(original.documents.get("users")?.length, ENTRIES + 1);
    });
});

test("a server that exceeds its time limit for all its documents gets more time at each attempt", async () => {
  const port = await freePort();
  const documents = JSON.stringify({ users: [{ n: 1 }] });
  await using _ = await startFaulty(
    port,
    probed((socket, request) => {
      const isAll = request.includes("getall");
      const answer = isAll ? `{"status":"success","documents":${documents}}\n\r` : '{"status":"success"}\n\r';
      setTimeout(() => socket.write(answer), isAll ? 5 * limits.jsonReplicaTimeout : 0);
    }),
  );
  await using ours = await startJson({ replicas: [port], limits });
  using client = await RawClient.open(ours.port);
  await until("the server has sent its documents", async () =>
    (await ask(client, { action: "count", document: "users" })).includes('"count":1'),
  );
});

test("a server that stops and starts at random times while the daemon starts loses no entries", async () => {
  const random = new SeededRandom(seedOfRun());
  for (let round = 0; round < amount(4, 30); round++) {
    const port = await freePort();
    const faults = Object.values(FAULTS);
    let original: AsyncDisposable | null = null;
    await using ours = await startJson({ replicas: [port], limits });
    const writing = (async () => {
      using client = await RawClient.open(ours.port);
      for (let n = 0; n < 8; n++) {
        const create = { action: "create", document: "users" };
        assert.match(await ask(client, create), /has not fetched yet|already exist/);
      }
    })();
    for (let fault = random.below(4); fault > 0; fault--) {
      original = await startFaulty(port, faults[random.below(faults.length)] as Fault);
      await new Promise((resolve) => setTimeout(resolve, random.below(600)));
      await original[Symbol.asyncDispose]();
    }
    await using full = await startFull(port);
    await hasAll(ours.port);
    await writing;
    assert.equal(full.documents.get("users")?.length, ENTRIES + 1);
  }
});

test("a document created while a server was down does not replace the server's document", async () => {
  const port = await freePort();
  const first = await Original.start(port, []);
  await using ours = await startJson({ replicas: [port], limits });
  await first[Symbol.asyncDispose]();

  using client = await RawClient.open(ours.port);
  await ask(client, { action: "create", document: "users" });

  await using second = await startFull(port);
  const reports = () =>
    ours.log.filter(({ msg }) => msg === "documents of a JSON replica differ from the documents here").length;
  await until("the documents are compared", () => reports() > 0);

  assert.match(
    await ask(client, { action: "insert", document: "users", data: [{ n: -1 }] }),
    /"replicated":false/,
  );
  assert.equal(second.documents.get("users")?.length, ENTRIES);
  assert.equal(reports(), 1, "the attempt to send it reported the same difference again");

  const isConnected = () => ours.figures?.servers[0]?.isConnected === true;
  await second[Symbol.asyncDispose]();
  await until("the server is disconnected", () => !isConnected());

  await using third = await startFull(port);
  await until("the server is connected", isConnected);
  // The answer arrives after the attempt that follows the new connection.
  await ask(client, { action: "insert", document: "users", data: [{ n: -2 }] });
  assert.equal(third.documents.get("users")?.length, ENTRIES);
  assert.equal(reports(), 1, "a new connection reported the same difference again");
});

test("a daemon that has the documents of only some servers is not ready, and sends nothing to other servers", async () => {
  const port = await freePort();
  await using original = await Original.start(await freePort(), []);
  original.documents.set("others", [{ n: 1 }]);
  await using faulty = await startFaulty(port, FAULTS["sends an invalid document"] as Fault);
  await using ours = await startJson({ replicas: [original.port, port], limits });

  assert.equal(ours.figures?.isReady, false);
  assert.deepEqual(
    ours.figures.servers.map(({ hasSentDocuments }) => hasSentDocuments),
    [true, false],
  );

  using client = await RawClient.open(ours.port);
  assert.match(await ask(client, { action: "list" }), NOT_READY);
  assert.match(await ask(client, { action: "create", document: "users" }), NOT_READY);
  assert.doesNotMatch(faulty.requests.join("\n"), CHANGES);

  await faulty[Symbol.asyncDispose]();
  await using full = await startFull(port);
  await hasAll(ours.port);
  assert.equal(full.documents.get("users")?.length, ENTRIES + 1);
});
