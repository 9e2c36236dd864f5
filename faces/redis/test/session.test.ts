/** Compares the answers to connection commands, transactions and malformed streams with redis-server's, by bytes. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { writeCommand } from "../../../protocol/resp/resp-writer.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { lines, RedisComparison } from "./redis-comparison.js";

const skip = skipWithout("redis-server");
let comparison: RedisComparison;
before(async () => {
  if (skip === false) comparison = await RedisComparison.start();
});
after(async () => {
  await comparison?.[Symbol.asyncDispose]();
});

const conversations: Readonly<Record<string, readonly string[]>> = {
  "HELLO selects the protocol, logs in and sets the name": [
    lines("HELLO", "HELLO 3", "HGETALL none", "HELLO 2", "HGETALL none"),
    lines("HELLO 4", "HELLO x", "HELLO 99999999999999999999", "HELLO -1"),
    lines("HELLO 3 FOO", "HELLO 3 AUTH a", "HELLO 3 AUTH a b", 'HELLO 3 SETNAME "a b"', "HELLO 3 SETNAME"),
    lines("HELLO 3 SETNAME jo AUTH default x", "HELLO 2 AUTH default x"),
    writeCommand(["HELLO", "3", "FOO\r\n+OK"]),
  ],
  "AUTH accepts the default user's passwords": [
    lines("AUTH x", "AUTH a b", "AUTH default b", "AUTH", "AUTH a b c"),
  ],
  "SELECT changes the database of later commands": [
    lines("SELECT 3", "SET k 3", "SELECT 0", "GET k", "SELECT 3", "GET k", "DEL k"),
    lines("SELECT x", "SELECT 16", "SELECT -1", "SELECT", "SELECT 99999999999"),
  ],
  "PING and ECHO reply": [lines("PING", "ping hello", "PING a b", "ECHO x", "ECHO", "ECHO a b")],
  "QUIT is answered and closes the connection, whatever follows": [
    lines("QUIT", "PING"),
    lines("PING", "QUIT a b", "PING"),
  ],
  "RESET restores the initial state of the connection": [
    lines("HELLO 3", "SELECT 2", "MULTI", "SET k 1", "RESET", "EXEC", "GET k", "HGETALL none"),
    lines("WATCH w", "RESET", "SET w 1", "MULTI", "PING", "EXEC", "RESET x", "DEL w"),
  ],
  "EXEC returns the replies of queued commands": [
    lines("MULTI", "SET k 1", "INCR k", "LPUSH k 1", "GET k", "EXEC", "DEL k"),
    lines("MULTI", "EXEC", "EXEC", "DISCARD"),
    lines(
      "HELLO 3",
      "MULTI",
      "HSET h f 1",
      "HGETALL h",
      "ZADD z 1 a",
      "ZRANGE z 0 -1 WITHSCORES",
      "EXEC",
      "DEL h z",
    ),
  ],
  "connection commands take effect in a transaction": [
    lines(
      "MULTI",
      "SELECT 3",
      "SET k 1",
      "SELECT 99",
      "HELLO 3",
      "HGETALL none",
      "PING",
      "EXEC",
      "GET k",
      "DEL k",
    ),
    lines("MULTI", "SET k 1", "DISCARD", "GET k"),
    lines("MULTI", "PING", "QUIT"),
  ],
  "commands in the form COMMAND|SUBCOMMAND are unknown": [
    lines("CONFIG|GET save", "OBJECT|HELP", "GET|SET k v", "SET| k v", "command count|", "PING|"),
  ],
  "a command that cannot be queued makes the transaction fail": [
    lines("MULTI", "foo", "EXEC", "PING"),
    lines("MULTI", "GET", "SET k 1", "EXEC", "GET k"),
    lines("MULTI", "EXEC x", "PING", "EXEC"),
    lines("MULTI", "foo", "DISCARD", "MULTI", "PING", "EXEC"),
    lines("EXEC x", "MULTI x", "DISCARD x", "WATCH", "UNWATCH x"),
  ],
  "MULTI and WATCH in a transaction are refused, and the transaction can still run": [
    lines("MULTI", "MULTI", "WATCH a", "PING", "UNWATCH", "EXEC"),
  ],
  "EXEC is nil if a watched key was changed": [
    lines("WATCH k", "SET k 1", "MULTI", "GET k", "EXEC", "GET k", "MULTI", "GET k", "EXEC", "DEL k"),
    lines("HELLO 3", "WATCH k", "SET k 1", "MULTI", "EXEC", "DEL k"),
    lines("SET k 1", "WATCH k", "UNWATCH", "SET k 2", "MULTI", "GET k", "EXEC", "DEL k"),
    lines("SET k 1", "WATCH k", "SET k 1", "MULTI", "GET k", "EXEC", "DEL k"),
    lines("WATCH k k j", "MULTI", "SET k 1", "EXEC", "WATCH k", "EXPIRE k 100", "MULTI", "EXEC", "DEL k"),
    lines(
      "SET k 1",
      "WATCH k",
      "FLUSHALL",
      "MULTI",
      "PING",
      "EXEC",
      "WATCH k",
      "FLUSHDB",
      "MULTI",
      "PING",
      "EXEC",
    ),
    lines("SELECT 1", "WATCH k", "SELECT 0", "SET k 1", "MULTI", "PING", "EXEC", "DEL k"),
    lines("SET k 1", "WATCH k", "SWAPDB 0 1", "MULTI", "PING", "EXEC", "FLUSHALL"),
    lines("SADD s a", "WATCH s", "SADD s a", "MULTI", "PING", "EXEC", "DEL s"),
  ],
  "EXEC is nil if a watched absent key was created and removed again": [
    lines("WATCH k", "SET k 1", "DEL k", "MULTI", "PING", "EXEC", "MULTI", "PING", "EXEC"),
    lines("WATCH k", "DEL k", "SETNX j 1", "MULTI", "PING", "EXEC", "DEL j"),
    lines("WATCH k", "SET k 1", "DEL k", "UNWATCH", "WATCH k", "MULTI", "PING", "EXEC"),
    lines("WATCH k", "LPUSH k a", "LPOP k", "WATCH k", "MULTI", "PING", "EXEC"),
    lines("SET j 1", "WATCH k", "RENAME j k", "RENAME k j", "MULTI", "PING", "EXEC", "DEL j"),
    lines("WATCH k", "SELECT 1", "SET k 1", "DEL k", "SELECT 0", "MULTI", "PING", "EXEC"),
    lines("WATCH k", "MSET k 1 j 1", "FLUSHALL", "MULTI", "PING", "EXEC"),
    lines("WATCH k", "FLUSHALL", "SWAPDB 0 1", "MULTI", "PING", "EXEC"),
    lines("SELECT 1", "SET k 1", "SELECT 0", "WATCH k", "SWAPDB 0 1", "SWAPDB 0 1", "MULTI", "PING", "EXEC"),
    lines("SELECT 1", "DEL k", "WATCH k", "MULTI", "SET k 1", "DEL k", "EXEC", "MULTI", "PING", "EXEC"),
  ],
  "unknown commands and wrong numbers of arguments return Redis's errors": [
    lines("foo", "FOO bar baz", "GET", "get a b", "SET a", "COMMAND FOO", "COMMAND COUNT x"),
    lines('"a\\r\\nb" c', '""', "$1"),
  ],
  "malformed streams are answered with an error, and the connection closes": [
    ...[
      "*1\r\n+x\r\n",
      "*1\r\n\x01x\r\n",
      "*1\r\n\xffx\r\n",
      "*1\r\n\nx\r\n",
      "*01\r\n",
      "*-0\r\n",
      "*+1\r\n",
      "*\r\n",
    ],
    ...[
      "*1\r\n$-1\r\n",
      "*1\r\n$\r\n",
      "*1\r\n$01\r\n",
      "*1\r\n$1 \r\n",
      "*99999999999\r\n",
      "*2147483648\r\n",
    ],
    ...[
      "*99999999999999999999999\r\n",
      "*-99999999999999999999999\r\n",
      "*1\r\n$999999999999\r\n",
      "*1x\r\n",
    ],
    ...['set "a\r\n', "ECHO 'a\r\n", 'ECHO "a"b\r\n', "ECHO 'a'b\r\n", "PING\r\n*1\r\nx\r\n"],
    "Host: x\r\nPING\r\n",
  ],
  "unusual streams that Redis accepts are accepted": [
    ...[
      "*-5\r\n*0\r\nPING\r\n",
      "\r\n\n  \r\nPING\n",
      "*1\rX$4\rYPINGZZ",
      "*3\r\n$3\r\nSET\r\n$1\r\naXX$1\r\n2YY",
    ],
    ...[
      'PING "a\\x41\\n\\x4g" \r\n',
      "ECHO 'a\\'b\\n'\r\n",
      "ECHO a'b c'\r\n",
      'ECHO "\\a\\b\\t\\q\\"\\\\"\r\n',
      "ECHO \t a\vb\r\n",
    ],
    ...["*1\r\n$0\r\n\r\n", "DEL a\r\n", "ECHO a\rb\r\n"],
  ],
};

for (const [name, streams] of Object.entries(conversations)) {
  test(name, { skip }, async () => {
    for (const bytes of streams) await comparison.assertSame(bytes);
  });
}

test("inline commands and length lines above 64 KiB are refused", { skip }, async () => {
  const long = "x".repeat(70_000);
  for (const [bytes, text] of [
    [long, "too big inline request"],
    [`*${"1".repeat(70_000)}`, "too big mbulk count string"],
    [`*1\r\n$${"1".repeat(70_000)}`, "too big bulk count string"],
  ] as const) {
    for (const { port } of [comparison.ours, comparison.redis]) {
      using client = await RawClient.open(port);
      client.send(bytes);
      assert.equal(await client.read(60), `-ERR Protocol error: ${text}\r\n`);
    }
  }
});
