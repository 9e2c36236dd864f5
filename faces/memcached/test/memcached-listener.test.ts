/** Compares memcached's text protocol with the answers of memcached 1.6.18, and tests dbsyncd's own rules. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { CommandPath } from "../../../daemon/engine/backends/command-path.js";
import type { MemoryLimit } from "../../../daemon/engine/memory/memory-limit.js";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { findCommand } from "../../../daemon/store/command-table.js";
import type { Command } from "../../../daemon/store/rows/command-row.js";
import type { Reply } from "../../../protocol/reply.js";
import { makeFolder, startReplica } from "../../../test/daemon/program/replicas.js";
import { amount } from "../../../test/support/amount.js";
import { double } from "../../../test/support/double.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { ScratchFolder } from "../../../test/support/scratch-folder.js";
import { FULL } from "../../../test/support/unbounded-memory.js";
import { LocalPath } from "../../users/user-listeners.js";
import { VERSION } from "../memcached-session.js";
import { ask, askMemcached } from "./memcached-lines.js";
import { replay } from "./replay.js";
import { startMemcached } from "./scene.js";

test("the listener's answers equal memcached's", async () => {
  await using scene = await startMemcached();
  scene.now = Date.now();
  await replay(scene.port);
});

test("exptime is relative in seconds, above 30 days a date, 0 for no expiry, and negative for the past", async () => {
  await using scene = await startMemcached();
  const day = 24 * 60 * 60;
  const date = scene.now / 1000 + 60 * day;
  await scene.exchange(
    `set b 0 60 1\r\nx\r\nset c 0 ${30 * day} 1\r\nx\r\nset d 0 ${date} 1\r\nx\r\nset e 0 0 1\r\nx\r\nset f 0 -1 1\r\nx\r\n`,
  );

  const remaining = async (after: number) => {
    scene.now += after * 1000;
    return [...(await scene.exchange("get b c d e f\r\n")).matchAll(/^VALUE (\w)/gm)]
      .map(([, key]) => key)
      .join("");
  };

  assert.equal(await remaining(59), "bcde");
  assert.equal(await remaining(2), "cde");
  assert.equal(await remaining(30 * day - 60), "de");
  assert.equal(await scene.exchange("touch e 5\r\ntouch d 0\r\n"), "TOUCHED\r\nTOUCHED\r\n");
  assert.equal(await remaining(90 * day), "d");
});

test("more clients than a client has attempts count in one item whose changes are decided together", async (t) => {
  await using scene = await startMemcached();
  await scene.exchange("set n 0 0 1\r\n0\r\n");
  const clients = await Promise.all(Array.from({ length: 120 }, () => RawClient.open(scene.port)));

  const { executeTogether } = LocalPath.prototype;
  let attempts = 0;
  const waiting: (() => void)[] = [];
  const decideAll = () => {
    for (const decide of waiting.splice(0)) decide();
  };

  t.mock.method(LocalPath.prototype, "executeTogether", function (
    this: LocalPath,
    calls,
    conditions,
    sender,
  ) {
    const run = () => executeTogether.call(this, calls, conditions, sender);
    if (!calls.some(({ command }) => command.writes)) return run();
    attempts++;
    // The first attempts of all clients compete, and then all that are made in one turn.
    if (attempts === clients.length || (attempts > clients.length && waiting.length === 0))
      setImmediate(decideAll);
    return new Promise<Reply>((resolve) => waiting.push(() => resolve(run())));
  } as CommandPath["executeTogether"]);

  const answers = await Promise.all(clients.map((client) => ask(client, "incr n 1\r\n")));
  for (const client of clients) client[Symbol.dispose]();
  assert.deepEqual(
    answers.map(Number).sort((a, b) => a - b),
    clients.map((_, i) => i + 1),
  );
  assert.ok(attempts <= 2 * clients.length, `${attempts} attempts`);
});

test("cas stores the value if no client has changed it since gets", async () => {
  await using scene = await startMemcached();
  await scene.exchange("set a 0 0 1\r\nx\r\n");
  const uniqueOf = async () => / (\d+)\r\n/.exec((await scene.exchange("gets a\r\n")).slice(8))?.[1];
  const before = await uniqueOf();
  assert.equal(
    await scene.exchange(`cas a 3 0 1 ${before}\r\ny\r\nget a\r\n`),
    "STORED\r\nVALUE a 3 1\r\ny\r\nEND\r\n",
  );
  assert.equal(await scene.exchange(`cas a 0 0 1 ${before}\r\nz\r\n`), "EXISTS\r\n");
  assert.notEqual(await uniqueOf(), before);
  assert.equal(
    await scene.exchange(`delete a\r\ncas a 0 0 1 ${before}\r\nz\r\n`),
    "DELETED\r\nNOT_FOUND\r\n",
  );
});

test("each store of an item gives it another number of 63 bits, also within one packet", async () => {
  using folder = makeFolder();
  const pair = makeKeyPair();
  await using alone = await startReplica({ args: ["--memcached", "0"] });
  await using recording = await startReplica({ args: ["--data", folder.path, "--memcached", "0"] });
  await using signed = await startReplica({ args: ["-s", pair.file] });
  using keys = new ScratchFolder();
  const servers = ["-d", `dbsync:127.0.0.1:${signed.port}`, "--key", keys.privateKey(pair)];
  await using sidecar = await startReplica({ args: [...servers, "--memcached", "0"] });

  const stores = ["set a 0 0 1\r\n1\r\n", "ms a 1 c\r\n1\r\n", "append a 0 0 1\r\n1\r\n", "incr a 1\r\n"];
  for (const { daemon } of [alone, recording, sidecar]) {
    // The client sends everything in one packet, and some stores without reading the number between them.
    const packet = `${stores.map((store) => `${store}gets a\r\n${store}${store}gets a\r\n`).join("")}`.repeat(
      5,
    );

    const answers = await askMemcached(daemon.addressOf("memcached")?.port ?? 0, packet);
    const numbers = [...answers.matchAll(/(?:^VALUE a 0 \d+ |^HD c)(\d+)\r$/gm)].map(
      ([, number = ""]) => number,
    );

    assert.equal(numbers.length, 5 * (2 * stores.length + 3));
    // `gets` returns the number of the store before it: the last `ms` returned the same.
    assert.equal(new Set(numbers).size, numbers.length - 2 * 5);
    for (const number of numbers) assert.ok(BigInt(number) > 0n && BigInt(number) < 2n ** 63n, number);
  }
});

test("a client that must log in does so with its first set, and then has the rights of its user", async () => {
  const users = ["user default off", "user app on >secret ~app:* +@read +@string +del"];
  await using scene = await startMemcached({ users });
  const no = "CLIENT_ERROR unauthenticated\r\n";

  assert.equal(
    await scene.exchange("get app:a\r\nadd a 0 0 1\r\nx\r\nversion\r\n"),
    `${no}${no}VERSION ${VERSION}\r\n`,
  );
  assert.equal(
    await scene.exchange("set k 0 0 8\r\napp fals\r\nget k\r\n"),
    `CLIENT_ERROR authentication failure\r\n${no}`,
  );
  assert.match(await scene.exchange("set k 0 0 5000\r\nx\r\n"), /^SERVER_ERROR object too large/);

  const reply = await scene.exchange(
    "set k 0 0 10\r\napp secret\r\nset app:a 0 0 1\r\nx\r\nget app:a\r\nset b 0 0 1\r\nx\r\nget app:a b\r\n",
  );
  const denied = "CLIENT_ERROR this user has no permissions for this command or key\r\n";
  assert.equal(reply, `STORED\r\nSTORED\r\nVALUE app:a 0 1\r\nx\r\nEND\r\n${denied}${denied}`);
});

test("while memory is full items are refused, but can be read and deleted", async () => {
  await using scene = await startMemcached({ memory: FULL });
  assert.equal(
    await scene.exchange("set a 0 0 1\r\nx\r\nget a\r\ndelete a\r\n"),
    "SERVER_ERROR out of memory storing object\r\nEND\r\nNOT_FOUND\r\n",
  );
});

test("items, answers and lines are limited, and a browser's request ends the connection", async () => {
  await using scene = await startMemcached({ limits: { maxRequestBytes: 1024, maxOutputBytes: 4096 } });
  const item = (bytes: number) => `set a 0 0 ${bytes}\r\n${"x".repeat(bytes)}\r\n`;

  assert.equal(
    await scene.exchange(item(1025) + item(1024)),
    "SERVER_ERROR object too large for cache\r\nSTORED\r\n",
  );
  assert.equal(
    await scene.exchange("get a a a a\r\n"),
    "SERVER_ERROR out of memory writing get response\r\n",
  );
  assert.equal(
    await scene.exchange(`version\r\n${"x".repeat(300_000)}`),
    `VERSION ${VERSION}\r\nCLIENT_ERROR line too long\r\n`,
  );

  const refusal = await scene.exchange("POST / HTTP/1.1\r\nHost: here\r\n\r\nset a 0 0 1\r\ny\r\n");
  assert.match(
    refusal,
    /^HTTP\/1\.1 400 [\s\S]*\r\n\r\nthis port serves memcached clients \(--memcached\).*\n$/,
  );

  assert.match(await scene.exchange("get a\r\n"), /^VALUE a 0 1024\r\n/);
});

test("a request of the binary protocol is answered with ERROR, and the connection is closed", async () => {
  await using scene = await startMemcached();
  using client = await RawClient.open(scene.port);
  // A VERSION request of the binary protocol. Its header closes the connection before the next bytes are parsed as
  // text.
  client.send(`\x80\x0b${"\0".repeat(22)}\r\nset a 0 0 1\r\nx\r\n`);
  assert.equal(await client.rest(), "ERROR\r\n");
  assert.equal(await scene.exchange("get a\r\n"), "END\r\n");
});

test("an item that is too large is discarded, and noreply suppresses the error", async () => {
  await using scene = await startMemcached({ limits: { maxRequestBytes: 1024 } });
  const item = (words: string) => `set a 0 0 2000${words}\r\n${"version\r\n".repeat(222)}xx\r\n`;
  assert.equal(
    await scene.exchange(`${item("")}${item(" noreply")}get a\r\n`),
    "SERVER_ERROR object too large for cache\r\nEND\r\n",
  );
});

test("append and prepend keep flags and expiry, and an item that would become too long is not stored", async () => {
  await using scene = await startMemcached({ limits: { maxMemcachedItemBytes: 1024 } });
  assert.equal(
    await scene.exchange(
      "set a 5 10 1\r\nb\r\nappend a 0 0 1\r\nc\r\nprepend a 0 0 1\r\na\r\nmg a f t v\r\n",
    ),
    "STORED\r\nSTORED\r\nSTORED\r\nVA 3 f5 t10\r\nabc\r\n",
  );
  const long = `append a 0 0 1021\r\n${"x".repeat(1021)}\r\n`;
  assert.equal(await scene.exchange(`${long}mg a s\r\n`), "NOT_STORED\r\nHD s3\r\n");
});

test("an item of 1 MiB is too large, and the old item does not remain after a set", async () => {
  await using scene = await startMemcached();
  const item = (verb: string, bytes: number) => `${verb} a 0 0 ${bytes}\r\n${"x".repeat(bytes)}\r\n`;
  const tooLarge = "SERVER_ERROR object too large for cache\r\n";
  assert.equal(
    await scene.exchange(
      `${item("set", 2 ** 20 - 1)}${item("replace", 2 ** 20)}mg a s\r\n${item("set", 2 ** 20)}mg a\r\n`,
    ),
    `STORED\r\n${tooLarge}HD s1048575\r\n${tooLarge}EN\r\n`,
  );
});

test("the members of a list decide on a condition only if the client has sent the number of an item", async (t) => {
  await using scene = await startMemcached();
  const { mock } = t.mock.method(LocalPath.prototype, "executeTogether");
  using client = await RawClient.open(scene.port);

  /** Returns whether the members would decide on each unit with conditions that a request makes. */
  const decided = async (request: (number: string) => string): Promise<unknown[]> => {
    await ask(client, "set a 0 0 1\r\n1\r\n");
    const number = / (\d+)\r\n1\r\n/.exec(await ask(client, "gets a\r\n"))?.[1] ?? assert.fail();
    mock.resetCalls();
    assert.match(await ask(client, request(number)), /^(STORED|HD|DELETED|2)\r\n$/);

    const units: readonly (readonly unknown[])[] = mock.calls.map((call) => call.arguments);
    return units.flatMap(([, conditions, , isDecided]) =>
      (conditions as readonly unknown[]).length > 0 ? [isDecided] : [],
    );
  };

  assert.deepEqual(await decided((number) => `cas a 0 0 1 ${number}\r\n2\r\n`), [true]);
  assert.deepEqual(await decided((number) => `ms a 1 MA C${number}\r\n2\r\n`), [true]);
  assert.deepEqual(await decided((number) => `md a C${number}\r\n`), [true]);
  assert.deepEqual(await decided((number) => `ma a C${number}\r\n`), [true]);
  assert.deepEqual(await decided(() => "append a 0 0 1\r\n2\r\n"), [false]);
  assert.deepEqual(await decided(() => "incr a 1\r\n"), [false]);
});

