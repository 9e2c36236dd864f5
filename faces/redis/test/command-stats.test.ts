/** Compares INFO commandstats and errorstats with redis-server's: calls, failures, and rejected commands. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { makeFolder, startReplica } from "../../../test/daemon/program/replicas.js";
import { makeKeyPair } from "../../../test/support/envelope-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { skipWithout } from "../../../test/support/requirements.js";
import { until } from "../../../test/support/until.js";
import { answers, lines, RedisComparison } from "./redis-comparison.js";

const skip = skipWithout("redis-server");

/** Commands whose counts are the same in every run, however long the commands take. */
const conversation = lines(
  "ACL SETUSER ann on >p ~a* +get +set +info",
  "CONFIG RESETSTAT",
  ...["SET a", "SET a 1", "GET a", "LPUSH a 1", "GETT a", "GEOADD foo 1", "CLIENT ID x", "CLIENT"],
  ...["MULTI", "SET", "WATCH a", "LPUSH a", "EXEC", "MULTI", "GET a", "LPUSH a b", "EXEC"],
  ...["BLPOP none 0.001", "AUTH ann wrong", "AUTH ann p", "GET b", "DEL a", "SET a 2"],
  "AUTH default x",
  "INFO commandstats",
  "INFO errorstats",
);

/** Returns the counts, sorted and without times. */
function counts(answered: string): string[] {
  return answered
    .split("\r\n")
    .filter((line) => /^(cmd|error)stat_/.test(line))
    .map((line) => line.replace(/usec=\d+,usec_per_call=[\d.]+,/, ""))
    .sort();
}

test("calls, failures and rejections are counted as in redis-server", { skip }, async () => {
  await using comparison = await RedisComparison.start();
  const ports = [comparison.ours.port, comparison.redis.port];
  const [ours, theirs] = await Promise.all(ports.map((port) => answers(port, conversation)));
  assert.deepEqual(counts(ours ?? ""), counts(theirs ?? ""));
  assert.match(counts(ours ?? "").join(), /cmdstat_geoadd:calls=0,rejected_calls=1,failed_calls=0/);
});

/** Returns INFO's line about BLPOP after a waiting client received an error. */
async function afterUnblock(port: number): Promise<string> {
  using admin = await RedisConnection.open(port);
  using client = await RedisConnection.open(port);
  const id = await client.call("CLIENT", "ID");

  const waited = client.call("BLPOP", "none", "0");
  const unblock = () =>
    admin.call("CLIENT", "UNBLOCK", id.kind === "integer" ? String(id.value) : "", "ERROR");
  await until("the client waits", async () => {
    const unblocked = await unblock();
    return unblocked.kind === "integer" && unblocked.value === 1;
  });
  assert.equal((await waited).kind, "error");

  const reply = await admin.call("INFO", "commandstats");
  return (
    /cmdstat_blpop:(calls=\d+),.*?(rejected_calls.*)\r/
      .exec(reply.kind === "bulk" ? reply.bytes : "")
      ?.slice(1)
      .join() ?? ""
  );
}

test("a waiting client's error counts as a failure, and so does a recorded command that fails", {
  skip,
}, async () => {
  await using comparison = await RedisComparison.start();
  const theirs = await afterUnblock(comparison.redis.port);
  assert.equal(await afterUnblock(comparison.ours.port), theirs);
  using folder = makeFolder();
  const { file } = makeKeyPair();
  await using replica = await startReplica({ args: ["-s", file, "--data", folder.path, "--resp", "0"] });
  const port = replica.daemon.addressOf("resp")?.port ?? 0;
  assert.equal(await afterUnblock(port), theirs);
  assert.match(
    await answers(port, lines("SET a 1", "LPUSH a 1", "INFO commandstats")),
    /cmdstat_lpush:calls=1,.*failed_calls=1/,
  );
});
