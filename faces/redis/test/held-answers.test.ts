/**
 * Tests what answers wait for on a daemon that records: commands run in the order of their arrival, without waiting for
 * the disk, and each answer waits for the disk to have everything that it shows.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readBody } from "../../../protocol/version-2/envelope.js";
import { signCommands } from "../../../test/support/envelope-client.js";
import type { RawClient } from "../../../test/support/raw-client.js";
import { until } from "../../../test/support/until.js";
import { app, get, INCREMENT, lines, startHeld, turns } from "./held-scene.js";

const PING = "+PONG\r\n";

async function readLines(client: RawClient, count: number): Promise<string[]> {
  const read: string[] = [];
  while (read.length < count) read.push((await client.readTo("\r\n")).trim());
  return read;
}

test("a pipeline runs in order while the disk is busy, and is answered in order when the disk has it", async () => {
  await using scene = await startHeld();
  const client = await scene.open();
  client.send(
    lines(
      ...["SET k 1", "GET k", "INCR k", "GET k", "MULTI", "INCR k", "GET k", "EXEC", "GET k"],
      ...[`${INCREMENT} k`, "GET k", "WATCH k", "MULTI", "GET k", "EXEC", "LPUSH k x", "PING", "SELECT 1"],
      ...["GET k", "SET k other", "GET k", "DISCARD"],
    ),
  );

  await until("the commands before WATCH have run", () => get(scene.node, "k") === "4");
  await turns();
  assert.equal(client.received, "");
  assert.ok(scene.storage.pending > 0);

  scene.storage.release();
  const expected =
    "+OK\r\n$1\r\n1\r\n:2\r\n$1\r\n2\r\n+OK\r\n+QUEUED\r\n+QUEUED\r\n*2\r\n:3\r\n$1\r\n3\r\n$1\r\n3\r\n" +
    ":4\r\n$1\r\n4\r\n+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n$1\r\n4\r\n" +
    "-WRONGTYPE Operation against a key holding the wrong kind of value\r\n+PONG\r\n+OK\r\n" +
    "$-1\r\n+OK\r\n$5\r\nother\r\n-ERR DISCARD without MULTI\r\n";
  assert.equal(await client.readTo("DISCARD without MULTI\r\n"), expected);
});

for (const [name, read, answer] of [
  ["a read", "GET k", "$3\r\nnew\r\n"],
  ["a read of an absent key", "GET removed", "$-1\r\n"],
  ["a transaction of reads", "MULTI\r\nGET k\r\nEXEC", "+OK\r\n+QUEUED\r\n*1\r\n$3\r\nnew\r\n"],
  ["a script that reads", `EVAL "return redis.call('GET', KEYS[1])" 1 k`, "$3\r\nnew\r\n"],
  ["an error about a value", "INCR k", "-ERR value is not an integer or out of range\r\n"],
  ["XREAD that waits only if there is nothing", "XREAD BLOCK 0 STREAMS s 0", null],
  ["XREAD that finds nothing", "XREAD STREAMS removed 0", "*-1\r\n"],
  [
    "DEBUG OBJECT",
    "DEBUG OBJECT k",
    "+Value at:0x0 refcount:1 encoding:embstr serializedlength:4 lru:0 lru_seconds_idle:0\r\n",
  ],
  ["DEBUG OBJECT about an absent key", "DEBUG OBJECT removed", "-ERR no such key\r\n"],
] as const)
  test(`the answer to ${name} waits for another client's write that it shows`, async () => {
    await using scene = await startHeld();
    const [writer, reader] = [await scene.open(), await scene.open()];
    writer.send(lines("SET k new", "DEL removed", "XADD s 1-1 f v"));
    await until("the write has run", () => get(scene.node, "k") === "new");
    reader.send(lines("PING", read));
    const first = await reader.read(PING.length);
    assert.equal(first, PING);
    await turns();
    const early = read.startsWith("MULTI") ? "+OK\r\n+QUEUED\r\n" : "";
    assert.equal(reader.received, early);
    assert.equal(writer.received, "");
    scene.storage.release();
    if (answer === null) assert.match(await reader.readTo("$1\r\nv\r\n"), /^\*1\r\n/);
    else assert.equal(await reader.read(answer.length), answer);
  });

test("a dump of all keys waits for the writes that it contains", async () => {
  await using scene = await startHeld();
  const [writer, reader] = [await scene.open(), await scene.open()];
  writer.send(lines("SET k new"));
  await until("the write has run", () => get(scene.node, "k") === "new");
  reader.send(lines("REPLCONF rdb-only 1", "SYNC"));
  assert.equal(await reader.read(5), "+OK\r\n");
  await turns();
  assert.equal(reader.received, "");
  scene.storage.release();
  const [, length = ""] = /^\$(\d+)\r\n$/.exec(await reader.readTo("\r\n")) ?? assert.fail();
  const file = await reader.read(Number(length));
  assert.match(file, /^REDIS\d{4}[\s\S]*new/);
  await reader.rest();
});

test("another daemon's write is shown only when this daemon's disk has it", async () => {
  await using scene = await startHeld();
  const [reader, waiter] = [await scene.open(), await scene.open()];
  scene.storage.release();
  waiter.send(lines("XGROUP CREATE s g $ MKSTREAM", "PING"));
  await waiter.readTo(PING);
  waiter.send(lines("XREADGROUP GROUP g c BLOCK 0 STREAMS s >"));
  await until("the client waits", async () => {
    reader.send(lines("INFO clients", "PING"));
    return (await reader.readTo(PING)).includes("blocked_clients:1\r\n");
  });
  await turns();

  // The entry must follow that of XGROUP in the order: otherwise the stream still exists after it, and the read waits.
  const at = scene.node.timeline.newest.at + 1;
  await until("the clock has reached the date of the entry", () => Date.now() >= at);

  scene.storage.hold();
  const { id, body, signature } = signCommands(
    app,
    [
      ["SET", "k", "new"],
      ["DEL", "s"],
    ],
    { cluster: scene.cluster, at },
  );
  const entry = { id, body, signature, envelope: readBody(body) };
  assert.equal(scene.node.timeline.receive([entry], "member").length, 1);
  await until("the write has run", () => get(scene.node, "k") === "new");

  reader.send(lines("GET k"));
  await turns();
  assert.equal(reader.received + waiter.received, "");

  scene.storage.release();
  assert.equal(await reader.read(9), "$3\r\nnew\r\n");
  assert.match(await waiter.readTo("\r\n"), /^-/);
});

test("a wait that is ended is answered when the disk has the write because of which the client waited", async () => {
  await using scene = await startHeld();
  const [writer, waiter, control] = [await scene.open(), await scene.open(), await scene.open()];
  scene.storage.release();
  writer.send(lines("RPUSH list x"));
  assert.equal(await writer.read(4), ":1\r\n");
  waiter.send(lines("CLIENT ID"));
  const id = (await waiter.readTo("\r\n")).trim().slice(1);

  scene.storage.hold();
  writer.send(lines("LPOP list"));
  await until("the list is empty", () => scene.storage.pending > 0);

  waiter.send(lines("BLPOP list 0"));
  await until("the client waits and is unblocked", async () => {
    control.send(lines(`CLIENT UNBLOCK ${id}`));
    return (await control.read(4)) === ":1\r\n";
  });
  await turns();
  assert.equal(waiter.received, "");

  scene.storage.release();
  assert.equal(await waiter.read(5), "*-1\r\n");
});

test("a client whose recorded command found nothing waits for elements that were added before its answer", async () => {
  await using scene = await startHeld();
  const [writer, one, other] = [await scene.open(), await scene.open(), await scene.open()];
  const length = () => {
    const reply = scene.node.timeline.database.execute(["LLEN", "list"], { at: Date.now(), db: 0, id: "" });
    return reply.kind === "integer" ? Number(reply.value) : -1;
  };

  scene.storage.release();
  writer.send(lines("RPUSH list x"));
  assert.equal(await writer.read(4), ":1\r\n");
  scene.storage.hold();
  writer.send(lines("SET k new"));
  await until("the write has run", () => get(scene.node, "k") === "new");

  // Both see the element, and both commands are recorded when the disk has the write.
  one.send(lines("BLPOP list 0"));
  other.send(lines("BLPOP list 0"));
  await turns();
  scene.storage.complete();
  await until("the list is empty", () => length() === 0);

  const third = await scene.open();
  third.send(lines(`EVAL "return redis.call('RPUSH', KEYS[1], 'y')" 1 list`));
  await until("an element was added", () => length() === 1);

  scene.storage.release();
  const answers = await Promise.all(
    [one, other].map((client) => client.readTo("\r\n$1\r\n").then(() => client.read(3))),
  );
  assert.deepEqual(answers.sort(), ["x\r\n", "y\r\n"]);
});

test("WATCH reports a conflict with another client's write only when the disk has the write", async () => {
  await using scene = await startHeld();
  const [writer, reader] = [await scene.open(), await scene.open()];
  reader.send(lines("WATCH k", "MULTI", "PING"));
  assert.equal(await reader.read(19), "+OK\r\n+OK\r\n+QUEUED\r\n");
  writer.send(lines("SET k new"));
  await until("the write has run", () => get(scene.node, "k") === "new");
  reader.send(lines("EXEC"));
  await turns();
  assert.equal(reader.received, "");
  scene.storage.release();
  assert.equal(await reader.read(5), "*-1\r\n");
});

test("if the disk fails, nothing that depended on it is answered, and the state no longer shows it", async () => {
  await using scene = await startHeld();
  const client = await scene.open();

  scene.storage.release();
  client.send(lines("SET k old"));
  assert.equal(await client.read(5), "+OK\r\n");

  scene.storage.hold();
  client.send(lines("SET k new", "GET k", "MULTI", "INCR n", "EXEC", `${INCREMENT} n`, "GET n"));
  const other = await scene.open();
  await until("all commands have run", () => get(scene.node, "n") === "2");
  other.send(lines("GET k"));
  await turns();
  assert.equal(client.received + other.received, "");

  scene.storage.fail();
  const answers = (await readLines(client, 7)).map((line) => line.split(" ")[0]);
  assert.deepEqual(answers, ["-MISCONF", "-MISCONF", "+OK", "+QUEUED", "-MISCONF", "-MISCONF", "-MISCONF"]);
  assert.match((await readLines(other, 1))[0] ?? "", /^-MISCONF /);
  await until("the state is undone", () => get(scene.node, "k") === "old");
  assert.equal(get(scene.node, "n"), null);
  await until("reads are served again", () => scene.node.timeline.flushing === null);

  other.send(lines("GET k", "GET n", "SET k newer", "GET k"));
  const after = await readLines(other, 6);
  assert.deepEqual(
    after.map((line) => line.split(" ")[0]),
    ["$3", "old", "$-1", "-MISCONF", "$3", "old"],
  );
});

test("pushed messages follow the answers that wait for the disk", async () => {
  await using scene = await startHeld();
  const [writer, reader] = [await scene.open(), await scene.open()];
  reader.send(lines("HELLO 3", "CLIENT TRACKING ON", "PING"));
  await reader.readTo(PING);

  writer.send(lines("SET k 1"));
  await until("the write has run", () => get(scene.node, "k") === "1");
  reader.send(lines("GET k"));
  await turns();

  // A script runs immediately, but the commands of clients wait for the envelope that is being written.
  const other = await scene.open();
  other.send(lines(`EVAL "redis.call('SET', KEYS[1], 2)" 1 k`));
  await until("the second write has run", () => get(scene.node, "k") === "2");
  await turns();
  assert.equal(reader.received, "");

  scene.storage.release();
  assert.equal(await reader.read(7), "$1\r\n1\r\n");
  assert.match(await reader.readTo("$1\r\nk\r\n"), /^>2\r\n\$10\r\ninvalidate\r\n/);
});

test("a transaction that only publishes does not run before the disk has the writes that its client sent first", async () => {
  await using scene = await startHeld();
  const [subscriber, client] = [await scene.open(), await scene.open()];
  subscriber.send(lines("SUBSCRIBE news"));
  await subscriber.readTo(":1\r\n");
  client.send(lines("SET k new"));
  await until("the write has run", () => get(scene.node, "k") === "new");
  client.send(lines("MULTI", "PUBLISH news text", "EXEC"));
  await turns();
  assert.equal(subscriber.received + client.received, "");
  scene.storage.release();
  const expected = "+OK\r\n+OK\r\n+QUEUED\r\n*1\r\n:1\r\n";
  assert.equal(await client.read(expected.length), expected);
  assert.match(await subscriber.readTo("text\r\n"), /message/);
});

test("a pushed invalidation follows the answer to a script that read the key before", async () => {
  await using scene = await startHeld();
  const [writer, reader] = [await scene.open(), await scene.open()];
  reader.send(lines("HELLO 3", "CLIENT TRACKING ON", "PING"));
  await reader.readTo(PING);

  writer.send(lines("SET k 1"));
  await until("the write has run", () => get(scene.node, "k") === "1");
  reader.send(lines(`EVAL "return redis.call('GET', KEYS[1])" 1 k`));
  await turns();

  const other = await scene.open();
  other.send(lines(`EVAL "redis.call('SET', KEYS[1], 2)" 1 k`));
  await until("the second write has run", () => get(scene.node, "k") === "2");
  await turns();
  assert.equal(reader.received, "");

  scene.storage.release();
  assert.equal(await reader.read(7), "$1\r\n1\r\n");
  assert.match(await reader.readTo("$1\r\nk\r\n"), /^>2\r\n\$10\r\ninvalidate\r\n/);
});

test("commands of a connection run only while few bytes of its answers wait", async () => {
  await using scene = await startHeld();
  const [writer, client] = [await scene.open(), await scene.open()];
  const text = "x".repeat(10_000);
  const GETS = 400;
  writer.send(lines(`SET long ${text}`));
  await until("the write has run", () => get(scene.node, "long") === text);
  const gets = Array.from({ length: GETS }, () => "GET long");
  client.send(lines("PING", ...gets, `${INCREMENT} after`));
  assert.equal(await client.read(PING.length), PING);
  await turns();
  assert.equal(get(scene.node, "after"), null);
  scene.storage.release();
  const answer = `$${text.length}\r\n${text}\r\n`;
  assert.equal(await client.read(GETS * answer.length + 4), `${answer.repeat(GETS)}:1\r\n`);
});
