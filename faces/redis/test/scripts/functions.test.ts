/** Tests function libraries, compared with redis-server's, and how a daemon that records stores their writes. */
import assert from "node:assert/strict";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { writeCommand } from "../../../../protocol/resp/resp-writer.js";
import { makeFolder, startReplica } from "../../../../test/daemon/program/replicas.js";
import { makeKeyPair } from "../../../../test/support/envelope-client.js";
import { RedisConnection } from "../../../../test/support/redis-connection.js";
import { skipWithout } from "../../../../test/support/requirements.js";
import { RedisComparison } from "../redis-comparison.js";

const skip = skipWithout("redis-server");

const loaded = (code: string) => ["FUNCTION", "LOAD", `#!lua name=a\n${code}`];
const registered = (fields: string) => loaded(`redis.register_function{function_name='h',${fields}}`);
const LIBRARY =
  "#!lua name=lib\nlocal function set(keys, args) return redis.call('set', keys[1], args[1]) end\n" +
  "redis.register_function('put', set)\n" +
  "redis.register_function{function_name='look', callback=function(keys) return redis.call('get', keys[1]) end, flags={'no-writes'}, description='Reads'}\n" +
  "redis.register_function('fails', function() error('boom') end)\n" +
  "redis.register_function('strays', function() x = 1 end)\n" +
  "redis.register_function('sees', function() return KEYS end)\n" +
  "redis.register_function('late', function() redis.register_function('z', set) end)\n" +
  "redis.register_function{function_name='lies', callback=set, flags={'no-writes'}}";

const REFUSED: readonly (readonly string[])[] = [
  ["FUNCTION", "LOAD", "return 1"],
  ["FUNCTION", "LOAD", "#!lua"],
  ["FUNCTION", "LOAD", "#!lua\nreturn 1"],
  ["FUNCTION", "LOAD", "#!js name=a\nx"],
  ["FUNCTION", "LOAD", "#!lua name=a b=c\nx"],
  ["FUNCTION", "LOAD", "#!lua name=a name=b\nx"],
  ["FUNCTION", "LOAD", "#!lua name=a-b\nx"],
  ["FUNCTION", "LOAD", "foo", "x"],
  ["FUNCTION", "LOAD"],
  loaded("return 1"),
  loaded("x x"),
  loaded("foo()"),
  loaded("redis.call('ping')"),
  loaded("x = 1"),
  loaded("redis.register_function('g')"),
  loaded("redis.register_function()"),
  loaded("redis.register_function(1, 2)"),
  loaded("redis.register_function('g-g', function() end)"),
  loaded("redis.register_function('g', function() end) redis.register_function('g', function() end)"),
  registered("callback=1"),
  registered("foo=1"),
  registered("callback=function() end, flags=1"),
  registered("callback=function() end, flags={'zz'}"),
  loaded("redis.register_function{function_name='h'}"),
  loaded("redis.register_function{callback=function() end}"),
  ["FCALL", "nope", "0"],
  ["FCALL"],
  ["FUNCTION", "DELETE", "zz"],
  ["FUNCTION", "RESTORE", "x"],
  ["FUNCTION", "RESTORE", "x", "FOO"],
  ["FUNCTION", "KILL"],
  ["FUNCTION", "FLUSH", "foo"],
  ["FUNCTION", "LIST", "foo"],
  ["FUNCTION", "LIST"],
  ["FUNCTION", "STATS"],
];

const CONVERSATION: readonly (readonly string[])[] = [
  ["FUNCTION", "LOAD", LIBRARY],
  ["FUNCTION", "LOAD", LIBRARY],
  ["FUNCTION", "LOAD", "REPLACE", LIBRARY],
  ["FUNCTION", "LOAD", "#!lua name=other\nredis.register_function('put', function() end)"],
  ["FCALL", "put", "1", "k", "v"],
  ["FCALL", "look", "1", "k"],
  ["FCALL_RO", "look", "1", "k"],
  ["FCALL_RO", "put", "1", "k", "v"],
  ["FCALL", "lies", "1", "k", "v"],
  ["FCALL", "fails", "0"],
  ["FCALL", "strays", "0"],
  ["FCALL", "sees", "0"],
  ["FCALL", "late", "0"],
  ["FCALL", "put", "x"],
  ["FCALL", "put", "5", "a"],
  ["FCALL", "put", "-1"],
  ["EVAL", "return redis.call('fcall', 'put', 0)", "0"],
  ["MULTI"],
  ["FCALL", "put", "1", "k", "w"],
  ["FCALL_RO", "look", "1", "k"],
  ["EXEC"],
  ["FCALL_RO", "LOOK", "1", "k"],
  ["FUNCTION", "LOAD", "#!lua name=other\nredis.register_function('Look', function() return 1 end)"],
  ["FUNCTION", "STATS"],
  ["FUNCTION", "DELETE", "lib"],
  ["FUNCTION", "LIST"],
  [
    "FUNCTION",
    "LOAD",
    "#!lua name=one\nredis.register_function{function_name='f', callback=function() return 1 end, description='d'}",
  ],
  ["FUNCTION", "LIST", "WITHCODE", "LIBRARYNAME", "o*"],
  ["FUNCTION", "LIST", "LIBRARYNAME", "[N-P]N*"],
  ["FUNCTION", "LIST", "LIBRARYNAME", "x*"],
  ["FUNCTION", "FLUSH", "SYNC"],
  ["FUNCTION", "LIST"],
  ["FUNCTION", "LOAD", "#!lua name=upper\nredis.register_function('Upper', function() return 1 end)"],
  ["FUNCTION", "LOAD", "#!lua name=lower\nredis.register_function('upper', function() return 2 end)"],
  ["FCALL", "upper", "0"],
  ["FUNCTION", "FLUSH"],
];

