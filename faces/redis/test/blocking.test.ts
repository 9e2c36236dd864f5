/** Tests commands that wait, compared with redis-server, and on a daemon with a timeline. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { integer, OK } from "../../../protocol/reply.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { makeFolder, startReplica } from "../../../test/daemon/program/replicas.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { until } from "../../../test/support/until.js";
import { answers, lines, RedisComparison } from "./redis-comparison.js";
import { startResp, withoutId } from "./scene.js";

const skip = skipWithout("redis-server");
let comparison: RedisComparison;
before(async () => {
  if (skip === false) comparison = await RedisComparison.start();
});
after(() => comparison?.[Symbol.asyncDispose]());

const ENDED = "$7\r\nthe end\r\n";

/** Returns the number of waiting clients. */
async function waitingAt(admin: RedisConnection): Promise<number> {
  const reply = await admin.call("INFO", "clients");
  return reply.kind === "bulk" ? Number(/blocked_clients:(\d+)/.exec(reply.bytes)?.[1]) : -1;
}

/** A command that ends waits, and the number of clients that wait before it. */
type Release = readonly [remaining: number, command: string];

/** Returns the answers to waiting clients, and to another client that then acts. */
async function played(
  port: number,
  waiters: readonly string[],
  then: readonly string[],
  releases: readonly Release[] = [],
): Promise<{ readonly replies: string; readonly told: readonly string[] }> {
  using admin = await RedisConnection.open(port);
  await admin.call("FLUSHALL");

  const clients: RawClient[] = [];
  for (const commands of waiters) {
    const client = await RawClient.open(port);
    clients.push(client);
    client.send(
      commands
        .split("; ")
        .map((command) => `${command}\r\n`)
        .join(""),
    );
    await until(`${commands} waits`, async () => (await waitingAt(admin)) === clients.length);
  }

  const replies = await answers(port, lines(...then));
  for (const [remaining, command] of releases) {
    await until(
      `after ${then.join(", ")}, ${remaining} wait before ${command}`,
      async () => (await waitingAt(admin)) === remaining,
    );
    await admin.call(...command.split(" "));
  }

  const told: string[] = [];
  for (const client of clients) {
    client.send(writeCommand(["ECHO", "the end"]));
    let all = "";
    while (!all.endsWith(ENDED)) all += await client.read(1);
    told.push(withoutId(all));
    client[Symbol.dispose]();
  }

  return { replies, told };
}

const scenes: Readonly<
  Record<string, readonly (readonly [waiters: readonly string[], then: readonly string[]])[]>