test("a request that does not change a decided key is answered by a decision", async (t) => {
  await using scene = await startMemcached();
  const { executeTogether } = LocalPath.prototype;
  const argv = ["SET", "a", "5", "PX", "100000"];
  const stored = { command: findCommand("SET") as Command, argv };
  t.mock.method(LocalPath.prototype, "writesDecided", () => true);
  t.mock.method(
    LocalPath.prototype,
    "executeTogether",
    function (this: LocalPath, ...[calls, conditions, sender]: Parameters<typeof executeTogether>) {
      // Until this decision, the daemon does not have the item that another client has stored.
      const isDecided = calls.some(({ command }) => command.writes) && conditions.length === 0;
      if (isDecided) executeTogether.call(this, [stored], [], sender);
      return executeTogether.call(this, calls, conditions, sender);
    },
  );

  for (const [request, answer] of [
    ["incr a 1", "6"],
    ["decr a 1", "4"],
    ["append a 0 0 1\r\n1", "STORED"],
    ["prepend a 0 0 1\r\n1", "STORED"],
    ["cas a 0 0 1 7\r\n1", "EXISTS"],
    ["ma a", "HD"],
    ["md a C7", "EX"],
    ["ms a 1 MA\r\n1", "HD"],
  ] as const) {
    assert.equal(await scene.exchange(`${request}\r\n`), `${answer}\r\n`, request);
    assert.equal(await scene.exchange("mg a t\r\ndelete a\r\n"), "HD t100\r\nDELETED\r\n", request);
  }
});

