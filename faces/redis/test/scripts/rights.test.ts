/** Tests that a user's scripts have the user's permissions, as in redis-server. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { writeCommand } from "../../../../protocol/resp/resp-writer.js";
import { skipWithout } from "../../../../test/support/requirements.js";
import { answers, RedisComparison } from "../redis-comparison.js";

const skip = skipWithout("redis-server");

const evaluated = (script: string, ...keys: readonly string[]) =>
  writeCommand(["EVAL", script, String(keys.length), ...keys]);

const LOGIN = [
  ["ACL", "SETUSER", "ben", "on", ">pw", "~mine:*", "resetchannels", "&mine:*", "+@all", "-append"],
  ["SET", "mine:a", "1"],
  ["SET", "other", "2"],
  ["AUTH", "ben", "pw"],
];

const SCRIPTS = [
  evaluated("return redis.call('get', 'mine:a')"),
  evaluated("return redis.call('get', KEYS[1])", "mine:a"),
  evaluated("return redis.call('get', 'other')"),
  evaluated("return redis.pcall('set', 'other', 'x')"),
  evaluated("return redis.call('append', 'mine:a', 'x')"),
  evaluated("return redis.call('publish', 'mine:c', 'x')"),
  evaluated("return redis.call('publish', 'other', 'x')"),
  evaluated("return 1", "other"),
  evaluated(
    "return {redis.acl_check_cmd('get', 'mine:a'), redis.acl_check_cmd('get', 'other'), redis.acl_check_cmd('append', 'mine:a', 'x')}",
  ),
  evaluated("redis.call('rename', 'mine:a', 'other')"),
  evaluated("redis.call('mset', 'mine:b', '1', 'other', 'x')"),
];

test("permissions apply in scripts, and refusals equal redis-server's", { skip }, async () => {
  await using comparison = await RedisComparison.start();
  const login = LOGIN.map(writeCommand).join("");
  for (const script of SCRIPTS) await comparison.assertSame(login + script + writeCommand(["GET", "mine:a"]));
});

test("ACL LOG reports that the command was part of a script", { skip }, async () => {
  await using comparison = await RedisComparison.start();
  const commands = [...LOGIN, ["EVAL", "return redis.call('get', 'other')", "0"], ["ACL", "LOG"]]
    .map(writeCommand)
    .join("");
  // Ages and addresses differ from redis-server's.
  const all = await answers(comparison.ours.port, commands);
  assert.match(all, /\$7\r\ncontext\r\n\$3\r\nlua\r\n/);
});

test("a script that may only read cannot write, whichever command runs it", { skip }, async () => {
  await using comparison = await RedisComparison.start();
  const set = "return redis.call('set', 'k', 'v')";
  for (const argv of [
    ["EVAL_RO", set, "0"],
    ["EVAL", `#!lua flags=no-writes\n${set}`, "0"],
    ["EVAL_RO", "return redis.call('get', 'k')", "0"],
    ["EVAL_RO", `#!lua\n${set}`, "0"],
    ["SCRIPT", "LOAD", set],
    ["EVALSHA_RO", "7aa8deb7e8e8a6a8a3f6f0e1d1b2e0a4b1b1b1b1", "0"],
    ["EVALSHA", "zz", "0"],
    ["SCRIPT", "EXISTS", "zz"],
    ["SCRIPT", "FLUSH", "x"],
    ["SCRIPT", "FLUSH"],
    ["SCRIPT", "KILL"],
    ["SCRIPT", "DEBUG", "NO"],
    ["SCRIPT", "DEBUG", "x"],
    ["EVAL", "return 1", "a"],
    ["EVAL", "return 1", "-1"],
    ["EVAL", "return 1", "2", "a"],
    ["EVAL", "return 1"],
  ])
    await comparison.assertSame(writeCommand(argv) + writeCommand(["EXISTS", "k"]));
});