> = {
  "clients are served in the order in which they began to wait": [
    [
      ["BLPOP l 500", "BRPOP l 500", "BLPOP l 500"],
      ["RPUSH l a b c d", "LRANGE l 0 -1"],
    ],
    [
      ["BLPOP l 500", "BLPOP l 500"],
      ["LPUSH l a", "LPUSH l b", "EXISTS l"],
    ],
    [
      ["BZPOPMIN z 500", "BZPOPMAX z 500"],
      ["ZADD z 1 a 2 b 3 c", "ZRANGE z 0 -1"],
    ],
    [
      ["BLMPOP 500 2 k l LEFT COUNT 2", "BLPOP l 500"],
      ["RPUSH l a b c d", "LLEN l"],
    ],
    [["BZMPOP 500 2 y z MIN COUNT 2", "HELLO 3; BZPOPMIN z 500"], ["ZADD z 1 a 2 b 3 c"]],
  ],
  "serving one client may create data for the next one": [
    [
      ["BLMOVE a b LEFT RIGHT 500", "BRPOPLPUSH b c 500", "BLPOP c 500"],
      ["RPUSH a x", "EXISTS a b c"],
    ],
    [["BLMOVE a b LEFT RIGHT 500"], ["SET b x", "RPUSH a x", "LRANGE a 0 -1"]],
  ],
  "a key of another type serves no client": [
    [["BLPOP l 500"], ["SET l x", "DEL l", "RPUSH l a"]],
    [
      ["BLPOP k l 500", "BZPOPMIN l 500"],
      ["SET k x", "ZADD l 1 a", "DEL l", "RPUSH l b"],
    ],
  ],
  "a list that is created in another way also serves clients": [
    [["BLPOP l 500"], ["RPUSH x a", "RENAME x l"]],
    [["BLPOP l 500"], ["RPUSH x 3 1 2", "SORT x STORE l"]],
    [["SELECT 1; BLPOP l 500"], ["RPUSH l a", "SWAPDB 0 1"]],
    [["BLPOP l 500"], ["SELECT 1", "RPUSH l a", "MOVE l 0"]],
    [["BLPOP l 500"], ["RPUSH x a", "COPY x l", "EXISTS l"]],
  ],
  "a transaction serves waiting clients at its end": [
    [["BLPOP l 500"], ["MULTI", "RPUSH l a", "DEL l", "RPUSH l b c", "EXEC", "LRANGE l 0 -1"]],
    [["BLPOP l 500"], ["MULTI", "RPUSH l a", "LPOP l", "EXEC", "RPUSH l z"]],
  ],
  "clients that wait for streams receive later entries": [
    [
      ["XREAD BLOCK 500000 STREAMS s $", "XREAD COUNT 1 BLOCK 0 STREAMS r s 0 0-1"],
      ["XADD s 1-1 f v", "XADD r 1-1 f v"],
    ],
    [["HELLO 3; XREAD BLOCK 500000 STREAMS r s $ 5-5"], ["XADD s 5-5 f v", "XADD s 5-6 f v"]],
  ],
  "later commands in a pipeline wait as well": [[["BLPOP l 500; PING; LPOP l"], ["RPUSH l a b"]]],
};

for (const [name, list] of Object.entries(scenes)) {
  test(name, { skip }, async () => {
    for (const [waiters, then] of list) {
      const [ours, theirs] = await Promise.all(
        [comparison.ours, comparison.redis].map(({ port }) => played(port, waiters, then)),
      );
      assert.deepEqual(ours, theirs, `${waiters.join(", ")}: ${then.join(", ")}`);
    }
  });
}

test("a client that waits for a group receives an error when the stream expires", { skip }, async () => {
  const waits = ["XGROUP CREATE s g $ MKSTREAM", "PEXPIRE s 300", "XREADGROUP GROUP g c BLOCK 0 STREAMS s >"];
  await comparison.assertSame(lines("FLUSHALL", ...waits));
  const [ours, theirs] = await Promise.all(
    [comparison.ours, comparison.redis].map(({ port }) => {
      const [create, expire, read] = waits;
      return played(port, [`${create}; ${read}`], [expire as string]);
    }),
  );
  assert.match(ours?.told[0] ?? "", /-UNBLOCKED the stream key no longer exists/);
  assert.deepEqual(ours, theirs);
});

/** The lifetime of a stream in milliseconds. */
const EXPIRY_MS = 300;
/** More calls of the clock than a read that begins to wait makes. */
const CLOCK_CALLS_MAX = 12;

test("a stream that expires between a read and its wait ends the wait", async () => {
  let [ahead, callsBeforeJump] = [0, Number.POSITIVE_INFINITY];
  const clock = () => {
    if (--callsBeforeJump === 0) ahead += 2 * EXPIRY_MS;
    return realEnvironment.clock() + ahead;
  };
  await using scene = await startResp({ environment: { ...realEnvironment, clock } });
  using client = await RawClient.open(scene.port);
  for (let calls = 1; calls <= CLOCK_CALLS_MAX; calls++) {
    client.send(lines(`XGROUP CREATE s${calls} g $ MKSTREAM`, `PEXPIRE s${calls} ${EXPIRY_MS}`));
    assert.equal(await client.read(9), "+OK\r\n:1\r\n");
    callsBeforeJump = calls;
    client.send(lines(`XREADGROUP GROUP g c BLOCK 0 STREAMS s${calls} >`));
    assert.match(await client.readTo("\r\n"), /^-(?:NOGROUP|UNBLOCKED) /, `jump at call ${calls}`);
    callsBeforeJump = Number.POSITIVE_INFINITY;
  }
});

