/** Documents on daemons with --data and --peer: kept, on all of them, and honest about it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeKeyPair } from "../../support/envelope-client.js";
import { freePort } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { makeFolder, type RunningReplica, startReplica, until } from "../replicas.js";
import { ask } from "./scene.js";

const app = makeKeyPair();
const portOf = ({ daemon }: RunningReplica) => daemon.userAddress("json")?.port ?? 0;
const SUCCESS = '{"status":"success"}';

test("what is written outlives the daemon, and entries keep the ids that clients were told", async () => {
  using folder = makeFolder();
  const args = ["-s", app.file, "--data", folder.path, "--json", "0"];
  const told = { ids: [""], entries: "" };
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
    told.entries = await ask(client, { action: "get", document: "d" });
    told.ids = told.entries.match(/\d{19}/g) ?? [];
    assert.equal(await ask(client, { action: "delete", document: "d", id: told.ids[0] }), SUCCESS);
  }
  await using replica = await startReplica({ args });
  using client = await RawClient.open(portOf(replica));
  const id = told.ids[1];
  assert.equal(
    await ask(client, { action: "get", document: "d", id }),
    `{"status":"success","data":{"${id}":{"n":2}}}`,
  );
  assert.equal(await ask(client, { action: "count", document: "d" }), '{"status":"success","count":2}');
});

test("ids of 19 digits can be used by a client that reads numbers as doubles", async () => {
  using folder = makeFolder();
  const args = ["-s", app.file, "--data", folder.path, "--json", "0"];
  await using replica = await startReplica({ args });
  using client = await RawClient.open(portOf(replica));
  const document = "d";
  const told = async (request: object) => JSON.parse(await ask(client, { document, ...request }));
  await told({ action: "create" });
  await told({ action: "insert", data: [{ n: 1 }, { n: 2 }] });
  const { ids } = (await told({ action: "get", sort: { n: "desc" } })) as { ids: unknown[] };
  const { document_first_key: first } = (await told({ action: "getkeys" })) as Record<string, unknown>;
  assert.equal(ids[1], first);
  for (const id of ids) assert.equal((await told({ action: "delete", id })).status, "success");
});

test("replicated is true once a peer has the write, false when none is there or nobody wants to wait", async () => {
  const ports = [await freePort(), await freePort()];
  const start = (index: number) =>
    startReplica({
      args: [
        "-s",
        app.file,
        "-p",
        String(ports[index]),
        "--peer",
        `127.0.0.1:${ports[1 - index]}`,
        "--json",
        "0",
      ],
    });
  await using first = await start(0);
  using client = await RawClient.open(portOf(first));
  {
    await using second = await start(1);
    await until("both are live", () => [first, second].every(({ daemon }) => daemon.health.state === "live"));
    await until(
      "they are connected",
      async () =>
        /"replicated":true/.test(await ask(client, { action: "insert", document: "d", data: [] })) ||
        /"replicated":true/.test(await ask(client, { action: "create", document: "d" })),
    );
    const inserted = await ask(client, { action: "insert", document: "d", data: [{ n: 1 }] });
    assert.equal(inserted, '{"status":"success","data_interted":[{"n":1}],"replicated":true}');
    const quiet = await ask(client, { action: "insert", document: "d", data: [{ n: 2 }], replicate: false });
    assert.equal(quiet, '{"status":"success","data_interted":[{"n":2}],"replicated":false}');
    assert.doesNotMatch(await ask(client, { action: "drop", document: "none" }), /replicated/);
    using reader = await RawClient.open(portOf(second));
    const count = () => ask(reader, { action: "count", document: "d" });
    await until("the other has both", async () => (await count()) === '{"status":"success","count":2}');
  }
  await until("the other is gone", async () =>
    /"replicated":false/.test(await ask(client, { action: "insert", document: "d", data: [{ n: 3 }] })),
  );
});
