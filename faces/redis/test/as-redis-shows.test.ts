/** Compares scripts, errors and the end of a connection between redis-server and the daemon. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { RawClient } from "../../../test/support/raw-client.js";
import { type RedisServer, startRedis } from "../../../test/support/redis-server.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { type RespScene, startResp } from "./scene.js";

const skip = skipWithout("redis-server");

let redis: RedisServer;
let ours: RespScene;

before(async () => {
  if (skip !== false) return;
  redis = await startRedis();
  ours = await startResp();
});

after(async () => {
  await redis?.[Symbol.asyncDispose]();
  await ours?.[Symbol.asyncDispose]();
});

const LAST = "PING the-last";
const LAST_ANSWER = "$8\r\nthe-last\r\n";

const frame = (words: readonly string[]) =>
  `*${words.length}\r\n${words.map((word) => `$${word.length}\r\n${word}\r\n`).join("")}`;

/** Sends commands on one connection. @returns all answers, without the last PING's */
async function answers(port: number, commands: readonly (readonly string[])[]): Promise<string> {
  using client = await RawClient.open(port);
  client.send(commands.map(frame).join("") + frame(LAST.split(" ")));
  let reply = "";
  while (!reply.endsWith(LAST_ANSWER)) reply += await client.read(1);
  return reply.slice(0, -LAST_ANSWER.length);
}

async function assertSame(...commands: readonly (readonly string[])[]): Promise<string> {
  const expected = await answers(redis.port, commands);
  assert.equal(await answers(ours.port, commands), expected);
  return expected;
}

const script = (text: string) => ["EVAL", text, "0"];

test("SORT BY a constant returns the members of a set to a script in sorted order", { skip }, async () => {
  await assertSame(
    ["FLUSHALL"],
    ["RPUSH", "list", "c", "a", "b"],
    ["SADD", "set", "c", "a", "b", "10", "9"],
    ["SADD", "numbers", "3", "1", "2"],
    ["ZADD", "sorted", "3", "a", "1", "b", "2", "c"],
    ["SET", "text", "x"],
  );
  for (const key of ["list", "set", "numbers", "sorted", "text", "absent"])
    for (const options of [
      "'BY', 'nosort'",
      "'BY', 'nosort', 'DESC'",
      "'BY', 'w_*', 'BY', 'nosort'",
      "'BY', 'nosort', 'LIMIT', '1', '2'",
      "'LIMIT', '0', '2', 'by', 'x', 'GET', '#', 'GET', 'w_*'",
      "'BY', 'nosort', 'ALPHA', 'DESC'",
      "'BY'",
    ])
      for (const name of ["SORT", "SORT_RO"])
        await assertSame(script(`return redis.pcall('${name}', '${key}', ${options})`));
});

test("INFO counts errors by their first word, including scripts' own words, in order", { skip }, async () => {
  const reply = await assertSame(
    ["FLUSHALL"],
    ["RPUSH", "list", "a"],
    ["CONFIG", "RESETSTAT"],
    ["GET", "list"],
    ["NOSUCH"],
    ["GET"],
    script("return redis.call('GET', 'list')"),
    script("return redis.pcall('GET', 'list')"),
    script("return redis.error_reply('MYERR hi')"),
    script("return redis.error_reply('my error')"),
    script("return redis.error_reply('alone')"),
    ["EVALSHA", "abc", "0"],
    ["EXEC"],
    ["INFO", "errorstats"],
  );
  assert.match(reply, /errorstat_my:count=1/);
});

test("the number of error kinds that scripts can create is limited, but all errors are counted", {
  skip,
}, async () => {
  const errors = Array.from({ length: 300 }, (_, i) => script(`return redis.error_reply('KIND${i} x')`));
  const long = script(`return redis.error_reply(string.rep('x', 1000) .. ' y')`);
  const reply = await answers(ours.port, [["CONFIG", "RESETSTAT"], ...errors, long, ["INFO"]]);
  assert.equal([...reply.matchAll(/^errorstat_/gm)].length, 128);
  assert.match(reply, /^total_error_replies:301\r$/m);
});

/** Returns a monitor's lines while commands run on another connection, without times and ports. */
async function monitored(port: number, commands: readonly (readonly string[])[]): Promise<string> {
  using monitor = await RawClient.open(port);
  monitor.send(frame(["MONITOR"]));
  assert.equal(await monitor.read(5), "+OK\r\n");
  using client = await RawClient.open(port);
  client.send([...commands, ["SET", "the", "end"], ["QUIT"]].map(frame).join(""));
  await client.readToClose();
  let reply = "";
  while (!reply.includes('"the" "end"')) reply += await monitor.read(1);
  return reply.replace(/\+\d+\.\d{6} \[(\d+) (?:127\.0\.0\.1:\d+|lua)\]/g, (head, db: string) =>
    head.endsWith("lua]") ? `[${db} lua]` : `[${db} client]`,
  );
}

test("MONITOR shows the commands that scripts call, after the script", { skip }, async () => {
  const commands = [
    ["FLUSHALL"],
    ["RPUSH", "list", "a"],
    script("redis.call('SET', 'a', '1') return redis.pcall('GET', 'list')"),
    [
      "FUNCTION",
      "LOAD",
      "REPLACE",
      "#!lua name=q\nredis.register_function('f', function() return redis.call('INCR', 'n') end)",
    ],
    ["FCALL", "f", "0"],
    script("return redis.call('CONFIG', 'GET', 'x')"),
    ["SELECT", "2"],
    script("return redis.call('GET', 'n')"),
    ["MULTI"],
    script("return redis.call('INCR', 'n')"),
    ["EXEC"],
  ];
  const expected = await monitored(redis.port, commands);
  assert.match(expected, /\[2 lua\] "INCR" "n"/);
  assert.equal(await monitored(ours.port, commands), expected);
});

test("QUIT is answered and ends the connection, and later commands are not run", { skip }, async () => {
  for (const [sent, key] of [
    [frame(["QUIT"]) + frame(["SET", "behind", "1"]), "behind"],
    [`quit\r\n${frame(["SET", "line", "1"])}`, "line"],
    [frame(["MULTI"]) + frame(["SET", "queued", "1"]) + frame(["QUIT", "now"]) + frame(["EXEC"]), "queued"],
    [frame(["MONITOR"]) + frame(["QUIT"]) + frame(["SET", "shown", "1"]), "shown"],
    [frame(["SUBSCRIBE", "news"]) + frame(["QUIT"]) + frame(["SET", "heard", "1"]), "heard"],
  ] as const) {
    const [expected, reply] = await Promise.all(
      [redis.port, ours.port].map(async (port) => {
        using client = await RawClient.open(port);
        client.send(sent);
        return `${await client.readToClose()}${await answers(port, [["EXISTS", key]])}`;
      }),
    );
    assert.equal(reply, expected, JSON.stringify(sent));
    assert.match(expected ?? "", /\+OK\r\n:0\r\n$/);
  }
});