for (const protocol of ["2", "3"])
  test(`libraries are loaded, called, listed and refused as in redis-server, RESP${protocol}`, {
    skip,
  }, async () => {
    await using comparison = await RedisComparison.start();
    const greeting = `HELLO ${protocol}\r\n`;
    for (const argv of [...REFUSED, ...CONVERSATION].filter(([name]) => name !== "MULTI" && name !== "EXEC"))
      await comparison.assertSame(greeting + writeCommand(argv));
    await comparison.assertSame(CONVERSATION.map(writeCommand).join(""));
  });

test("a dump of one server can be restored on the other", { skip }, async () => {
  await using comparison = await RedisComparison.start();
  using ours = await RedisConnection.open(comparison.ours.port);
  using theirs = await RedisConnection.open(comparison.redis.port);
  for (const [from, to] of [
    [theirs, ours],
    [ours, theirs],
  ] as const) {
    for (const one of [from, to]) await one.call("FUNCTION", "FLUSH");
    await from.call("FUNCTION", "LOAD", LIBRARY);
    const dump = await from.call("FUNCTION", "DUMP");
    const bytes = dump.kind === "bulk" ? dump.bytes : "";
    assert.deepEqual(await to.call("FUNCTION", "RESTORE", bytes), { kind: "status", text: "OK" });
    assert.match(JSON.stringify(await to.call("FUNCTION", "RESTORE", bytes)), /already exists/);
    assert.deepEqual(await to.call("FUNCTION", "RESTORE", bytes, "REPLACE"), { kind: "status", text: "OK" });
    assert.deepEqual(await to.call("FCALL", "put", "1", "k", "v"), { kind: "status", text: "OK" });
  }
});

test("the writes of a function are recorded as one unit", async () => {
  using folder = makeFolder();
  const args = ["-s", makeKeyPair().file, "--data", folder.path, "--resp", "0"];
  await using replica = await startReplica({ args });
  using client = await RedisConnection.open(replica.daemon.addressOf("resp")?.port ?? 0);
  const two =
    "#!lua name=t\nredis.register_function('two', function(keys) redis.call('incr', keys[1]) return redis.call('incr', keys[2]) end)";
  await client.call("FUNCTION", "LOAD", two);
  assert.deepEqual(await client.call("FCALL", "two", "2", "a", "b"), { kind: "integer", value: 1 });
  const writers = await client.call("WRITERS", "a", "b");
  assert.ok(writers.kind === "array");
  assert.deepEqual(writers.items[0], writers.items[1]);
});

test("with a data folder libraries exist after a restart, and a change that cannot be stored is refused", async () => {
  using folder = makeFolder();
  const args = ["-s", makeKeyPair().file, "--data", folder.path, "--resp", "0"];
  const file = join(folder.path, "functions.rdb");

  const session = async (run: (client: RedisConnection) => Promise<void>) => {
    await using replica = await startReplica({ args });
    using client = await RedisConnection.open(replica.daemon.addressOf("resp")?.port ?? 0);
    await run(client);
  };
  const named = (name: string) =>
    `#!lua name=${name}\nredis.register_function('${name}', function() return 1 end)`;
  const listed = async (client: RedisConnection) =>
    [
      ...JSON.stringify(await client.call("FUNCTION", "LIST")).matchAll(/"library_name".*?"bytes":"(\w+)"/g),
    ].map(([, name]) => name);

  await session(async (client) => {
    for (const name of ["a", "b", "c"]) await client.call("FUNCTION", "LOAD", named(name));
    await client.call("FUNCTION", "DELETE", "b");
  });

  await session(async (client) => {
    assert.deepEqual(await client.call("FCALL", "a", "0"), { kind: "integer", value: 1 });
    assert.deepEqual(await listed(client), ["a", "c"]);

    const stored = readFileSync(file);
    rmSync(file);
    mkdirSync(join(file, "in the way"), { recursive: true });
    const refused = await client.call("FUNCTION", "FLUSH");
    assert.match(refused.kind === "error" ? refused.text : "", /cannot be stored in --data/);
    assert.deepEqual(await listed(client), ["a", "c"]);
    rmSync(file, { recursive: true });
    writeFileSync(file, stored.subarray(0, -1));
  });

  await session(async (client) => {
    assert.deepEqual(await listed(client), [], "a damaged library is not loaded, and the daemon starts");
    await client.call("FUNCTION", "LOAD", named("d"));
  });
  await session(async (client) => assert.deepEqual(await listed(client), ["d"]));
});
