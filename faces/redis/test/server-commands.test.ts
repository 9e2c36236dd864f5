/**
 * Tests commands about connections and the daemon itself, compared with redis-server where the answers can be the same.
 */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { commands } from "../../../daemon/store/command-table.js";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { startDaemonHere } from "../../../test/support/daemon-here.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { startRedis } from "../../../test/support/redis-server.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { until } from "../../../test/support/until.js";
import { answers, lines, RedisComparison } from "./redis-comparison.js";
import { startResp } from "./scene.js";

const skip = skipWithout("redis-server");
let comparison: RedisComparison;
before(async () => {
  if (skip === false)
    comparison = await RedisComparison.start({ enableDebugCommand: "yes" }, [
      "--enable-debug-command",
      "yes",
    ]);
});
after(() => comparison?.[Symbol.asyncDispose]());

const conversations: Readonly<Record<string, readonly string[]>> = {
  "mistakes in CLIENT are reported with Redis's messages": [
    lines("CLIENT", "CLIENT foo", "CLIENT ID x", "CLIENT GETNAME", "CLIENT SETNAME", 'CLIENT SETNAME "a b"'),
    lines("CLIENT KILL 1.2.3.4:5", "CLIENT KILL ID x", "CLIENT KILL ID 0", "CLIENT KILL ID 99999"),
    lines(
      "CLIENT KILL foo bar",
      "CLIENT KILL TYPE foo",
      "CLIENT KILL USER nobody",
      "CLIENT KILL SKIPME maybe",
    ),
    lines("CLIENT KILL ID", "CLIENT KILL TYPE master", "CLIENT KILL ADDR 1.2.3.4:5 USER default"),
    lines(
      "CLIENT LIST TYPE foo",
      "CLIENT LIST ID",
      "CLIENT LIST ID a",
      "CLIENT LIST foo",
      "CLIENT LIST TYPE",
    ),
    lines("CLIENT LIST TYPE replica", "CLIENT LIST ID 99999"),
    lines("CLIENT PAUSE", "CLIENT PAUSE x", "CLIENT PAUSE -1", "CLIENT PAUSE 1 foo", "CLIENT UNPAUSE"),
    lines("CLIENT REPLY foo", "CLIENT REPLY", "CLIENT NO-EVICT foo", "CLIENT NO-EVICT on"),
    lines("CLIENT UNBLOCK x", "CLIENT UNBLOCK 999", "CLIENT UNBLOCK 1 foo"),
    lines(
      "CLIENT TRACKING foo",
      "CLIENT TRACKING off",
      "CLIENT TRACKINGINFO",
      "CLIENT GETREDIR",
      "CLIENT CACHING yes",
    ),
    lines("HELLO 3", "CLIENT TRACKINGINFO", "CLIENT GETNAME", "CLIENT SETNAME jo", "CLIENT GETNAME"),
  ],
  "a mistake is reported in one line, whatever bytes it contains": [
    ...["CLIENT KILL TYPE", "CLIENT LIST TYPE", "CLIENT KILL USER", "ACL CAT", "ACL DRYRUN default"].map(
      (words) => lines(`${words} "a\\r\\nb"`),
    ),
    lines(
      'ACL DRYRUN "a\\nb" get k',
      'CONFIG SET "a\\rb" c',
      'CONFIG SET "hz\\n" 1',
      'HELLO 2 "a\\nb"',
      '"a\\nb" c',
    ),
  ],
  "CLIENT REPLY suppresses answers": [
    lines("CLIENT REPLY OFF", "PING", "SET k 1", "CLIENT REPLY ON", "GET k", "DEL k"),
    lines("CLIENT REPLY SKIP", "PING", "PING", "CLIENT REPLY SKIP", "CLIENT REPLY SKIP", "PING", "PING"),
    lines("CLIENT REPLY OFF", "CLIENT REPLY SKIP", "PING", "PING", "CLIENT REPLY ON"),
  ],
  "mistakes in CONFIG are reported with Redis's messages": [
    lines("CONFIG GET foo", "CONFIG GET", "CONFIG SET foo bar", "CONFIG SET maxclients", "CONFIG"),
    lines("CONFIG SET maxclients x", "CONFIG SET timeout 1 timeout 2", "CONFIG SET slowlog-max-len 1 foo 2"),
    lines("CONFIG SET databases 3", "CONFIG SET proto-max-bulk-len x", "CONFIG SET a b c"),
  ],
  "Redis's settings are reported and accepted": [
    lines("CONFIG GET maxclients", "CONFIG GET slowlog-max-len", "HELLO 3", "CONFIG GET DATABASES"),
    lines(
      "CONFIG SET timeout 60 slowlog-max-len 5",
      "CONFIG GET timeout",
      "CONFIG SET timeout 0 slowlog-max-len 128",
    ),
    lines(
      "CONFIG SET slowlog-log-slower-than -1",
      "CONFIG GET slowlog-log*",
      "CONFIG SET slowlog-log-slower-than 10000",
    ),
    lines(
      "CONFIG SET proto-max-bulk-len 2mb",
      "CONFIG GET proto-max*",
      "CONFIG SET proto-max-bulk-len 511mb",
    ),
    lines(
      "CONFIG GET maxmemory",
      "CONFIG GET maxmemory-policy",
      "CONFIG GET hash-max-listpack-value",
      "CONFIG RESETSTAT",
    ),
    lines(
      "CONFIG SET lfu-log-factor 10 min-replicas-to-write 0 sanitize-dump-payload yes masterauth ''",
      "CONFIG GET lfu-log-factor",
      "CONFIG GET protected-mod?",
      "CONFIG GET save",
      "CONFIG SET save ''",
      "CONFIG GET appendonly",
      "CONFIG GET zset-max-listpack-value",
    ),
  ],
  "SLOWLOG and LATENCY without entries, and mistakes in them": [
    lines(
      "SLOWLOG GET x",
      "SLOWLOG GET -2",
      "SLOWLOG GET 1 2",
      "SLOWLOG RESET",
      "SLOWLOG LEN",
      "SLOWLOG foo",
    ),
    lines("LATENCY LATEST", "LATENCY HISTORY foo", "LATENCY RESET foo", "LATENCY HISTOGRAM foo", "LATENCY"),
  ],
  "storage settings are accepted within their bounds and reported": [
    lines("CONFIG SET hash-max-ziplist-entries 7 list-max-listpack-size -3", "CONFIG GET *-max-*list-size"),
    lines("CONFIG GET hash-max-listpack-entries", "CONFIG SET hash-max-listpack-entries 512"),
    lines("CONFIG SET hz x", "CONFIG SET set-max-intset-entries -1", "CONFIG SET active-expire-effort 11"),
    lines("CONFIG SET zset-max-listpack-value 1kb", "CONFIG GET zset-max-ziplist-value"),
    lines("CONFIG SET zset-max-listpack-value 1x", "CONFIG SET activerehashing maybe"),
    lines("CONFIG SET activerehashing NO", "CONFIG GET activerehashing", "CONFIG SET activerehashing yes"),
    lines("CONFIG SET hz 1000", "CONFIG GET hz", "CONFIG SET hz 0", "CONFIG GET hz", "CONFIG SET hz 10"),
    lines("CONFIG SET hz 20 hz 30", "CONFIG SET hz 20 daemonize yes", "CONFIG GET hz"),
  ],
  "the default user's password can be set": [
    lines("CONFIG GET requirepass", "CONFIG SET requirepass pw", "CONFIG GET requirepass", "AUTH pw"),
    lines("PING", "AUTH no", "AUTH pw", "PING", "CONFIG SET requirepass ''", "CONFIG GET requirepass"),
    lines("PING", "AUTH pw"),
  ],
  "a command that is not allowed in a transaction makes it fail": [
    lines("MULTI", "SAVE", "PING", "EXEC", "MULTI", "SHUTDOWN", "DISCARD", "PING"),
  ],
  "commands that have no effect on a daemon are answered": [
    lines("REPLICAOF NO ONE", "ROLE", "SHUTDOWN foo", "SHUTDOWN ABORT", "BGSAVE foo", "SAVE x", "INFO foo"),
    lines("WAIT 0 0", "WAIT 1 10", "MEMORY PURGE", "MEMORY foo", "DEBUG OBJECT none", "DEBUG SLEEP 0"),
    lines(
      "SET k abc",
      "DEBUG POPULATE 3",
      "DEBUG POPULATE 2 p 9",
      "MGET key:0 key:2 p:1",
      "DEBUG POPULATE -1",
    ),
    lines("DEBUG RELOAD x", "DBSIZE", "DEBUG DIGEST-VALUE none", "FLUSHDB"),
    lines(
      "LOLWUT VERSION x",
      "DEBUG foo",
      "DEBUG POPULATE",
      "DEBUG PROTOCOL",
      "DEBUG PROTOCOL foo",
      "DEBUG CHANGE-REPL-ID",
    ),
    ...["200", "1b", "4gb", "x"].map((size) => lines(`DEBUG QUICKLIST-PACKED-THRESHOLD ${size}`)),
    lines("SET k abc", "RPUSH l 1 2 3", "DEBUG SET-ACTIVE-EXPIRE 0", "DEL k l", "DEBUG SET-ACTIVE-EXPIRE 1"),
  ],
};

