/** INFO commandstats and errorstats count what redis-server's count: calls, failures, and what was not run at all. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { skipWithout } from "../../support/requirements.js";
import { answers, BesideRedis, lines } from "./beside-redis.js";

const skip = skipWithout("redis-server");

/** Calls whose counts are the connection's own, however long they take. */
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

/** Without times, and in one order. */
function counts(answered: string): string[] {
  return answered
    .split("\r\n")
    .filter((line) => /^(cmd|error)stat_/.test(line))
    .map((line) => line.replace(/usec=\d+,usec_per_call=[\d.]+,/, ""))
    .sort();
}

test("calls, failures and rejections are counted as redis-server counts them", { skip }, async () => {
  await using beside = await BesideRedis.start();
  const ports = [beside.ours.port, beside.redis.port];
  const [ours, theirs] = await Promise.all(ports.map((port) => answers(port, conversation)));
  assert.deepEqual(counts(ours ?? ""), counts(theirs ?? ""));
  assert.match(counts(ours ?? "").join(), /cmdstat_geoadd:calls=0,rejected_calls=1,failed_calls=0/);
});