test("a user without the right to change an item causes no decision", async (t) => {
  const users = ["user default off", "user reader on >pw %R~* +@read"];
  await using scene = await startMemcached({ users });
  const writesDecided = t.mock.method(LocalPath.prototype, "writesDecided", () => true);
  const { mock } = t.mock.method(LocalPath.prototype, "executeTogether");

  const requests = "incr a 1\r\ncas a 0 0 1 7\r\n1\r\nmd a C7\r\nappend a 0 0 1\r\n1\r\n";
  const answers = await scene.exchange(`set auth 0 0 9\r\nreader pw\r\n${requests}`);
  assert.equal(answers, "STORED\r\nNOT_FOUND\r\nNOT_FOUND\r\nNF\r\nNOT_STORED\r\n");
  assert.equal(writesDecided.mock.callCount(), 4);
  assert.ok(mock.calls.every(({ arguments: [calls] }) => calls.every(({ command }) => !command.writes)));
});

test("flush_all deletes the items of all clients, and no value of another type", async () => {
  using folder = makeFolder();
  const args = ["--data", folder.path, "--memcached", "0", "--resp", "0"];
  await using replica = await startReplica({ args });
  using redis = await RedisConnection.open(replica.daemon.addressOf("resp")?.port ?? 0);

  await redis.call("HSET", "hash", "f", "v");
  await redis.call("SELECT", "1");
  await redis.call("SET", "other", "database");
  await redis.call("SELECT", "0");

  // More items than one step of flush_all deletes.
  const count = amount(1200, 2500);
  const last = `k${count - 1}`;
  const items = Array.from({ length: count }, (_, at) => `set k${at} 0 0 1 noreply\r\nx\r\n`).join("");
  const requests = `${items}get k0 ${last}\r\nflush_all noreply\r\nget k0 ${last}\r\nflush_all\r\n`;

  assert.equal(
    await askMemcached(replica.daemon.addressOf("memcached")?.port ?? 0, requests),
    `VALUE k0 0 1\r\nx\r\nVALUE ${last} 0 1\r\nx\r\nEND\r\nEND\r\nOK\r\n`,
  );
  assert.deepEqual(await redis.call("KEYS", "*"), {
    kind: "array",
    items: [{ kind: "bulk", bytes: "hash" }],
  });

  await redis.call("SELECT", "1");
  assert.deepEqual(await redis.call("DBSIZE"), { kind: "integer", value: 1 });
});