for (const [name, streams] of Object.entries(conversations)) {
  test(name, { skip }, async () => {
    for (const bytes of streams) await comparison.assertSame(bytes);
  });
}

/** Returns the names of a line's fields, in order. */
const namesOf = (line: string) =>
  line
    .trim()
    .split(" ")
    .map((field) => field.split("=")[0]);

test("CLIENT LIST has Redis's fields, followed by the additional fields of Redis 7.2", { skip }, async () => {
  const [ours, theirs] = await Promise.all(
    [comparison.ours, comparison.redis].map(({ port }) =>
      answers(port, lines("CLIENT SETNAME jo", "CLIENT INFO")),
    ),
  );
  const line = (answer = "") => answer.split("\r\n")[2] ?? "";
  assert.deepEqual(namesOf(line(ours)), [...namesOf(line(theirs)), "lib-name", "lib-ver"]);
  const value = (name: string) => new RegExp(`\\b${name}=(\\S*)`).exec(line(ours))?.[1];
  assert.equal(value("name"), "jo");
  assert.equal(value("cmd"), "client|info");
  assert.equal(value("user"), "default");
  assert.equal(value("laddr"), `127.0.0.1:${comparison.ours.port}`);
});

test("CLIENT LIST and CLIENT KILL include all connections", async () => {
  await using ours = await startResp();
  using one = await RedisConnection.open(ours.port);
  using other = await RawClient.open(ours.port);
  other.send(lines("CLIENT SETNAME other", "CLIENT SETINFO LIB-NAME lib", "SELECT 3", "MULTI", "PING"));
  assert.match(await other.read(29), /QUEUED/);

  const list = await one.call("CLIENT", "LIST");
  assert.ok(list.kind === "bulk");
  assert.match(
    list.bytes,
    /id=1 [^\n]*cmd=client\|list[^\n]*\nid=2 [^\n]*name=other[^\n]* flags=x db=3 [^\n]*multi=1 [^\n]*lib-name=lib /,
  );

  const id = await one.call("CLIENT", "LIST", "ID", "2");
  assert.ok(id.kind === "bulk" && id.bytes.startsWith("id=2 "));
  assert.deepEqual(await one.call("CLIENT", "KILL", "ID", "2"), { kind: "integer", value: 1 });
  assert.equal(await other.rest(), "");
  assert.deepEqual(await one.call("CLIENT", "KILL", "TYPE", "normal"), { kind: "integer", value: 0 });
  assert.equal(
    await answers(ours.port, lines("PING", "CLIENT KILL TYPE normal SKIPME no", "PING")),
    "+PONG\r\n:2\r\n (closed)",
  );
});

