/** --json-replica: what clients are told of servers that refuse, break off, or cannot have what was written. */
import assert from "node:assert/strict";
import { createServer, type Socket } from "node:net";
import { test } from "node:test";
import { until } from "../../daemon/replicas.js";
import { listenAtFreePort } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { ask, startJson } from "./scene.js";

const DONE = '{"status":"success"}';
const REFUSED = '{"status":"error","message":"no"}';

const NO_DOCUMENTS = '{"status":"success","documents":[],"replicated":false}';

/** By which an original is told from a daemon. */
const NO_ACTION = '{"status":"error","message":"The action \'listindexes\' provided is not valid."}';

interface Scripted extends AsyncDisposable {
  readonly port: number;
  readonly requests: readonly string[];
  readonly connections: number;
  close(): void;
}

/** A server of lines that answers as it is told. @param answerTo  null: it breaks off; a promise: later */
async function startScripted(
  answerTo: (request: string) => string | null | Promise<string>,
  documents = NO_DOCUMENTS,
): Promise<Scripted> {
  const sockets = new Set<Socket>();
  const requests: string[] = [];
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket.on("error", () => {}));
    let held = "";
    socket.setEncoding("latin1").on("data", async (piece) => {
      held += piece;
      for (let end = held.indexOf("\n"); end >= 0; end = held.indexOf("\n")) {
        const request = held.slice(0, end);
        held = held.slice(end + 1);
        if (request.includes('"listindexes"')) {
          socket.write(`${NO_ACTION}\n\r`);
          continue;
        }
        if (request.includes('"getall"')) {
          socket.write(`${documents}\n\r`);
          continue;
        }
        requests.push(request);
        const answer = await answerTo(request);
        if (answer === null) socket.destroy();
        else socket.write(`${answer}\n\r`);
      }
    });
  });
  await listenAtFreePort(server);
  return {
    port: (server.address() as { port: number }).port,
    requests,
    get connections() {
      return connections;
    },
    close: () => void server.close(),
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      if (server.listening) await new Promise((resolve) => server.close(resolve));
    },
  };
}

const large = (name: string) => ({ [name]: "x".repeat(40_000) });

test("a write of which a server refuses a part is not said to be replicated", async () => {
  await using replica = await startScripted((request) => (request.includes("bad") ? REFUSED : DONE));
  await using ours = await startJson({ replicas: [replica.port] });
  using client = await RawClient.open(ours.port);
  assert.match(await ask(client, { action: "create", document: "d" }), /"replicated":true/);
  const data = [
    { n: "bad", ...large("l") },
    { n: "good", ...large("l") },
  ];
  assert.match(await ask(client, { action: "insert", document: "d", data }), /"replicated":false/);
  assert.equal(replica.requests.filter((request) => request.includes("insert")).length, 2);
});

test("a document that is refused while it is sent as a whole is not said to be replicated", async () => {
  await using replica = await startScripted((request) => (/"create"|"drop"/.test(request) ? REFUSED : DONE));
  await using ours = await startJson({ replicas: [replica.port] });
  using client = await RawClient.open(ours.port);
  await ask(client, { action: "create", document: "d", replicate: false });
  const update = { action: "update", document: "d", data: [{ n: 1 }] };
  assert.match(await ask(client, update), /"replicated":false/);
});

test("a write that waits for a whole document, which breaks off, is not said to be replicated", async () => {
  let release: (answer: string) => void = () => {};
  let breaks = false;
  await using replica = await startScripted((request) => {
    if (!breaks)
      return /"insert".*"x"/.test(request)
        ? new Promise<string>((resolve) => {
            release = resolve;
          })
        : DONE;
    if (request.includes('"document":"x"')) return DONE;
    replica.close();
    return null;
  });
  await using ours = await startJson({ replicas: [replica.port] });
  using first = await RawClient.open(ours.port);
  using second = await RawClient.open(ours.port);
  using third = await RawClient.open(ours.port);
  for (const document of ["x", "d"]) await ask(first, { action: "create", document });
  const insert = (client: RawClient, document: string) =>
    ask(client, { action: "insert", document, data: [{ n: 1 }] });
  const held = insert(first, "x");
  await until("it waits", async () => replica.requests.some((request) => request.includes("insert")));
  const waiting = [insert(second, "d"), insert(third, "d")];
  await until("all are done here", async () => {
    using reader = await RawClient.open(ours.port);
    return (await ask(reader, { action: "count", document: "d" })).includes('"count":2');
  });
  breaks = true;
  // Not an answer: the connection is given up, and all is sent as a whole.
  release("nonsense");
  assert.match(await held, /"replicated":false/);
  for (const one of waiting) assert.match(await one, /"replicated":false/);
});

