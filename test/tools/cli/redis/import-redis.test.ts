/**
 * Tests `dbsync import redis://…` from real redis-servers into real daemons: every type, expiry, bytes, users, TLS,
 * and a kill in the middle.
 */
import assert from "node:assert/strict";
import { spawn } from "node:child_process";
import { once } from "node:events";
import { type AddressInfo, createServer, type Socket } from "node:net";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import type { ByteString } from "../../../../protocol/byte-string.js";
import type { Reply } from "../../../../protocol/reply.js";
import { readRedisUrl } from "../../../../tools/cli/redis/redis-source.js";
import { type ChildResult, runDbsync } from "../../../client/child.js";
import { amount } from "../../../support/amount.js";
import { writeCertificate } from "../../../support/certificate-files.js";
import { freePort, listenAtFreePort } from "../../../support/free-port.js";
import { programPaths } from "../../../support/programs.js";
import { RedisConnection } from "../../../support/redis-connection.js";
import { startRedis } from "../../../support/redis-server.js";
import { type ImportScene, startImportScene } from "./import-scene.js";

const PLACE = { host: "::1", port: 7000, tls: null };
const BINARY = "\x00\xff\r\n$5 é\x80";
const FAR_MS = 4_102_444_800_000;

let scene: ImportScene;
let { folder, redis, daemon, source, target } = {} as ImportScene;

before(async () => {
  scene = await startImportScene();
  ({ folder, redis, daemon, source, target } = scene);
});
after(() => scene?.[Symbol.asyncDispose]());

const words = (url: string, ...more: string[]) => [
  ...["import", url, "-s", `${daemon.address}:${daemon.port}`, "-k", join(folder, "private.pem"), ...more],
];
const importFrom = (url: string, ...more: string[]): Promise<ChildResult> => runDbsync(words(url, ...more));
const here = (db = 0) => `redis://127.0.0.1:${redis.port}/${db}`;

/** Starts a fake server that answers each command by its name. */
async function startHostile(answers: Readonly<Record<string, string>>) {
  const sockets = new Set<Socket>();
  const server = createServer((socket) => {
    sockets.add(socket);
    let text = "";
    let answered = 0;
    socket.on("error", () => {}).setEncoding("latin1");
    socket.on("data", (chunk) => {
      text += String(chunk);
      const names = [...text.matchAll(/\*\d+\r\n\$\d+\r\n([A-Z]+)\r\n/g)].slice(answered);
      answered += names.length;
      for (const [, name = ""] of names) socket.write(answers[name] ?? "-ERR none\r\n", "latin1");
    });
  });
  await listenAtFreePort(server);
  return {
    port: (server.address() as AddressInfo).port,
    async [Symbol.asyncDispose]() {
      for (const socket of sockets) socket.destroy();
      await new Promise((closed) => server.close(closed));
    },
  };
}