/** Returns an environment whose timers of a minute ring only when a test calls them. */
function minuteTimers() {
  const rings: (() => void)[] = [];
  const environment = {
    setTimer: (milliseconds: number, ring: () => void) => {
      if (milliseconds !== 60_000) return realEnvironment.setTimer(milliseconds, ring);
      rings.push(ring);
      return () => {
        if (rings.includes(ring)) rings.splice(rings.indexOf(ring), 1);
      };
    },
  };
  return { rings, environment };
}

test("a delayed flush_all deletes nothing if the user has lost the right in the meantime", async () => {
  const { rings, environment } = minuteTimers();
  const users = ["user default off", "user app on >pw ~* +@all"];
  await using scene = await startMemcached({ users }, environment);
  const login = "set a 0 0 6\r\napp pw\r\n";

  for (const [rule, answer] of [
    ["-flushdb", "HD\r\n"],
    ["+flushdb", "EN\r\n"],
  ] as const) {
    scene.users.replaceAll(scene.users.changed("app", ["+flushdb"]));
    assert.equal(
      await scene.exchange(`${login}set k 0 0 1\r\nx\r\nflush_all 60\r\n`),
      "STORED\r\nSTORED\r\nOK\r\n",
    );

    scene.users.replaceAll(scene.users.changed("app", [rule]));
    assert.equal(rings.length, 1);
    rings[0]?.();
    // A flush takes a few turns, fewer than a login.
    assert.equal(await scene.exchange(`${login}mg k\r\n`), `STORED\r\n${answer}`, rule);
    rings.length = 0;
  }
});