/** Commands after which the stream `s` or its group no longer exists, with the commands that prepare them. */
const STREAM_ENDS: readonly (readonly [before: readonly string[], then: readonly string[]])[] = [
  [[], ["PEXPIRE s 60"]],
  [[], ["MULTI", "SET x 1", "PEXPIRE s 60", "EXEC"]],
  [["PEXPIRE s 60000"], ["PEXPIRE s 60"]],
  [
    ["XADD r 1-0 f v", "XGROUP CREATE r g $"],
    ["PEXPIRE r 200", "RENAME r s"],
  ],
  [
    ["XADD r 1-0 f v", "XGROUP CREATE r g $"],
    ["PEXPIRE r 200", "COPY r s REPLACE"],
  ],
  [[], ["EXPIRE s -1"]],
  [[], ["DEL s"]],
  [[], ["UNLINK s"]],
  [[], ["SET s v"]],
  [[], ["RENAME s r"]],
  [["SET r v"], ["RENAME r s"]],
  [["SADD r 1"], ["SUNIONSTORE s r"]],
  [[], ["MOVE s 1"]],
  [[], ["FLUSHDB"]],
  [[], ["FLUSHALL"]],
  [[], ["SWAPDB 0 1"]],
  [[], ["XGROUP DESTROY s g"]],
];

test("every client that waits for a group receives an error when its stream or its group ends", {
  skip,
}, async () => {
  using folder = makeFolder();
  const { file } = makeKeyPair();
  await using replica = await startReplica({ args: ["-s", file, "--data", folder.path, "--resp", "0"] });
  const recorded = replica.daemon.addressOf("resp")?.port ?? 0;
  const ports = [comparison.redis.port, comparison.ours.port, recorded];

  // The clients of a list and of a whole stream wait in front, until the release.
  const releases: readonly Release[] = [
    [2, "DEL s"],
    [2, "XADD s 9-9 f v"],
    [1, "DEL s"],
    [1, "RPUSH s 1"],
  ];

  for (const [before, then] of STREAM_ENDS) {
    const create = ["XADD s 1-0 f v", "XGROUP CREATE s g $", ...before];
    const read = "XREADGROUP GROUP g c BLOCK 0 STREAMS s >";
    const waiters = ["BLPOP s 0", [...create, "XREAD BLOCK 0 STREAMS s $"].join("; "), read, read];
    const [redis, ...others] = await Promise.all(ports.map((port) => played(port, waiters, then, releases)));
    for (const [i, ours] of others.entries())
      assert.deepEqual(ours.told, redis?.told, `${i === 0 ? "ours" : "recorded"}: ${then.join(", ")}`);
  }
});

test("a client that waits too long receives nil", { skip }, async () => {
  for (const protocol of ["HELLO 2", "HELLO 3"]) {
    await comparison.assertSame(
      lines(
        protocol,
        "BLPOP l 0.05",
        "BLMOVE a b LEFT LEFT 0.05",
        "BZPOPMIN z 0.05",
        "BLMPOP 0.05 1 l LEFT",
      ) + lines("BRPOPLPUSH a b 0.05", "BZMPOP 0.05 1 l MIN", "XREAD BLOCK 50 STREAMS s $", "BRPOP l 0.01"),
    );
  }
});

