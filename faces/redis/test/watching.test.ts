/** Tests MONITOR, SLOWLOG and LATENCY, compared with redis-server where possible. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SlowLog } from "../../../daemon/engine/slow-log/slow-log.js";
import type { Reply } from "../../../protocol/reply.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { bytesInUse } from "../../../test/support/garbage.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { startRedis } from "../../../test/support/redis-server.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { DeniedLog } from "../session/denied-log.js";
import { answers, lines } from "./redis-comparison.js";
import { startResp } from "./scene.js";

const skip = skipWithout("redis-server");

/** Returns a monitor's view of a conversation, without times and addresses. */
async function shown(port: number, bytes: string): Promise<string> {
  using monitor = await RawClient.open(port);
  monitor.send(lines("MONITOR"));
  assert.equal(await monitor.read(5), "+OK\r\n");
  await answers(port, bytes);
  let all = "";
  while (!all.endsWith('"the end"\r\n')) all += await monitor.read(1);
  return all.replaceAll(/^\+\d+\.\d{6} \[(\d+) 127\.0\.0\.1:\d+\]/gm, "[$1]");
}

test("MONITOR shows other clients' commands after they ran, without passwords", { skip }, async () => {
  await using ours = await startResp();
  await using redis = await startRedis();
  const conversation = lines(
    ...["AUTH pw", "AUTH ann pw", "HELLO 2 AUTH ann pw SETNAME jo", "HELLO 2", "CONFIG GET save"],
    ...["SELECT 2", 'SET k "a\\"\\x00\\n"', "LPUSH k a", "nonsense", "GET"],
    ...["MULTI", "INCR n", "SELECT 3", "EXEC", "MULTI", "nonsense", "EXEC", "MULTI", "DISCARD", "EXEC"],
  );
  const ourOutput = await shown(ours.port, conversation);
  assert.equal(ourOutput, await shown(redis.port, conversation));
  assert.match(ourOutput, /^\[0\] "AUTH" "\(redacted\)"\r\n/);
});

/** Returns the commands in SLOWLOG, newest first, of a conversation in which every command counts as slow. */
async function slow(port: number, bytes: string): Promise<string[]> {
  const begin = lines("SLOWLOG RESET", "CONFIG SET slowlog-log-slower-than 0");
  await answers(port, begin + bytes + lines("CONFIG SET slowlog-log-slower-than -1"));
  using client = await RedisConnection.open(port);
  const log = await client.call("SLOWLOG", "GET", "-1");
  return itemsOf(log).map((entry) =>
    itemsOf(itemsOf(entry)[3])
      .map((word) => (word.kind === "bulk" ? word.bytes : "?"))
      .join(" "),
  );
}

function itemsOf(reply: Reply | undefined): readonly Reply[] {
  return reply?.kind === "array" ? reply.items : [];
}

test("SLOWLOG stores slow commands according to the limit after each command, without passwords", {
  skip,
}, async () => {
  await using ours = await startResp();
  await using redis = await startRedis();
  const conversation = lines(
    ...["AUTH ann pw", "HELLO 2 AUTH ann pw", "ACL SETUSER ann on >pw +get", "CONFIG SET requirepass ''"],
    ...["CONFIG SET requirepass pw timeout 9", "CONFIG SET requirepass '' timeout 0"],
    ...["MULTI", "PING", "EXEC", `SET ${"k".repeat(200)} v`, `MGET ${"k ".repeat(40)}`, "GET"],
  );
  const ourOutput = await slow(ours.port, conversation);
  assert.deepEqual(ourOutput, await slow(redis.port, conversation));
  assert.ok(ourOutput.includes("CONFIG SET requirepass (redacted) timeout 9"), ourOutput.join("\n"));
  assert.equal(ourOutput.at(-1), "CONFIG SET slowlog-log-slower-than 0");
});

test("SLOWLOG stores a command that waited after the command that ended its wait", { skip }, async () => {
  await using ours = await startResp();
  await using redis = await startRedis();
  for (const { port } of [ours, redis]) {
    using waiter = await RawClient.open(port);
    waiter.send(lines("PING", "BLPOP l 0"));
    assert.equal(await waiter.read(7), "+PONG\r\n");
    using client = await RedisConnection.open(port);
    for (let info = ""; !info.includes("blocked_clients:1"); ) {
      const reply = await client.call("INFO", "clients");
      info = reply.kind === "bulk" ? reply.bytes : "";
    }
    const [latest, before] = await slow(port, lines("LPUSH l x"));
    assert.deepEqual([latest, before], ["BLPOP l 0", "LPUSH l x"]);
    assert.match(await waiter.read(18), /x/);
  }
});

test("DEBUG SLEEP counts as slow, and blocks only its own connection", async () => {
  await using ours = await startResp({ enableDebugCommand: "local" });
  using sleeper = await RawClient.open(ours.port);
  // The sleep is so long that no other command is slower, even on a busy machine, and another client can write
  // meanwhile.
  sleeper.send(
    lines(
      ...["CONFIG SET latency-monitor-threshold 2000 slowlog-log-slower-than 2000000", "DEBUG SLEEP 2"],
      ...["GET k", "LATENCY RESET"],
    ),
  );

  await answers(ours.port, lines("SET k v"));
  assert.equal(await sleeper.read(21), "+OK\r\n+OK\r\n$1\r\nv\r\n:1\r\n");

  using client = await RedisConnection.open(ours.port);
  const [entry, ...otherEntries] = itemsOf(await client.call("SLOWLOG", "GET"));
  assert.deepEqual(itemsOf(itemsOf(entry)[3]), [
    { kind: "bulk", bytes: "DEBUG" },
    { kind: "bulk", bytes: "SLEEP" },
    { kind: "bulk", bytes: "2" },
  ]);
  assert.deepEqual(otherEntries, []);
});

test("a new monitor receives its reply before it sees its own next command", async () => {
  await using ours = await startResp();
  const monitored = await answers(ours.port, lines("PING", "MONITOR", "PING"));
  assert.match(monitored, /^\+PONG\r\n\+OK\r\n\+\d+\.\d+ .*"PING"\r\n\+PONG\r\n/);
});

test("MONITOR shortens long commands", async () => {
  await using ours = await startResp();
  const monitored = await shown(ours.port, writeCommand(["SET", "k", "\0".repeat(100_000)]));
  assert.equal(
    monitored,
    `[0] "SET" "k" "${"\\x00".repeat(128)}... (99872 more bytes)"\r\n[0] "ECHO" "the end"\r\n`,
  );
});

test("neither the slow log nor ACL LOG keeps long arguments in memory", () => {
  const length = 4 * 1024 * 1024;
  const before = bytesInUse();
  const slowLog = new SlowLog();
  const denied = new DeniedLog();
  for (let i = 0; i < 30; i++) {
    // One contiguous string in the heap, where memory is counted.
    const long = new Array(length / 1024).fill(String(i).padEnd(1024)).join("");
    slowLog.add({ at: 0, microseconds: 0, argv: ["SET", "k", long], remote: "", name: "" }, 100);
    denied.add({ reason: "key", context: "toplevel", object: long, userName: long, client: "" }, 0, 128);
  }
  assert.ok(bytesInUse() - before < 3 * length, `${bytesInUse() - before} bytes`);
  assert.equal(slowLog.entries.length, 30);
  assert.equal(denied.entries.length, 30);
});