test("an index is made here alone, and said not to be replicated", async () => {
  await using replica = await startScripted(() => DONE);
  await using ours = await startJson({ replicas: [replica.port] });
  using client = await RawClient.open(ours.port);
  await ask(client, { action: "create", document: "d" });
  const before = replica.requests.length;
  for (const action of ["createindex", "dropindex"])
    assert.equal(
      await ask(client, { action, document: "d", field: "n" }),
      '{"status":"success","replicated":false}',
    );
  assert.equal(replica.requests.length, before);
  const nothing = await ask(client, { action: "insert", document: "d", data: [] });
  assert.equal(nothing, '{"status":"success","replicated":true}');
  assert.match(replica.requests.at(-1) ?? "", /"insert".*"data":\[\]/);
});

test("an original is asked to change one entry where it can, else it is sent the whole document", async () => {
  await using replica = await startScripted(() => DONE);
  await using ours = await startJson({ replicas: [replica.port] });
  using client = await RawClient.open(ours.port);
  const numbered = { data: [{ a: 1 }, { a: 2 }, { a: 3 }] };
  const keyed = { data: { "0": { a: 1 }, "7": { a: 2 }, x: { a: 3 } }, "auto-increment": false };
  const from5 = { data: { "5": { a: 1 }, "7": { a: 2 } }, "auto-increment": false };
  const entry = (id: unknown) => ({ action: "update", id, data: { a: 9 } });
  const WHOLE = /"drop".*"create".*"insert".*"a":9/s;
  for (const [inserted, request, sent] of [
    [numbered, entry(undefined), /^\{"action":"update","document":"d","data":\{"a":9\},"replicate":false\}$/],
    [numbered, entry(0), /^[^\n]*"data":\{"a":9\},"id":"0x","replicate":false\}$/],
    [numbered, entry("2"), /^[^\n]*"id":"2x"[^\n]*$/],
    [numbered, entry(1.0), /^[^\n]*"id":"1x"[^\n]*$/],
    [numbered, entry(" 1"), WHOLE],
    [numbered, entry("1e0"), WHOLE],
    [numbered, { action: "update", id: 1, data: { "0": { a: 9 } } }, WHOLE],
    [numbered, { action: "update", data: { "0": { a: 9 } } }, WHOLE],
    [numbered, { action: "update", data: [{ a: 9 }] }, WHOLE],
    [numbered, { action: "update", where: { a: 3 }, data: { a: 9 } }, WHOLE],
    [numbered, { action: "update", query: { a: 3 }, data: { a: 9 } }, WHOLE],
    [numbered, { action: "update", data: { $inc: { a: 8 } } }, WHOLE],
    [numbered, { action: "update", id: "7", data: { a: 9 }, upsert: true }, WHOLE],
    [numbered, { action: "addmember", field: "b", value: 9 }, /"drop".*"create".*"insert".*"b":9/s],
    [numbered, { action: "delete", where: { a: 1 } }, /"drop".*"create".*"insert".*"a":2/s],
    [keyed, entry(7), /^[^\n]*"id":"7x"[^\n]*$/],
    [keyed, entry("x"), WHOLE],
    [from5, entry(5), WHOLE],
    [numbered, { action: "delete", id: 1 }, /^[^\n]*"delete"[^\n]*"id":"1"[^\n]*$/],
    [numbered, { action: "delete", id: 2 }, /^[^\n]*"delete"[^\n]*"id":"2"[^\n]*$/],
    [keyed, { action: "delete", id: "x" }, /"drop".*"create".*"insert".*"a":2/s],
    [keyed, { action: "delete", id: "0" }, /"drop".*"create".*"insert".*"a":2/s],
    [from5, { action: "delete", id: 5 }, /^[^\n]*"delete"[^\n]*"id":"5"[^\n]*$/],
  ] as const) {
    const document = "d";
    await ask(client, { action: "drop", document });
    await ask(client, { action: "create", document });
    await ask(client, { action: "insert", document, ...inserted });
    const before = replica.requests.length;
    assert.match(await ask(client, { document, ...request }), /"replicated":true/);
    assert.match(replica.requests.slice(before).join("\n"), sent);
  }
});

test("a server that refuses what is longer than it reads at once is asked anew by another connection", async () => {
  await using replica = await startScripted((request) => (request.length > 64 * 1024 ? REFUSED : DONE));
  await using ours = await startJson({ replicas: [replica.port] });
  using client = await RawClient.open(ours.port);
  await ask(client, { action: "create", document: "d" });
  const before = replica.connections;
  const data = [{ text: "x".repeat(80_000) }];
  assert.match(await ask(client, { action: "insert", document: "d", data }), /"replicated":false/);
  assert.match(await ask(client, { action: "create", document: "e" }), /"replicated":true/);
  assert.equal(replica.connections, before + 1);
});

test("documents whose entries lack members of the first one are taken over at the start", async () => {
  const entries = '[{"name":"Ann","age":1},{"name":"Ben"},{"age":2}]';
  const answer = `{"status":"success","documents":{"d":${entries}},"replicated":false}`;
  await using replica = await startScripted(() => DONE, answer);
  await using ours = await startJson({ replicas: [replica.port] });
  using client = await RawClient.open(ours.port);
  assert.equal(await ask(client, { action: "get", document: "d" }), `{"status":"success","data":${entries}}`);
});