test("mistakes are reported immediately, and commands in a transaction do not wait", { skip }, async () => {
  for (const bytes of [
    lines("SET k x", "BLPOP k 1", "BLPOP l x", "BLPOP l -1", "BLPOP l", "BLMPOP 1 0 l LEFT", "DEL k"),
    lines(
      "XREAD BLOCK x STREAMS s 0",
      "XREAD BLOCK -1 STREAMS s 0",
      "XREAD BLOCK 1 STREAMS s",
      "BZMPOP 1 1 z MID",
    ),
    lines(
      "MULTI",
      "BLPOP l 0",
      "BLMOVE a b LEFT LEFT 0",
      "XREAD BLOCK 0 STREAMS s $",
      "BZPOPMIN z 0",
      "EXEC",
    ),
    lines(
      "BLMOVE a b LEFT MIDDLE 0",
      "BRPOPLPUSH a b x",
      "RPUSH l a",
      "BLPOP k l 0",
      "XADD s 1-1 f v",
      "XREAD BLOCK 0 STREAMS s 0",
      "DEL s",
    ),
  ])
    await comparison.assertSame(bytes);
});

test("CLIENT UNBLOCK ends the wait, and a disconnected client removes nothing", { skip }, async () => {
  for (const { port } of [comparison.ours, comparison.redis]) {
    using admin = await RedisConnection.open(port);
    await admin.call("FLUSHALL");
    using client = await RedisConnection.open(port);
    const id = await client.call("CLIENT", "ID");
    const number = id.kind === "integer" ? String(id.value) : "";
    for (const [words, expected] of [
      [["TIMEOUT"], { kind: "nil-array" }],
      [["ERROR"], { kind: "error", text: "UNBLOCKED client unblocked via CLIENT UNBLOCK" }],
    ] as const) {
      const answer = client.call("BLPOP", "l", "0");
      await until("the client waits", async () => (await waitingAt(admin)) === 1);
      assert.deepEqual(await admin.call("CLIENT", "UNBLOCK", number, ...words), {
        kind: "integer",
        value: 1,
      });
      assert.deepEqual(await answer, expected);
    }
    assert.deepEqual(await admin.call("CLIENT", "UNBLOCK", number), { kind: "integer", value: 0 });
    const disconnected = await RawClient.open(port);
    disconnected.send(lines("BLPOP l 0"));
    await until("the client waits", async () => (await waitingAt(admin)) === 1);
    disconnected.socket.destroy();
    await until("the client is no longer waiting", async () => (await waitingAt(admin)) === 0);
    await admin.call("RPUSH", "l", "a");
    assert.deepEqual(await admin.call("LLEN", "l"), { kind: "integer", value: 1 });
  }
});

test("no later commands of a client that disconnected while waiting are run", { skip }, async () => {
  for (const { port } of [comparison.ours, comparison.redis]) {
    using admin = await RedisConnection.open(port);
    await admin.call("FLUSHALL");
    using disconnected = await RawClient.open(port);
    disconnected.send(lines("PING", "BLPOP l 0", "SET behind 1"));
    await until("the client waits", async () => (await waitingAt(admin)) === 1);
    disconnected.socket.end();
    assert.equal(await disconnected.rest(), "+PONG\r\n");
    await until("the client is no longer waiting", async () => (await waitingAt(admin)) === 0);
    assert.deepEqual(await admin.call("EXISTS", "behind"), { kind: "integer", value: 0 });
  }
});

/** Returns the approximate number of bytes that the waiting client has sent after its waiting command. */
async function bytesBehind(admin: RedisConnection): Promise<number> {
  const reply = await admin.call("CLIENT", "LIST");
  return reply.kind === "bulk" ? Number(/flags=b .*? qbuf=(\d+)/.exec(reply.bytes)?.[1] ?? -1) : -1;
}

/**
 * Checks that a waiting client that disconnects removes nothing.
 * @param port  the port of a server without keys
 * @param leave  ends the waiting client's connection, after it has sent more packets
 */
