/**
 * Tests that documents on daemons with --data and --peer are durable and replicated, and that answers report this
 * truthfully.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  makeFolder,
  type RunningReplica,
  startReplica,
  startReplicas,
} from "../../../test/daemon/program/replicas.js";
import { peerArgs } from "../../../test/support/cluster-secret.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { freePort } from "../../../test/support/free-port.js";
import { ask } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { until } from "../../../test/support/until.js";
import { JsonServerClient, readJsonUrl } from "../../../tools/cli/json/json-server-client.js";
import { testJsonServer } from "../../../tools/cli/json/test-command.js";

const app = makeKeyPair();
const portOf = ({ daemon }: RunningReplica) => daemon.addressOf("json")?.port ?? 0;
const SILENCE_MS = 60_000;
/** The number of inserts per client. */
const INSERTS = 30;
const SUCCESS = '{"status":"success"}';

test("a single daemon assigns the ids 0, 1, 2, …, which stay the same after restarts and deletions", async () => {
  using folder = makeFolder();
  const args = ["--data", folder.path, "--json", "0"];
  {
    await using replica = await startReplica({ args });
    using client = await RawClient.open(portOf(replica));
    assert.equal(await ask(client, { action: "create", document: "d" }), SUCCESS);
    const inserted = await ask(client, {
      action: "insert",
      document: "d",
      data: [{ n: 1 }, { n: 2 }, { n: 3 }],
    });
    assert.equal(inserted, '{"status":"success","data_interted":[{"n":1},{"n":2},{"n":3}]}');
    for (const id of [0, 2])
      assert.equal(await ask(client, { action: "delete", document: "d", id }), SUCCESS);
  }

  await using replica = await startReplica({ args });
  using client = await RawClient.open(portOf(replica));
  assert.equal(
    await ask(client, { action: "insert", document: "d", data: [{ n: 4 }], ids: true }),
    '{"status":"success","data_interted":[{"n":4}],"ids":[3]}',
  );
  assert.equal(
    await ask(client, { action: "get", document: "d" }),
    '{"status":"success","data":{"1":{"n":2},"3":{"n":4}}}',
  );

  await ask(client, { action: "empty", document: "d" });
  await ask(client, { action: "insert", document: "d", data: [{ m: 1 }] });
  assert.equal(
    await ask(client, { action: "get", document: "d", id: 0 }),
    '{"status":"success","data":[{"m":1}]}',
  );
});