/** Writes keys of all types in turn, and some special ones. @param keys  their number */
async function fill(connection: RedisConnection, keys: number): Promise<void> {
  const make: readonly ((key: string, i: number) => ByteString[])[] = [
    (key, i) => ["SET", key, `${BINARY}${i}`],
    (key, i) => ["RPUSH", key, "a", String(i), BINARY, "a"],
    (key, i) => ["HSET", key, BINARY, String(i), "name", "Ada"],
    (key, i) => ["SADD", key, "1", "2", String(i)],
    (key, i) => ["SADD", key, BINARY, `m${i}`],
    (key, i) => ["ZADD", key, "1.5", "one", "-inf", BINARY, String(i), "i"],
    (key, i) => ["XADD", key, `${i + 1}-1`, "field", BINARY],
  ];

  for (let i = 0; i < keys; i++) {
    const key = `key:${i}${i % 5 === 0 ? BINARY : ""}`;
    connection.queue((make[i % make.length] as (typeof make)[number])(key, i));
    if (i % 3 === 0) connection.queue(["PEXPIREAT", key, String(FAR_MS + i)]);
  }

  const elements = (one: (i: number) => ByteString[]) =>
    Array.from({ length: 1500 }, (_, i) => one(i)).flat();
  connection.queue(["SET", "", "the empty key"]);
  connection.queue(["RPUSH", "long list", ...elements((i) => [`element ${i}`])]);
  connection.queue(["HSET", "long hash", ...elements((i) => [`field ${i}`, BINARY])]);
  connection.queue(["SADD", "long set", ...elements((i) => [`member ${i}`])]);
  connection.queue(["ZADD", "long zset", ...elements((i) => [String(i / 7), `member ${i}`])]);
  connection.queue(["SET", "long string", "x".repeat(100_000)]);

  for (let i = 1; i <= 600; i++) connection.queue(["XADD", "events", `${i}-0`, "n", String(i)]);
  connection.queue(["XDEL", "events", "600-0", "7-0"]);
  connection.queue(["XGROUP", "CREATE", "events", "readers", "0"]);
  connection.queue(["XREADGROUP", "GROUP", "readers", "ada", "COUNT", "3", "STREAMS", "events", ">"]);
  connection.queue(["XADD", "no events", "5-5", "a", "b"]);
  connection.queue(["XTRIM", "no events", "MAXLEN", "0"]);

  const failed = (await connection.flush()).find(({ kind }) => kind === "error");
  assert.equal(failed, undefined, JSON.stringify(failed));
}

const READS: Readonly<Record<string, (key: ByteString) => readonly ByteString[][]>> = {
  string: (key) => [["GET", key]],
  list: (key) => [["LRANGE", key, "0", "-1"]],
  hash: (key) => [["HGETALL", key]],
  set: (key) => [["SMEMBERS", key]],
  zset: (key) => [["ZRANGE", key, "0", "-1", "WITHSCORES"]],
  stream: (key) => [
    ["XRANGE", key, "-", "+"],
    ["XINFO", "GROUPS", key],
  ],
};

/** Returns the type, expiry date and value of each key, independent of the order in which a server stores elements. */
async function contentsOf(connection: RedisConnection, db = 0): Promise<Map<ByteString, string>> {
  await connection.call("SELECT", String(db));
  const keys = textsOf(await connection.call("KEYS", "*")).sort();
  for (const key of keys) connection.queue(["TYPE", key]);
  const types = textsOf({ kind: "array", items: await connection.flush() });

  const contents = new Map<ByteString, string>();
  const requested: (readonly [key: ByteString, type: string])[] = [];
  for (const [i, key] of keys.entries()) {
    const reads = (READS[types[i] as string] as (typeof READS)[string])(key);
    for (const argv of [["PEXPIRETIME", key], ...reads]) {
      connection.queue(argv);
      requested.push([key, types[i] as string]);
    }
  }

  for (const [i, reply] of (await connection.flush()).entries()) {
    const [key, type] = requested[i] as (typeof requested)[number];
    contents.set(key, `${contents.get(key) ?? type} ${shown(reply, type)}`);
  }

  await connection.call("SELECT", "0");
  return contents;
}

function shown(reply: Reply, type: string): string {
  if (reply.kind !== "array") return JSON.stringify(reply);
  if (type === "set") return JSON.stringify(textsOf(reply).sort());
  if (type !== "hash") return JSON.stringify(reply.items);
  const texts = textsOf(reply);
  const pairs = texts.flatMap((name, i) => (i % 2 === 0 ? [[name, texts[i + 1]]] : []));
  return JSON.stringify(pairs.sort());
}

function textsOf(reply: Reply): ByteString[] {
  if (reply.kind !== "array") return [];
  return reply.items.map((item) =>
    item.kind === "bulk" ? item.bytes : item.kind === "status" ? item.text : "",
  );
}

const emptied = () => target.call("FLUSHALL");