test("a delayed flush_all deletes what exists then, and a later flush_all replaces it", async () => {
  const { rings, environment } = minuteTimers();
  await using scene = await startMemcached({}, environment);
  assert.equal(
    await scene.exchange("set a 0 0 1\r\nx\r\nflush_all 60\r\nflush_all 60\r\nmg a\r\n"),
    "STORED\r\nOK\r\nOK\r\nHD\r\n",
  );
  assert.equal(rings.length, 1);
  rings[0]?.();
  for (let answer = ""; answer !== "EN\r\n"; ) answer = await scene.exchange("mg a\r\n");
  await scene.exchange("flush_all 60\r\nflush_all\r\n");
  assert.equal(rings.length, 0);
});

test("flush_all requires the right to FLUSHDB, and stats that to DBSIZE", async () => {
  const users = [
    "user default off",
    "user app on >pw ~* +@all -flushdb -dbsize",
    "user admin on >pw ~* +@all",
  ];
  await using scene = await startMemcached({ users });
  const denied = "CLIENT_ERROR this user has no permissions for this command or key\r\n";
  const login = (name: string) => `set a 0 0 ${name.length + 3}\r\n${name} pw\r\n`;

  assert.equal(
    await scene.exchange(`${login("app")}set k 0 0 1\r\nx\r\nflush_all\r\nflush_all 10\r\nstats\r\nmg k\r\n`),
    `STORED\r\nSTORED\r\n${denied}${denied}${denied}HD\r\n`,
  );
  assert.match(
    await scene.exchange(`${login("admin")}stats\r\n`),
    /\r\nSTAT curr_items 1\r\n[\s\S]*END\r\n$/,
  );
  assert.equal(await scene.exchange(`${login("admin")}flush_all\r\nmg k\r\n`), "STORED\r\nOK\r\nEN\r\n");
  assert.equal(await scene.exchange("flush_all\r\n"), "CLIENT_ERROR unauthenticated\r\n");
});

test("mg returns the number that cas compares, and is quiet about a missing item if requested", async () => {
  await using scene = await startMemcached();
  const [, unique = ""] =
    /^STORED\r\nHD c(\d+)\r\n$/.exec(await scene.exchange("set a 0 0 1\r\nx\r\nmg a c\r\n")) ?? [];
  assert.equal(
    await scene.exchange(`cas a 0 0 1 ${unique}\r\ny\r\nmg b q k v\r\nmg a q v\r\nmn\r\n`),
    "STORED\r\nVA 1\r\ny\r\nMN\r\n",
  );
});

