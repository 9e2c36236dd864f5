/** Tests `dbsync export resp:` and `json:` from a real daemon, into a real redis-server and into files. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { type Client, createClient } from "../../../../client/public-api.js";
import { refusingAddress } from "../../../support/free-port.js";
import { RedisConnection } from "../../../support/redis-connection.js";
import { startRedis } from "../../../support/redis-server.js";
import { run } from "../../../support/run-program.js";
import { type Cluster, startCluster } from "../cluster.js";

const FAR_MS = 4_102_444_800_000;
const BYTES = Buffer.from([0, 255, 13, 10, 36, 233]);

let cluster: Cluster;
let client: Client;
before(async () => {
  cluster = await startCluster(1);
  client = createClient({ servers: cluster.daemons.servers, key: at("app.pem") });
  const commands: readonly (readonly (string | Buffer)[])[] = [
    ["SET", "greeting", "hello", "PXAT", String(FAR_MS)],
    ["SET", BYTES, BYTES],
    ["RPUSH", "list", "a", BYTES, "a"],
    ["HSET", "hash", "name", "Ada", BYTES, "1"],
    ["SADD", "set", "only"],
    ["ZADD", "zset", "1.5", "half", "-inf", "least"],
    ["XADD", "stream", "5-1", "field", "value"],
  ];
  for (const command of commands) await client.call(command);
  await Promise.all(Array.from({ length: 600 }, (_, i) => client.call(["SET", `key:${i}`, String(i)])));
  await client.call(["SET", "second", "2"], { db: 2 });
});
after(async () => {
  await client.close();
  await cluster[Symbol.asyncDispose]();
});

const at = (name: string) => join(cluster.folder, name);
const exporting = (...words: string[]) => cluster.run(["export", ...words, "-k", "app.pem"]);

test("a file of commands creates the same keys in a redis-server", async () => {
  const { code, stderr } = await exporting("resp:keys.resp");
  assert.equal(code, 0, stderr);
  assert.equal(stderr, "dbsync: 607 keys written\n");
  await using redis = await startRedis();
  const words = ["-p", String(redis.port), "--pipe"];
  const piped = await run("sh", ["-c", 'exec redis-cli "$@" < "$0"', at("keys.resp"), ...words]);
  assert.match(piped.stdout, /errors: 0, replies: 608/);
  using connection = await RedisConnection.open(redis.port);
  const bytes = BYTES.toString("latin1");
  assert.deepEqual(await connection.call("GET", bytes), { kind: "bulk", bytes });
  assert.deepEqual(await connection.call("PEXPIRETIME", "greeting"), { kind: "integer", value: FAR_MS });
  assert.deepEqual(await connection.call("ZSCORE", "zset", "least"), { kind: "bulk", bytes: "-inf" });
  assert.deepEqual(await connection.call("DBSIZE"), { kind: "integer", value: 607 });
});

test("a line of JSON describes a key, with base64 for bytes that are not text", async () => {
  const { code, stdout, stderr } = await exporting("json:-");
  assert.equal(code, 0, stderr);
  const lines = stdout.trimEnd().split("\n");
  assert.equal(lines.length, 607);

  type Line = { key: unknown; type: string; expires: number | null; value: unknown };
  const entries = lines
    .map((line) => JSON.parse(line) as Line)
    .filter(({ key }) => !/^key:/.test(String(key)));
  const base64 = BYTES.toString("base64");
  const values = Object.fromEntries(entries.map(({ key, value }) => [JSON.stringify(key), value]));

  assert.deepEqual(values, {
    '"greeting"': "hello",
    [`{"base64":"${base64}"}`]: { base64 },
    '"list"': ["a", { base64 }, "a"],
    '"hash"': [
      ["name", "Ada"],
      [{ base64 }, "1"],
    ],
    '"set"': ["only"],
    '"zset"': [
      ["least", "-inf"],
      ["half", "1.5"],
    ],
    '"stream"': [["5-1", ["field", "value"]]],
  });

  assert.equal(entries.find(({ key }) => key === "greeting")?.expires, FAR_MS);
  assert.match((await exporting("json:-", "--db", "2")).stdout, /^\{"db":2,"key":"second",/);
});

test("existing files are not overwritten, and keys that cannot be written are named", async () => {
  writeFileSync(at("mine"), "mine");
  const existing = await exporting("resp:mine");
  assert.equal(existing.code, 1);
  assert.match(existing.stderr, /mine already exists/);
  assert.equal(readFileSync(at("mine"), "utf8"), "mine");

  await client.call(["DOC.CREATE", "document"]);
  for (const form of ["resp", "json"]) {
    const { code, stderr } = await exporting(`${form}:more.${form}`);
    assert.equal(code, 1);
    assert.match(stderr, /1 could not be written:\n {2}"document": /);
    assert.ok(existsSync(at(`more.${form}`)));
  }
  await client.call(["DOC.DROP", "document"]);

  const unreached = await cluster.run([
    "export",
    "resp:none",
    "-k",
    "app.pem",
    "-s",
    await refusingAddress(),
  ]);
  assert.equal(unreached.code, 1);
  assert.equal((await exporting("nothing")).code, 2);
  assert.deepEqual(
    readdirSync(cluster.folder).filter((name) => name === "none" || name.endsWith(".tmp")),
    [],
  );
});