describe("dbsync import redis:", () => {
  test("copies keys of every type with their expiry, byte for byte", async () => {
    await fill(source, amount(350, 40_000));
    const { code, stdout, stderr } = await importFrom(here());
    assert.equal(code, 0, stderr);
    const before = await contentsOf(source);
    assert.match(stdout, new RegExp(`^${before.size} keys in `));
    assert.deepEqual(await contentsOf(target), before);
    // Without a terminal, there is a line every ten seconds.
    assert.match(stderr, /^(dbsync: [\d,]+ of [\d,]+ keys.*\n)*$/);
    await emptied();
  });

  test("uses the commands of a type if the server refuses DUMP", async () => {
    await source.call("FLUSHALL");
    await fill(source, 70);
    await source.call("ACL", "SETUSER", "shop", "on", ">se:cret@", "~*", "+@all", "-dump");
    const url = `redis://shop:${encodeURIComponent("se:cret@")}@127.0.0.1:${redis.port}`;

    const { code, stdout, stderr } = await importFrom(url);
    assert.equal(code, 0, stderr);
    assert.match(stdout, /keys copied by the commands of their types \(DUMP: NOPERM/);

    const [before, now] = [await contentsOf(source), await contentsOf(target)];
    assert.deepEqual([...now.keys()], [...before.keys()]);
    // No command can recreate the pending entries of consumers.
    const { events: _, ...others } = Object.fromEntries(before);
    assert.deepEqual({ ...Object.fromEntries(now), events: undefined }, { ...others, events: undefined });
    assert.equal(
      JSON.stringify(await target.call("XRANGE", "events", "-", "+")),
      JSON.stringify(await source.call("XRANGE", "events", "-", "+")),
    );

    const wrong = await importFrom(`redis://shop:wrong@127.0.0.1:${redis.port}`, "--replace");
    assert.equal(wrong.code, 1);
    assert.match(wrong.stderr, /rejects the login: WRONGPASS/);
    assert.doesNotMatch(wrong.stderr, /wrong@/);
    await emptied();
  });

  test("copies a database to the same or another number, and changes existing data only with --replace", async () => {
    await source.call("FLUSHALL");
    await source.call("SELECT", "3");
    await source.call("SET", "third", "3");
    await source.call("SELECT", "0");

    assert.equal((await importFrom(here(3))).code, 0);
    assert.deepEqual([...(await contentsOf(target, 3)).keys()], ["third"]);
    assert.equal((await importFrom(here(3), "--db", "5")).code, 0);
    assert.deepEqual([...(await contentsOf(target, 5)).keys()], ["third"]);

    const again = await importFrom(here(3));
    assert.equal(again.code, 1);
    assert.match(again.stderr, /the daemons already have 1 key in .*--replace .*, and leaves all other keys/);

    await source.call("SELECT", "3");
    await source.call("SET", "third", "new");
    await source.call("SELECT", "0");
    assert.equal((await importFrom(here(3), "--replace")).code, 0);
    assert.match((await contentsOf(target, 3)).get("third") ?? "", /"new"/);
    await emptied();
  });

  test("can be repeated after a kill, and nothing is lost or doubled", async () => {
    await source.call("FLUSHALL");
    await fill(source, amount(1000, 5000));
    const child = spawn(process.execPath, [programPaths.dbsync, ...words(here())], { stdio: "ignore" });
    const ended = once(child, "exit");
    for (let count = 0; count < 500 && child.exitCode === null; ) {
      const reply = await target.call("DBSIZE");
      count = reply.kind === "integer" ? Number(reply.value) : 0;
    }
    child.kill("SIGKILL");
    await ended;
    const { code, stderr } = await importFrom(here(), "--replace");
    assert.equal(code, 0, stderr);
    assert.deepEqual(await contentsOf(target), await contentsOf(source));
    await emptied();
  });

  test("prints no control characters from a server, and no password", async () => {
    await using hostile = await startHostile({
      SELECT: "+OK\r\n",
      DBSIZE: ":1\r\n",
      PEXPIRETIME: ":-1\r\n",
      SCAN: "*2\r\n$1\r\n0\r\n*1\r\n$1\r\nk\r\n",
      DUMP: "-ERR \x1b]0;title\x07\r\n",
      TYPE: "+string\r\n",
      GET: "$-1\r\n",
      AUTH: "-WRONGPASS \x1b[2J\r\n",
    });

    const copied = await importFrom(`redis://127.0.0.1:${hostile.port}`, "--replace");
    assert.equal(copied.code, 0, copied.stderr);
    assert.match(copied.stdout, /ERR \\x1b]0;title\\x07/);
    assert.deepEqual([...(await contentsOf(target)).keys()], []);

    const refused = await importFrom(`redis://me:geheim@127.0.0.1:${hostile.port}`);
    assert.equal(refused.code, 1);
    assert.match(refused.stderr, /WRONGPASS \\x1b\[2J/);

    const wrong = await importFrom("redis://me:geheim@127.0.0.1:99999");
    assert.equal(wrong.code, 2);
    assert.match(wrong.stderr, /value 'redis:\/\/me:…@127\.0\.0\.1:99999' is invalid/);

    const output = [copied, refused, wrong].map(({ stdout, stderr }) => stdout + stderr).join("");
    assert.doesNotMatch(output, /\x1b|\x07|geheim/);
    await emptied();
  });

  test("reports an invalid address and an unreachable server", async () => {
    for (const url of ["redis://", "redis://h/name", "redis://h/1/2", "redis://h?x=1", "redis://h#sha256:00"])
      assert.throws(() => readRedisUrl(url), /redis:\/\/\[user:password@\]host|A fingerprint requires TLS/);
    for (const address of ["127.0.0.1:6379", "http://127.0.0.1:6379"])
      assert.match((await importFrom(address)).stderr, /Expected redis:\/\/host:port, json:/);
    for (const scheme of ["redis", "resp"])
      assert.deepEqual(readRedisUrl(`${scheme}://:pass%25word@[::1]:7000/12`), {
        server: { ...PLACE, login: { user: "default", password: "pass%word" } },
        db: 12,
      });

    const dead = await freePort();
    const { code, stderr } = await importFrom(`redis://127.0.0.1:${dead}`);
    assert.equal(code, 1);
    assert.match(stderr, /Connection refused/);

    const [one, none] = [`${daemon.address}:${daemon.port}`, `127.0.0.1:${await freePort()}`];
    const partial = await importFrom(here(), "-s", `${one},${none}`, "--timeout", "300");
    assert.equal(partial.code, 1);
    assert.ok(
      partial.stderr.includes(
        `${none}: no connection; nothing was sent. An import needs all daemons of the list`,
      ),
    );

    const database = await importFrom(here(99), "--db", "0");
    assert.equal(database.code, 1);
    assert.match(database.stderr, /DB index is out of range/);
    const foreign = await importFrom(`redis://${daemon.address}:${daemon.port}`);
    assert.equal(foreign.code, 1);
  });

  test("uses TLS for rediss:, and checks the server's identity", async () => {
    const files = await writeCertificate(folder);
    const port = await freePort();
    const args = [
      "--tls-port",
      String(port),
      "--tls-cert-file",
      files.certificate,
      "--tls-key-file",
      files.key,
    ];

    await using secured = await startRedis({ args: [...args, "--tls-auth-clients", "no"] });
    using connection = await RedisConnection.open(secured.port);
    await connection.call("SET", "over", "TLS");

    const url = `rediss://127.0.0.1:${port}`;
    const doubted = await importFrom(url);
    assert.equal(doubted.code, 1, doubted.stdout);
    assert.match(doubted.stderr, /certificate/);

    const trusted = await importFrom(url, "--ca", files.certificate);
    assert.equal(trusted.code, 0, trusted.stderr);
    assert.deepEqual([...(await contentsOf(target)).keys()], ["over"]);
    await emptied();
  });
});