test("ms returns the number of the item that it has stored, replaced or extended", async () => {
  await using scene = await startMemcached();
  for (const mode of ["S", "E", "R", "A", "P"]) {
    const before = mode === "E" ? "delete a noreply\r\n" : "set a 5 0 1 noreply\r\nx\r\n";
    const answer = await scene.exchange(`${before}ms a 1 c k M${mode}\r\ny\r\nmg a c\r\n`);
    const [, stored, read] = /^HD c(\d+) ka\r\nHD c(\d+)\r\n$/.exec(answer) ?? [];
    assert.ok(stored !== undefined && stored === read, `${mode}: ${answer}`);
  }
});

test("meta commands change an item only if it has the number that the client names", async () => {
  await using scene = await startMemcached();
  const stored = async (request: string) =>
    /^HD c(\d+)\r\n$/.exec(await scene.exchange(request))?.[1] ?? assert.fail("no number");
  const first = await stored("ms a 1 c\r\n5\r\n");
  const second = await stored(`ms a 1 C${first} c\r\n6\r\n`);
  assert.equal(await scene.exchange("mg a c v\r\n"), `VA 1 c${second}\r\n6\r\n`);
  const late = `ms a 1 C${first} c\r\n0\r\nms a 1 C${first} MA\r\n0\r\nma a C${first}\r\nmd a C${first}\r\n`;
  assert.equal(await scene.exchange(late), "EX c0\r\nEX\r\nEX\r\nEX\r\n");
  assert.equal(
    await scene.exchange(`ma a C${second} v\r\nmd b C${second}\r\nget a\r\n`),
    "VA 1\r\n7\r\nNF\r\nVALUE a 0 1\r\n7\r\nEND\r\n",
  );
  const third = await stored("ms b 1 c ME\r\n8\r\n");
  assert.equal(await scene.exchange(`md b C${third}\r\nmg b\r\n`), "HD\r\nEN\r\n");
});

test("ma creates an item with an expiry, and changes that of an existing one only if requested", async () => {
  await using scene = await startMemcached();
  const steps =
    "ma a N60 J5 v\r\nmg a t\r\nma a\r\nmg a t v\r\nma a T90 MD D2\r\nmg a t v\r\nma a T0\r\nmg a t\r\n";
  assert.equal(
    await scene.exchange(steps),
    "VA 1\r\n5\r\nHD t60\r\nHD\r\nVA 1 t60\r\n6\r\nHD\r\nVA 1 t90\r\n4\r\nHD\r\nHD t-1\r\n",
  );
  const clients = Array.from({ length: 20 }, () => scene.exchange("ma n N0 J1\r\n"));
  assert.deepEqual(new Set(await Promise.all(clients)), new Set(["HD\r\n"]));
  assert.equal(await scene.exchange("mg n v\r\n"), "VA 2\r\n20\r\n");
});

test("cache_memlimit changes --maxmemory, and requires the right to CONFIG SET", async () => {
  const memory = double<MemoryLimit>({ isFull: false, refuses: () => false, refusal: () => null, bytes: 0 });
  const users = [
    "user default off",
    "user admin on >secret ~* +@all",
    "user app on >secret ~* +@all -config|set",
  ];
  await using scene = await startMemcached({ users, memory });
  const logIn = (name: string) => `set k 0 0 ${name.length + 7}\r\n${name} secret\r\n`;
  const denied = "CLIENT_ERROR this user has no permissions for this command or key\r\n";
  assert.equal(await scene.exchange(`${logIn("app")}cache_memlimit 64\r\n`), `STORED\r\n${denied}`);
  assert.equal(memory.bytes, 0);
  const answer = await scene.exchange(`${logIn("admin")}cache_memlimit 64\r\nstats settings\r\n`);
  assert.match(answer, /^STORED\r\nOK\r\nSTAT maxbytes 67108864\r\n/);
  assert.equal(await scene.exchange(`${logIn("admin")}cache_memlimit 128 noreply\r\n`), "STORED\r\n");
  assert.equal(memory.bytes, 128 * 1024 * 1024);
});