async function assertTakesNothing(port: number, leave: (client: RawClient) => void): Promise<void> {
  using admin = await RedisConnection.open(port);
  await admin.call("DEL", "l", "behind");
  using leaving = await RawClient.open(port);
  leaving.send(lines("BLPOP l 0", "SET behind 1"));
  await until("the client waits", async () => (await waitingAt(admin)) === 1);

  // The buffer grows to twice the size of its content.
  for (const commands of [1, 8, 64]) {
    const before = await bytesBehind(admin);
    leaving.send(lines("INCR behind").repeat(commands));
    await until("a packet has arrived", async () => (await bytesBehind(admin)) > before);
  }

  leave(leaving);
  await until("the client is no longer waiting", async () => (await waitingAt(admin)) === 0);
  await admin.call("RPUSH", "l", "a");
  assert.deepEqual(await admin.call("LRANGE", "l", "0", "-1"), {
    kind: "array",
    items: [{ kind: "bulk", bytes: "a" }],
  });
  assert.deepEqual(await admin.call("EXISTS", "behind"), { kind: "integer", value: 0 });
}

const LEAVES = {
  "by ending its stream": (client: RawClient) => void client.socket.end(),
  "by a reset": (client: RawClient) => void client.socket.resetAndDestroy(),
} as const;

for (const [how, leave] of Object.entries(LEAVES)) {
  test(`a client that disconnects ${how} removes nothing, whatever it has sent after the command`, {
    skip,
  }, async () => {
    for (const { port } of [comparison.ours, comparison.redis]) await assertTakesNothing(port, leave);
    using folder = makeFolder();
    const { file } = makeKeyPair();
    await using replica = await startReplica({ args: ["-s", file, "--data", folder.path, "--resp", "0"] });
    await assertTakesNothing(replica.daemon.addressOf("resp")?.port ?? 0, leave);
  });
}

test("a client that sends without end after a waiting command is disconnected", async () => {
  await using ours = await startResp({ limits: { maxQueryBytes: 1024 * 1024 } });
  using client = await RawClient.open(ours.port);
  using admin = await RedisConnection.open(ours.port);
  client.send(lines("BLPOP l 0"));
  await until("the client waits", async () => (await waitingAt(admin)) === 1);
  for (let i = 0; i < 40; i++) client.send(lines("SET behind ".padEnd(64 * 1024 - 100, "x")));
  await until("the connection is closed", () => ours.log.some(({ reason }) => reason === "too-much-behind"));
  assert.equal(await waitingAt(admin), 0);
  assert.deepEqual(await admin.call("EXISTS", "behind"), { kind: "integer", value: 0 });
});

test("timeouts are rounded up, and may be as long as in Redis", { skip }, async () => {
  for (const seconds of ["1e-18", "1e-4940", "0x1p-60", "0.0000001"])
    await comparison.assertSame(lines(`BLPOP l ${seconds}`, `BLMOVE a b LEFT LEFT ${seconds}`));
  for (const seconds of ["9223372036854775", "9223372036854774.9", "-0.0001", "-0.001", "-0"]) {
    const told = await Promise.all(
      [comparison.ours, comparison.redis].map(({ port }) =>
        played(port, [`BLPOP l ${seconds}`], ["RPUSH l a"]),
      ),
    );
    assert.deepEqual(told[0], told[1], seconds);
  }
  await comparison.assertSame(
    lines("BLPOP l 9223372036854776", "BLPOP l -0.0010000000001", "BLPOP l 1e300", "BLPOP l inf"),
  );
});

test("a listener that stops does not wait for waiting clients", async () => {
  const ours = await startResp();
  using client = await RawClient.open(ours.port);
  using admin = await RedisConnection.open(ours.port);
  client.send(lines("BLPOP l 0"));
  await until("the client waits", async () => (await waitingAt(admin)) === 1);
  await ours[Symbol.asyncDispose]();
  assert.equal(await client.rest(), "*-1\r\n");
});