test("the requests of the original's test client are answered as it expects, with the ids 0 and 1", async () => {
  using folder = makeFolder();
  await using replica = await startReplica({ args: ["--data", folder.path, "--json", "0"] });
  using client = await RawClient.open(portOf(replica));

  const document = "d";
  const entry = (name: string) => ({ name, role: "r", gender: "g" });
  const steps: readonly (readonly [object, RegExp])[] = [
    [{ action: "list" }, /"documents":\[\]/],
    [{ action: "drop" }, /"error"/],
    [{ action: "create" }, /"success"/],
    [{ action: "insert", data: [entry("John"), entry("Anna")] }, /"success"/],
    [{ action: "get" }, /"data":\[\{"name":"John".*\{"name":"Anna"/],
    [{ action: "get", id: 0 }, /"data":\[\{"name":"John"/],
    [{ action: "getkeys" }, /\["name","role","gender"\],"document_first_key":0/],
    [{ action: "get", query: { name: "John" } }, /"data":\[\{"name":"John",[^{]*\]/],
    [{ action: "count" }, /"count":2/],
    [{ action: "update", id: 0, data: [entry("Peter"), entry("Mary")] }, /"success"/],
    [{ action: "delete", id: 0 }, /"success"/],
    [{ action: "count" }, /"count":1/],
    [{ action: "empty" }, /"success"/],
    [{ action: "drop" }, /"success"/],
    [{ action: "getall", replicate: false }, /"documents":\[\]/],
  ];

  for (const [request, reply] of steps) assert.match(await ask(client, { document, ...request }), reply);
});

test("a peer that joins later continues the ids, and so does the first daemon", async () => {
  using one = makeFolder();
  using two = makeFolder();
  const ports = [await freePort(), await freePort()];
  const own = ["--data", one.path, "--json", "0"];

  const send = async (replica: RunningReplica, request: object) => {
    using client = await RawClient.open(portOf(replica));
    return await ask(client, { document: "d", ...request });
  };

  {
    await using first = await startReplica({ args: [...own, "-p", String(ports[0])] });
    await send(first, { action: "create" });
    await send(first, { action: "insert", data: [{ n: 0 }, { n: 1 }] });
  }

  await using first = await startReplica({ args: [...own, ...peerArgs(ports, 0)] });
  await using second = await startReplica({
    args: ["--data", two.path, "--json", "0", ...peerArgs(ports, 1)],
  });
  await until("both are live", () => [first, second].every(({ daemon }) => daemon.health.state === "live"));

  for (const [at, replica] of [first, second, first].entries()) {
    const known = new RegExp(`"count":${2 + 2 * at}`);
    await until("the daemon has the writes of the other one", async () =>
      known.test(await send(replica, { action: "count" })),
    );

    const reply = await send(replica, {
      action: "insert",
      data: [{ n: 2 + 2 * at }, { n: 3 + 2 * at }],
      ids: true,
    });
    assert.match(reply, new RegExp(`"ids":\\[${2 + 2 * at},${3 + 2 * at}\\]\\}$`));
  }

  const plain = await send(second, { action: "insert", data: [] });
  assert.doesNotMatch(plain, /"ids"/);
  const list = [0, 1, 2, 3, 4, 5, 6, 7].map((n) => ({ n }));
  await until("both daemons have all eight entries", async () => {
    const whole = await Promise.all([first, second].map((replica) => send(replica, { action: "get" })));
    return whole.every((text) => text === JSON.stringify({ status: "success", data: list }));
  });
});

test("three peers pass the original's test client, and number the inserts of clients of all three", async () => {
  await using all = await startReplicas(3, ["--json", "0"]);
  for (const replica of all) {
    using server = await JsonServerClient.open(
      readJsonUrl(`json://127.0.0.1:${portOf(replica)}`),
      SILENCE_MS,
    );
    const { checks } = await testJsonServer(server);
    assert.equal(checks.length, 15);
    assert.deepEqual(
      checks.filter(({ pass }) => !pass),
      [],
    );
  }

  const clients = await Promise.all(all.map((replica) => RawClient.open(portOf(replica))));
  const send = (at: number, request: object) =>
    ask(clients[at] as RawClient, { document: "many", ...request });
  try {
    await send(0, { action: "create" });
    for (const at of clients.keys())
      await until("the document exists", async () => /"count":0/.test(await send(at, { action: "count" })));

    await Promise.all(
      clients.map(async (_, at) => {
        for (let n = 0; n < INSERTS; n++)
          assert.match(await send(at, { action: "insert", data: [{ by: at, n }] }), /"success"/);
      }),
    );

    await until("all daemons have the same complete document", async () => {
      const texts = await Promise.all(clients.map((_, at) => send(at, { action: "get" })));
      const { data } = JSON.parse(texts[0] as string) as { data: { by: number; n: number }[] };
      // The data is a list, so the ids are 0, 1, 2, …
      const marks = new Set(Array.isArray(data) ? data.map(({ by, n }) => `${by} ${n}`) : []);
      return texts.every((text) => text === texts[0]) && marks.size === all.length * INSERTS;
    });
  } finally {
    for (const client of clients) client[Symbol.dispose]();
  }
});

test("replicated is true once a peer has the write, and false if there is no peer or the client requests no wait", async () => {
  const ports = [await freePort(), await freePort()];
  const start = (index: number) =>
    startReplica({ args: ["-s", app.file, ...peerArgs(ports, index), "--json", "0"] });

  await using first = await start(0);
  using client = await RawClient.open(portOf(first));
  {
    await using second = await start(1);
    await until("both are live", () => [first, second].every(({ daemon }) => daemon.health.state === "live"));
    await until(
      "the daemons are connected",
      async () =>
        /"replicated":true/.test(await ask(client, { action: "insert", document: "d", data: [] })) ||
        /"replicated":true/.test(await ask(client, { action: "create", document: "d" })),
    );

    const inserted = await ask(client, { action: "insert", document: "d", data: [{ n: 1 }] });
    assert.match(inserted, /^\{"status":"success","data_interted":\[\{"n":1\}\],"replicated":true\}$/);
    const quiet = await ask(client, { action: "insert", document: "d", data: [{ n: 2 }], replicate: false });
    assert.match(quiet, /^\{"status":"success","data_interted":\[\{"n":2\}\],"replicated":false\}$/);
    assert.doesNotMatch(await ask(client, { action: "drop", document: "none" }), /replicated/);

    using reader = await RawClient.open(portOf(second));
    const count = () => ask(reader, { action: "count", document: "d" });
    await until(
      "the other daemon has both writes",
      async () => (await count()) === '{"status":"success","count":2}',
    );
  }

  await until("the other daemon is gone", async () =>
    /"replicated":false/.test(await ask(client, { action: "insert", document: "d", data: [{ n: 3 }] })),
  );
});
