/**
 * Tests that scripts return the same in redis-server, on a daemon in memory, and on a daemon that records them.
 */
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
let inMemory: RespScene;
let recorded: RunningReplica;
let redis: RedisServer;
before(async () => {
  if (skip !== false) return;
  const args = ["-s", makeKeyPair().file, "--data", folder.path, "--resp", "0"];
  [inMemory, recorded, redis] = await Promise.all([startResp(), startReplica({ args }), startRedis()]);
});
after(async () => {
  await Promise.all([inMemory, recorded].map((daemon) => daemon?.[Symbol.asyncDispose]()));
  await redis?.stop();
  folder[Symbol.dispose]();
});

type Server = "redis" | "inMemory" | "recorded";

/** Returns the answers of redis-server and of both daemons to the same commands. */
async function answersOf(commands: readonly (readonly string[])[]): Promise<Record<Server, string>> {
  const bytes = commands.map(writeCommand).join("");
  const [ofRedis, ofMemory, ofRecorded] = await Promise.all([
    answers(redis.port, bytes),
    answers(inMemory.port, bytes),
    answers(recorded.daemon.addressOf("resp")?.port ?? 0, bytes),
  ]);
  return { redis: ofRedis, inMemory: ofMemory, recorded: ofRecorded };
}

for (const protocol of ["2", "3"])
  test(`scripts return the same as in redis-server, RESP${protocol}`, { skip }, async () => {
    for (const program of programs) {
      const commands = [
        ["HELLO", protocol],
        ["FLUSHALL"],
        ["EVAL", program, "2", "k1", "k2", "a1", "12"],
        ["DBSIZE"],
        ["GET", "k1"],
      ];
      const all = await answersOf(commands);
      const expected = withoutGreeting(all.redis);
      assert.equal(withoutGreeting(all.inMemory), expected, program);
      assert.equal(withoutGreeting(all.recorded), expected, `${program} (recorded)`);
    }
  });

const CHANGE_SETTINGS =
  "cjson.encode_max_depth(3) cjson.decode_max_depth(4) cjson.encode_number_precision(5) cjson.encode_invalid_numbers(true) " +
  "cjson.decode_invalid_numbers(false) cjson.encode_keep_buffer(false) cjson.encode_sparse_array(true,1,1)";
const READ_SETTINGS =
  "return {cjson.encode_max_depth(),cjson.decode_max_depth(),cjson.encode_number_precision(),tostring(cjson.encode_invalid_numbers())," +
  "tostring(cjson.decode_invalid_numbers()),tostring(cjson.encode_keep_buffer()),cjson.encode_sparse_array()}";
const LIBRARY =
  `#!lua name=settings\nredis.register_function('shown', function() ${READ_SETTINGS} end)\n` +
  `redis.register_function('changed', function() ${CHANGE_SETTINGS} end)`;

test("cjson settings of scripts apply to later scripts, and those of functions to later functions, until SCRIPT FLUSH", {
  skip,
}, async () => {
  const readByScript = ["EVAL", READ_SETTINGS, "0"];
  const readByFunction = ["FCALL", "shown", "0"];
  const flush = ["SCRIPT", "FLUSH"];

  const prepare = [flush, ["FUNCTION", "LOAD", LIBRARY], readByScript, readByFunction];
  const changeByScript = [["EVAL", CHANGE_SETTINGS, "0"], readByScript, readByFunction, flush, readByScript];
  const changeByFunction = [["FCALL", "changed", "0"], readByFunction, readByScript, flush, readByFunction];
  const cleanUp = [["FUNCTION", "DELETE", "settings"]];

  const all = await answersOf([...prepare, ...changeByScript, ...changeByFunction, ...cleanUp]);
  assert.equal(all.inMemory, all.redis, "in memory");
  assert.equal(all.recorded, all.redis, "recorded");
});

/** Removes the reply to HELLO, which differs between servers: all up to the reply to FLUSHALL. */
function withoutGreeting(all: string): string {
  return all.slice(all.indexOf("+OK\r\n"));
}