test("clients that wait for several keys that a transaction fills are served as in Redis, even on a daemon that records", {
  skip,
}, async () => {
  using folder = makeFolder();
  const { file } = makeKeyPair();
  await using replica = await startReplica({ args: ["-s", file, "--data", folder.path, "--resp", "0"] });
  const ports = [comparison.ours.port, comparison.redis.port, replica.daemon.addressOf("resp")?.port ?? 0];
  for (const [waiters, then] of [
    [["BLPOP b a 500"], ["MULTI", "RPUSH a 1", "RPUSH b 2", "EXEC", "LLEN a", "LLEN b"]],
    [["BLPOP a b 500"], ["MULTI", "RPUSH b 2", "RPUSH a 1", "RPUSH b 3", "EXEC", "LLEN a", "LLEN b"]],
    [
      ["BLMPOP 500 2 a b LEFT COUNT 5", "BLPOP a 500"],
      ["MULTI", "RPUSH b 1 2", "RPUSH a 3 4", "EXEC", "LRANGE a 0 -1", "LLEN b"],
    ],
    [["BLPOP b a 500"], ["SET b x", "DEL b", "MULTI", "RPUSH a 1", "RPUSH b 2", "EXEC"]],
    [["BZPOPMIN y z 500"], ["MULTI", "ZADD z 1 m", "ZADD y 1 m", "EXEC", "ZCARD y"]],
  ] as const) {
    const [ours, theirs, recorded] = await Promise.all(ports.map((port) => played(port, waiters, then)));
    assert.deepEqual(ours, theirs, `${waiters.join(", ")}: ${then.join(", ")}`);
    // The daemon records the removed element after the transaction, so an immediate read may come first.
    assert.deepEqual(recorded?.told, theirs?.told, `recorded: ${waiters.join(", ")}: ${then.join(", ")}`);
  }
});

test("on a daemon that records, removals are recorded, and each element is removed once", async () => {
  using folder = makeFolder();
  const app = makeKeyPair();
  await using replica = await startReplica({ args: ["-s", app.file, "--data", folder.path, "--resp", "0"] });
  const port = replica.daemon.addressOf("resp")?.port ?? 0;
  using admin = await RedisConnection.open(port);

  const waiters = await Promise.all([0, 1, 2].map(() => RedisConnection.open(port)));
  const calls = [];
  for (const [i, waiter] of waiters.entries()) {
    calls.push(waiter.call("BLPOP", "l", "0"));
    await until("the client waits", async () => (await waitingAt(admin)) === i + 1);
  }

  await admin.call("RPUSH", "l", "a", "b");
  const first = (await Promise.all(calls.slice(0, 2))).map((reply) =>
    reply.kind === "array" ? reply.items[1] : reply,
  );
  assert.deepEqual(first, [
    { kind: "bulk", bytes: "a" },
    { kind: "bulk", bytes: "b" },
  ]);
  assert.deepEqual(await admin.call("EXISTS", "l"), { kind: "integer", value: 0 });

  await admin.call("RPUSH", "l", "c", "d");
  const last = await calls[2];
  assert.ok(last?.kind === "array");
  assert.deepEqual(last.items[1], { kind: "bulk", bytes: "c" });
  assert.deepEqual(await admin.call("BLPOP", "l", "0"), {
    kind: "array",
    items: [
      { kind: "bulk", bytes: "l" },
      { kind: "bulk", bytes: "d" },
    ],
  });

  for (const waiter of waiters) waiter[Symbol.dispose]();
});

test("a client that waits for 150,000 keys is served after FLUSHALL, which may write all keys", async () => {
  await using scene = await startResp();
  using waiter = await RawClient.open(scene.port);
  const keys = Array.from({ length: 150_000 }, (_, i) => `k${i}`);
  waiter.send(writeCommand(["BLPOP", ...keys, "0"]));
  using admin = await RedisConnection.open(scene.port);
  await until("the client waits", async () => (await waitingAt(admin)) === 1);
  assert.deepEqual(await admin.call("FLUSHALL"), OK);
  assert.deepEqual(await admin.call("RPUSH", "k149999", "a"), integer(1));
  assert.equal(await waiter.read(1), "*");
});
