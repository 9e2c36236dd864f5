/** Runs the same scripts in redis-server, on a daemon in memory, and on one that records. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { writeCommand } from "../../../../protocol/resp/resp-writer.js";
import { makeFolder, type RunningReplica, startReplica } from "../../../../test/daemon/program/replicas.js";
import { makeKeyPair } from "../../../../test/support/envelope-client.js";
import { type RedisServer, startRedis } from "../../../../test/support/redis-server.js";
import { skipWithout } from "../../../../test/support/requirements.js";
import { answers } from "../redis-comparison.js";
import { type RespScene, startResp } from "../scene.js";
import { programs } from "./programs.js";

const skip = skipWithout("redis-server");
const folder = makeFolder();
let memory: RespScene;
let recording: RunningReplica;
let redis: RedisServer;
before(async () => {
  if (skip !== false) return;
  const args = ["-s", makeKeyPair().file, "--data", folder.path, "--resp", "0"];
  [memory, recording, redis] = await Promise.all([startResp(), startReplica({ args }), startRedis()]);
});
after(async () => {
  await Promise.all([memory, recording].map((daemon) => daemon?.[Symbol.asyncDispose]()));
  await redis?.stop();
  folder[Symbol.dispose]();
});

for (const protocol of ["2", "3"])
  test(`scripts return the same as in redis-server, RESP${protocol}`, { skip }, async () => {
    const ports = [redis.port, memory.port, recording.daemon.addressOf("resp")?.port ?? 0];
    for (const program of programs) {
      const commands = [
        ["HELLO", protocol],
        ["FLUSHALL"],
        ["EVAL", program, "2", "k1", "k2", "a1", "12"],
        ["DBSIZE"],
        ["GET", "k1"],
      ];
      const bytes = commands.map(writeCommand).join("");
      const [theirs, ...ours] = (await Promise.all(ports.map((port) => answers(port, bytes)))).map(
        withoutGreeting,
      );
      assert.equal(ours[0], theirs, program);
      assert.equal(ours[1], theirs, `${program} (recorded)`);
    }
  });

const CHANGES =
  "cjson.encode_max_depth(3) cjson.decode_max_depth(4) cjson.encode_number_precision(5) cjson.encode_invalid_numbers(true) " +
  "cjson.decode_invalid_numbers(false) cjson.encode_keep_buffer(false) cjson.encode_sparse_array(true,1,1)";
const SHOWN =
  "return {cjson.encode_max_depth(),cjson.decode_max_depth(),cjson.encode_number_precision(),tostring(cjson.encode_invalid_numbers())," +
  "tostring(cjson.decode_invalid_numbers()),tostring(cjson.encode_keep_buffer()),cjson.encode_sparse_array()}";
const LIBRARY =
  `#!lua name=settings\nredis.register_function('shown', function() ${SHOWN} end)\n` +
  `redis.register_function('changed', function() ${CHANGES} end)`;

test("what a script or a function sets in cjson applies to later ones of its kind until SCRIPT FLUSH", {
  skip,
}, async () => {
  const shown = ["EVAL", SHOWN, "0"];
  const commands = [
    ...[["SCRIPT", "FLUSH"], ["FUNCTION", "LOAD", LIBRARY], shown, ["FCALL", "shown", "0"]],
    ...[["EVAL", CHANGES, "0"], shown, ["FCALL", "shown", "0"], ["SCRIPT", "FLUSH"], shown],
    ...[["FCALL", "changed", "0"], ["FCALL", "shown", "0"], shown, ["SCRIPT", "FLUSH"]],
    ...[
      ["FCALL", "shown", "0"],
      ["FUNCTION", "DELETE", "settings"],
    ],
  ];
  const bytes = commands.map(writeCommand).join("");
  const ports = [redis.port, memory.port, recording.daemon.addressOf("resp")?.port ?? 0];
  const [theirs, ...ours] = await Promise.all(ports.map((port) => answers(port, bytes)));
  assert.deepEqual(ours, [theirs, theirs]);
});

/** Removes the reply to HELLO, which differs between servers. */
function withoutGreeting(all: string): string {
  return all.slice(all.indexOf("+OK\r\n"));
}
