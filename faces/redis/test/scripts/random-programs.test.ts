/**
 * Runs random programs in redis-server, on a daemon in memory and on one that records: answers and data must be equal.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { writeCommand } from "../../../../protocol/resp/resp-writer.js";
import { makeFolder, startReplica } from "../../../../test/daemon/program/replicas.js";
import { amount } from "../../../../test/support/amount.js";
import { makeKeyPair } from "../../../../test/support/envelope-client.js";
import { startRedis } from "../../../../test/support/redis-server.js";
import { skipWithout } from "../../../../test/support/requirements.js";
import { seed } from "../../../../test/support/seed.js";
import { SeededRandom } from "../../../../test/support/seeded-random.js";
import { answers } from "../redis-comparison.js";
import { startResp } from "../scene.js";
import { randomProgram } from "./random-program.js";

const skip = skipWithout("redis-server");
const PROGRAMS = amount(120, 2_000);
/** The number of programs that run one after the other on the same data. */
const EPISODE = 20;

/** A script that returns the contents of all keys in a fixed order. */
const STATE = `local r = {}
for _, k in ipairs({KEYS[1], KEYS[2], 'k3', 'k4'}) do
  local t = redis.call('type', k).ok
  if t == 'string' then r[#r + 1] = redis.call('get', k)
  elseif t == 'list' then r[#r + 1] = redis.call('lrange', k, 0, -1)
  elseif t == 'set' then
    local m = redis.call('smembers', k) table.sort(m)
    r[#r + 1] = m
  elseif t == 'zset' then r[#r + 1] = redis.call('zrange', k, 0, -1, 'withscores')
  elseif t == 'stream' then r[#r + 1] = redis.call('xrange', k, '-', '+')
  elseif t == 'hash' then
    local f = redis.call('hkeys', k) table.sort(f)
    for _, n in ipairs(f) do r[#r + 1] = n r[#r + 1] = redis.call('hget', k, n) end
  else r[#r + 1] = t end
end
return r`;

const evaluated = (script: string) => writeCommand(["EVAL", script, "2", "k1", "k2", "a1", "12"]);

test("random programs return the same, and leave the same data, as in redis-server", { skip }, async () => {
  using folder = makeFolder();
  const args = ["-s", makeKeyPair().file, "--data", folder.path, "--resp", "0"];
  await using memory = await startResp();
  await using recording = await startReplica({ args });
  await using redis = await startRedis();
  const ports = [redis.port, memory.port, recording.daemon.addressOf("resp")?.port ?? 0];
  for (let episode = 0; episode * EPISODE < PROGRAMS; episode++) {
    const random = new SeededRandom(seed(), episode);
    const programs = Array.from({ length: EPISODE }, () => randomProgram(random));
    const hello = writeCommand(["HELLO", random.oneOf(["2", "3"])]) + writeCommand(["FLUSHALL"]);
    const bytes = hello + programs.map((one) => evaluated(one) + evaluated(STATE)).join("");
    const [theirs = "", ...ours] = (await Promise.all(ports.map((port) => answers(port, bytes)))).map((all) =>
      all.slice(all.indexOf("+OK\r\n")),
    );
    for (const [i, reply] of ours.entries())
      if (reply !== theirs)
        await reportDifference(ports[0] as number, ports[i + 1] as number, hello, programs);
  }
});

/** Finds the first program of an episode with a different result. */
async function reportDifference(
  theirs: number,
  ours: number,
  hello: string,
  programs: readonly string[],
): Promise<void> {
  let bytes = hello;
  for (const program of programs) {
    bytes += evaluated(program) + evaluated(STATE);
    const [left, right] = (await Promise.all([ours, theirs].map((port) => answers(port, bytes)))).map((all) =>
      all.slice(all.indexOf("+OK\r\n")),
    );
    assert.equal(left, right, program);
  }
  assert.fail("an episode differed once, but not again");
}
