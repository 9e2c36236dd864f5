/**
 * Tests clients of --sql, --mongo and --json with a sidecar, and of the other listeners of faces. They receive the
 * answers that a daemon with data would send.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { MongoClient } from "mongodb";
import { createClient } from "../../../client/dbsync-send.js";
import { array, bulk, double, NIL } from "../../../protocol/reply.js";
import { clientsOf, LISTENER_CASES } from "../../../test/support/all-listener-cases.js";
import { ask } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { replay as replaySql } from "../../sql/test/replay.js";
import { CALL_MS, type SidecarScene, startScene, untilAll } from "./scene.js";

const CONTRIBUTED = LISTENER_CASES.filter(({ ofSidecar }) => ofSidecar !== undefined);

let sql: number;
let mongo: number;
let json: number;
let scene: SidecarScene;
before(async () => {
  const options = ["sql", "mongo", "json", ...CONTRIBUTED.map(({ option }) => option)];
  scene = await startScene({ args: options.flatMap((option) => [`--${option}`, "0"]) });
  sql = await scene.sidecar.portOf("SQL clients");
  mongo = await scene.sidecar.portOf("MongoDB clients");
  json = await scene.sidecar.portOf("JSON clients");
});
after(() => scene[Symbol.asyncDispose]());

for (const cases of CONTRIBUTED)
  test(`${clientsOf(cases)} receive the daemons' answers`, async () => {
    const port = await scene.sidecar.portOf(clientsOf(cases));
    await cases.ofSidecar?.(port, (command, reply) => untilAll(scene, command, reply));
  });

test("MongoDB's driver writes and finds documents, and receives an error for a duplicate", async () => {
  await using client = new MongoClient(`mongodb://127.0.0.1:${mongo}`);
  const items = client.db("shop").collection("items");
  await items.createIndex({ mail: 1 }, { unique: true });
  await items.insertMany([{ mail: "a" }, { mail: "b" }]);
  await assert.rejects(items.insertOne({ mail: "a" }), { code: 11000 });
  assert.deepEqual(
    (await items.find().sort({ mail: -1 }).toArray()).map(({ mail }) => mail),
    ["b", "a"],
  );
});

test("Redis clients can determine which cells of rows are numbers, even in transactions", async () => {
  using redis = await RedisConnection.open(scene.port);
  await redis.call("SQL", "", "create database shop");
  await redis.call("SQL", "shop", "create table item (id number, name text(1,9), since text(1,9))");
  await redis.call("SQL", "shop", "insert into item values (1.5,'7',null), (-2,'lamp','x')");
  await redis.call("HELLO", "3");
  const rows = array([array([double(1.5), bulk("7"), NIL]), array([double(-2), bulk("lamp"), bulk("x")])]);
  const query = ["SQL", "shop", "select id, name, since from item"];
  const reply = await redis.call(...query);
  assert.deepEqual(reply.kind === "map" && reply.items[5], rows);
  for (const argv of [["MULTI"], query, ["EXEC"]]) redis.queue(argv);
  const transaction = (await redis.flush()).at(-1);
  assert.deepEqual(transaction, { kind: "array", items: [reply] });
});

test("a JSON client's documents are stored on the daemons and read from them", async () => {
  using client = await RawClient.open(json);
  const users = { document: "users" };
  assert.match(await ask(client, { ...users, action: "create" }), /"status":"success"/);

  const data = [
    { name: "John", role: "admin" },
    { name: "Ann", role: "user" },
  ];
  assert.match(await ask(client, { ...users, action: "insert", data }), /"status":"success".*"ids":/);

  assert.match(await ask(client, { ...users, action: "get", query: { role: "user" } }), /"name":"Ann"/);
  assert.match(await ask(client, { ...users, action: "get" }), /"John".*"Ann"/);
  assert.match(await ask(client, { action: "getall" }), /"users".*"John".*"Ann"/);
  assert.match(
    await ask(client, { ...users, action: "get", query: { role: "user" }, details: true }),
    /"details"/,
  );
  assert.match(await ask(client, { ...users, action: "count" }), /"count":"?2/);

  assert.match(
    await ask(client, { ...users, action: "update", query: { role: "user" }, data: { role: "guest" } }),
    /"status":"success".*guest/,
  );

  assert.match(await ask(client, { action: "list" }), /"users"/);
  assert.match(await ask(client, { ...users, action: "drop" }), /"status":"success"/);
  assert.match(await ask(client, { ...users, action: "get" }), /"status":"error"/);
});

// This test comes last, because it kills a daemon.
test("SQL clients receive the original's frames, byte for byte, while a daemon is killed", async () => {
  const flush = async () => {
    await using client = createClient({
      servers: scene.servers,
      key: scene.key,
      policy: "all",
      timeout: CALL_MS,
    });
    await client.send("FLUSHALL");
  };
  await flush();
  const compared = await replaySql({
    port: () => sql,
    async empty() {
      await flush();
      await scene.trio.end(0, "SIGKILL");
    },
  });
  assert.ok(compared > 400, String(compared));
});