test("an error about a very long argument is short", async () => {
  await using ours = await startResp();
  const reply = await answers(ours.port, writeCommand(["ACL", "CAT", "\n".repeat(1_000_000)]));
  assert.match(reply, /^-ERR Unknown category ' +\r\n\$/);
  assert.ok(reply.length < 100_000);
});

test("names of connections are not longer than CLIENT LIST can show", async () => {
  await using ours = await startResp();
  const long = "x".repeat(1025);
  const commands = [`CLIENT SETNAME ${long}`, `HELLO 2 SETNAME ${long}`, `CLIENT SETINFO LIB-VER ${long}`];
  const reply = await answers(ours.port, lines(...commands, `CLIENT SETNAME ${long.slice(1)}`));
  assert.match(reply, /^(-ERR [^\r]* at most 1024 bytes here\.\r\n){3}\+OK\r\n/);
});

test("CLIENT PAUSE delays commands until its end", async () => {
  await using ours = await startResp();
  using admin = await RawClient.open(ours.port);
  using client = await RawClient.open(ours.port);
  admin.send(lines("CLIENT PAUSE 100000 WRITE"));
  assert.equal(await admin.read(5), "+OK\r\n");
  client.send(lines("GET k", "SET k 1", "GET k"));
  assert.equal(await client.read(5), "$-1\r\n");
  admin.send(lines("GET k", "CLIENT UNPAUSE"));
  assert.equal(await admin.read(10), "$-1\r\n+OK\r\n");
  assert.equal(await client.read(12), "+OK\r\n$1\r\n1\r\n");
  admin.send(lines("CLIENT PAUSE 50", "GET k"));
  assert.equal(await admin.read(12), "+OK\r\n$1\r\n1\r\n");
});

test("a client that closes while CLIENT PAUSE delays its command is disconnected", async () => {
  await using ours = await startResp();
  using admin = await RedisConnection.open(ours.port);
  const shows = async (pattern: RegExp) => pattern.test(String(await admin.value("INFO", "clients")));
  await admin.call("CLIENT", "PAUSE", "100000", "WRITE");
  for (const close of ["end", "destroy"] as const) {
    using client = await RawClient.open(ours.port);
    client.send(lines("SET k 1", "GET k"));
    await until("the command is delayed", () => shows(/blocked_clients:1\r/));
    client.socket[close]();
    await until(`the client is disconnected after ${close}`, () =>
      shows(/connected_clients:1\r[\s\S]*blocked_clients:0\r/),
    );
  }
  await admin.call("CLIENT", "UNPAUSE");
  assert.equal(await admin.value("GET", "k"), null);
});

const MAY_WRITE: readonly (readonly string[])[] = [
  ["SET", "k", "1"],
  ["PFCOUNT", "h"],
  ["PUBLISH", "c", "m"],
  ["SPUBLISH", "c", "m"],
  ["FUNCTION", "FLUSH"],
  ["EVAL", "return 1", "0"],
  ["EVAL", "#!lua\nreturn 1", "0"],
  ["EVALSHA", "e0e1f9fabfc9d4800c877a703b823ac0578ff8db", "0"],
  ["FCALL", "none", "0"],
  ["FCALL", "writes", "0"],
];
const ONLY_READS: readonly (readonly string[])[] = [
  ["GET", "k"],
  ["SUBSCRIBE", "c"],
  ["SCRIPT", "LOAD", "return 1"],
  ["EVAL", "#!lua flags=no-writes\nreturn 1", "0"],
  ["EVAL_RO", "return 1", "0"],
  ["FCALL", "reads", "0"],
];
const LIBRARY = `#!lua name=lib
redis.register_function('writes', function() return 1 end)
redis.register_function{function_name='reads', callback=function() return 1 end, flags={'no-writes'}}`;

/** Returns the calls that CLIENT PAUSE WRITE delays. */
async function delayedCalls(port: number): Promise<readonly (readonly string[])[]> {
  using admin = await RedisConnection.open(port);
  const delayed: (readonly string[])[] = [];
  for (const call of [...MAY_WRITE, ...ONLY_READS]) {
    await admin.call("FUNCTION", "LOAD", "REPLACE", LIBRARY);
    await admin.call("CLIENT", "PAUSE", "100000", "WRITE");
    using client = await RedisConnection.open(port);
    let isAnswered = false;
    const answered = client.call(...call).then(() => {
      isAnswered = true;
    });
    const isHeld = async () => /blocked_clients:1\r/.test(String(await admin.value("INFO", "clients")));
    await until(`${call[0]} is answered or delayed`, async () => isAnswered || (await isHeld()));
    if (!isAnswered) delayed.push(call);
    await admin.call("CLIENT", "UNPAUSE");
    await answered;
  }
  return delayed;
}

test("CLIENT PAUSE WRITE delays the same calls as in Redis", { skip }, async () => {
  await using ours = await startResp();
  await using redis = await startRedis();
  assert.deepEqual(await delayedCalls(redis.port), MAY_WRITE);
  assert.deepEqual(await delayedCalls(ours.port), MAY_WRITE);
});

test("MULTI does not queue a write during CLIENT PAUSE WRITE, as in Redis", async () => {
  await using ours = await startResp();
  using client = await RawClient.open(ours.port);
  using admin = await RawClient.open(ours.port);
  client.send(lines("MULTI", "PUBLISH c m"));
  assert.equal(await client.read(14), "+OK\r\n+QUEUED\r\n");
  admin.send(lines("CLIENT PAUSE 100000 WRITE"));
  assert.equal(await admin.read(5), "+OK\r\n");
  client.send(lines("GET k", "EXEC"));
  assert.equal(await client.read(9), "+QUEUED\r\n");
  admin.send(lines("INFO clients", "CLIENT UNPAUSE"));
  assert.match(await admin.read(100), /blocked_clients:1/);
  assert.equal(await client.read(13), "*2\r\n:0\r\n$-1\r\n");
});

test("INFO reports the fields that dashboards read", async () => {
  await using ours = await startResp();
  using client = await RedisConnection.open(ours.port);
  await client.call("SET", "a", "1", "EX", "100");
  await client.call("SET", "b", "1");
  await client.call("LPUSH", "a", "1");

  const info = async (...sections: string[]) => {
    const reply = await client.call("INFO", ...sections);
    return reply.kind === "bulk" ? reply.bytes : "";
  };

  const usual = await info();
  for (const pattern of [
    /^# Server\r\nredis_version:7\.0\.\d+\r\nredis_git_sha1:0+\r\nredis_git_dirty:0\r\ndbsync_version:\d/,
    /\r\nconnected_clients:1\r\n/,
    /\r\nhz:10\r\nconfigured_hz:10\r\n/,
    /\r\nused_memory:[1-9]\d*\r\n/,
    /\r\nuptime_in_seconds:\d+\r\n/,
    /\r\nrole:master\r\n/,
    /\r\nerrorstat_WRONGTYPE:count=1\r\n/,
    /# Keyspace\r\ndb0:keys=2,expires=1,avg_ttl=\d{4,6}\r\n$/,
  ])
    assert.match(usual, pattern);

  assert.doesNotMatch(usual, /cmdstat/);
  assert.match(
    await info("everything"),
    /cmdstat_lpush:calls=1,usec=\d+,usec_per_call=[\d.]+,rejected_calls=0,failed_calls=1\r\n/,
  );
  assert.match(
    await info("commandstats", "keyspace"),
    /^# Commandstats\r\n[^#]*cmdstat_set:calls=2,[^#]*\r\n\r\n# Keyspace\r\n[^#]*$/,
  );

  await client.call("CONFIG", "RESETSTAT");
  assert.doesNotMatch(await info("everything"), /cmdstat_set/);
});

test("INFO counts expired keys, whether they were dropped or written again", async () => {
  await using ours = await startResp();
  using client = await RedisConnection.open(ours.port);
  const expired = async () => {
    const reply = await client.call("INFO", "stats");
    return reply.kind === "bulk" ? Number(/\r\nexpired_keys:(\d+)\r\n/.exec(reply.bytes)?.[1]) : Number.NaN;
  };
  assert.equal(await expired(), 0);
  for (let round = 1; round <= 3; round++) {
    client.queue(["MSET", "a", "1", "b", "1"]);
    for (const key of ["a", "b"]) client.queue(["PEXPIRE", key, "1"]);
    await client.flush();
    await until(
      "one key has expired",
      async () => (await client.call("EXISTS", "a")).kind === "integer" && (await expired()) >= 2 * round - 1,
    );
    await client.call("SET", "b", "1");
    await until("both keys are counted", async () => (await expired()) === 2 * round);
  }
});

test("DBSIZE soon stops counting expired keys if no earlier-dated writes can arrive", async () => {
  await using daemon = await startDaemonHere(["--resp", "0"]);
  using client = await RedisConnection.open(await daemon.portOf("Redis clients"));
  for (let i = 0; i < 2000; i++) client.queue(["SET", `k${i}`, "v", "PX", "1"]);
  await client.flush();
  await until("the keys are dropped", async () => {
    const size = await client.call("DBSIZE");
    return size.kind === "integer" && size.value === 0;
  });
});

test("HELP exists wherever an error mentions it, and lists every subcommand", async () => {
  await using ours = await startResp();
  const containers = new Set(
    commands.flatMap(({ name }) => (name.includes("|") ? [name.split("|")[0]!] : [])),
  );

  const hinted: string[] = [];
  for (const container of containers) {
    const error = await answers(ours.port, lines(`${container} nonsense`));
    assert.match(error, /^-/, container);
    if (!error.includes(`Try ${container} HELP.`)) continue;

    hinted.push(container);
    const help = await answers(ours.port, lines(`${container} HELP`));
    assert.match(
      help,
      new RegExp(`^\\*\\d+\r\n\\+${container} <subcommand> \\[<arg(ument)?> [^&]*\\.\\.\\.\\]`),
      help,
    );
    for (const { name } of commands)
      if (name.startsWith(`${container}|`))
        assert.ok(help.includes(`+${name.slice(container.length + 1)}`), name);
  }
  assert.ok(hinted.includes("MEMORY") && hinted.includes("COMMAND") && !hinted.includes("DBSYNC"));
});

test("descriptions of commands are ASCII: other characters would be sent as other bytes", () => {
  for (const { name, summary, complexity } of commands) assert.match(summary + complexity, /^[ -~]+$/, name);
});

test("KEY commands refer to their tool, and CLUSTER reports that there is no cluster", async () => {
  await using ours = await startResp();
  const text = await answers(ours.port, lines("KEY LIST", "CLUSTER INFO", "CLUSTER ADD x", "cluster slots"));
  assert.match(
    text,
    /^-ERR KEY commands need signed envelopes.*\r\n(-ERR This instance has cluster support disabled\r\n){3}/,
  );
});

test("CONFIG SET maxclients rejects further clients", async () => {
  await using ours = await startResp();
  using client = await RedisConnection.open(ours.port);
  assert.equal((await client.call("CONFIG", "SET", "maxclients", "1")).kind, "status");
  assert.match(await answers(ours.port, ""), /max number of clients reached/);
});

test("SLOWLOG, LATENCY and LATENCY HISTOGRAM report slow commands", async () => {
  await using ours = await startResp();
  using client = await RedisConnection.open(ours.port);
  await client.call(
    "CONFIG",
    "SET",
    "slowlog-log-slower-than",
    "0",
    "latency-monitor-threshold",
    "1",
    "slowlog-max-len",
    "2",
  );

  await client.call("CLIENT", "SETNAME", "jo");
  await client.call("SET", "k", "x".repeat(200));
  await client.call("MSET", ...Array.from({ length: 40 }, (_, i) => `k${i}`));

  const log = await client.call("SLOWLOG", "GET");
  assert.ok(log.kind === "array" && log.items.length === 2);
  const [latest, before] = log.items.map((item) => (item.kind === "array" ? item.items : []));
  assert.ok(latest?.[3]?.kind === "array" && latest[3].items.length === 32);
  assert.deepEqual(latest[3].items.at(-1), { kind: "bulk", bytes: "... (10 more arguments)" });
  assert.deepEqual(latest[5], { kind: "bulk", bytes: "jo" });
  assert.ok(before?.[3]?.kind === "array");
  assert.deepEqual(before[3].items[2], { kind: "bulk", bytes: `${"x".repeat(128)}... (72 more bytes)` });

  await client.call("EVALSHA", "none");
  await client.call("SETRANGE", "big", "50000000", "x");
  await client.call("APPEND", "big", "y");
  await client.call("BITCOUNT", "big");

  const events = await client.call("LATENCY", "LATEST");
  assert.ok(events.kind === "array" && events.items.length > 0);
  const histogram = await client.call("LATENCY", "HISTOGRAM", "set");
  assert.ok(histogram.kind === "array" && histogram.items.length === 2);
  assert.deepEqual(histogram.items[0], { kind: "bulk", bytes: "set" });
});