test("stats settings names the limits, and verbosity changes nothing", async () => {
  await using scene = await startMemcached();
  assert.match(
    await scene.exchange("stats settings\r\nverbosity 2\r\n"),
    /\r\nSTAT item_size_max 1048576\r\n[\s\S]*END\r\nOK\r\n$/,
  );
});

test("gats returns the number that cas compares, and gat accepts many keys", async () => {
  await using scene = await startMemcached();
  const [, unique] =
    /^STORED\r\nVALUE a 0 1 (\d+)\r\nx\r\nEND\r\n$/.exec(
      await scene.exchange("set a 0 0 1\r\nx\r\ngats 60 a\r\n"),
    ) ?? [];
  assert.ok(unique !== undefined);
  assert.equal(await scene.exchange(`cas a 0 60 1 ${unique}\r\ny\r\n`), "STORED\r\n");
  assert.equal(await scene.exchange("gat 90 none a\r\nmg a t\r\n"), "VALUE a 0 1\r\ny\r\nEND\r\nHD t90\r\n");
  const keys = Array.from({ length: 2500 }, (_, i) => `k${i}`);
  assert.equal(
    await scene.exchange(`set k2499 0 0 1\r\nx\r\ngat 60 ${keys.join(" ")}\r\nmg k2499 t\r\n`),
    "STORED\r\nVALUE k2499 0 1\r\nx\r\nEND\r\nHD t60\r\n",
  );
});

test("clients that parse the version find a major number", () => {
  assert.match(VERSION, /^[1-9]\d*\.\d+\.\d+-dbsync-/);
});

test("items that are together longer than the limit for reads are refused in memcached's words", async () => {
  await using scene = await startMemcached({ limits: { maxReadBytes: 65_536 } });
  await scene.exchange(`set k 0 0 8000\r\n${"x".repeat(8000)}\r\n`);
  assert.equal(
    await scene.exchange(`gets${" k".repeat(10)}\r\n`),
    "SERVER_ERROR out of memory writing get response\r\n",
  );
  assert.match(await scene.exchange(`gets${" k".repeat(7)}\r\n`), /x\r\nEND\r\n$/);
});

test("an answer that exceeds the maximum string length is refused, and the daemon continues", async () => {
  await using scene = await startMemcached();
  await scene.exchange(`set k 0 0 8000\r\n${"x".repeat(8000)}\r\n`);
  assert.equal(
    await scene.exchange(`get${" k".repeat(100_000)}\r\n`),
    "SERVER_ERROR out of memory writing get response\r\n",
  );
  assert.equal(await scene.exchange("get absent\r\n"), "END\r\n");
});

test("recorded items can be read by Redis clients, and concurrent incr commands are not lost", async () => {
  using folder = makeFolder();
  const args = ["--data", folder.path, "--memcached", "0", "--resp", "0"];
  await using replica = await startReplica({ args });
  const port = replica.daemon.addressOf("memcached")?.port ?? 0;
  using one = await RawClient.open(port);

  assert.equal(
    await ask(
      one,
      "set text 0 0 3\r\nabc\r\nset flagged 5 0 1\r\nx\r\nset n 0 0 1\r\n0\r\nget text flagged\r\n",
    ),
    "STORED\r\nSTORED\r\nSTORED\r\nVALUE text 0 3\r\nabc\r\nVALUE flagged 5 1\r\nx\r\nEND\r\n",
  );

  await Promise.all(
    [1, 2, 3].map(async () => {
      assert.match(await askMemcached(port, "incr n 1\r\n".repeat(20)), /^(\d+\r\n){20}$/);
    }),
  );

  using redis = await RedisConnection.open(replica.daemon.addressOf("resp")?.port ?? 0);
  assert.deepEqual(await redis.call("RPUSH", "list", "1"), { kind: "integer", value: 1 });
  assert.equal(
    await ask(one, "gat 60 text list flagged\r\nmg flagged t\r\n"),
    "VALUE text 0 3\r\nabc\r\nVALUE flagged 5 1\r\nx\r\nEND\r\nHD t60\r\n",
  );
  assert.deepEqual(await redis.call("GET", "text"), { kind: "bulk", bytes: "abc" });
  assert.deepEqual(await redis.call("GET", "n"), { kind: "bulk", bytes: "60" });
});
