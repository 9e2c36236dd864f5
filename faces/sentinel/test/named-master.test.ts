/** Tests that INFO and /metrics of each daemon say which one the sentinels name, also after a failover. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { startDaemonHere } from "../../../test/support/daemon-here.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { until } from "../../../test/support/until.js";
import { type SentinelPair, startSentinels } from "./sentinel-pair.js";

/** Returns what a daemon says in INFO and in /metrics. */
async function saidBy({ trio, respPorts }: SentinelPair, index: number): Promise<string> {
  using client = await RedisConnection.open(respPorts[index] ?? 0);
  const info = String(await client.value("INFO", "replication"));
  const admin = await trio.daemon(index).portOf("/healthz and /metrics");
  const metrics = await (await fetch(`http://127.0.0.1:${admin}/metrics`)).text();
  const [, master = "none"] = /^dbsync_sentinel_master:(.*)\r$/m.exec(info) ?? [];
  const [, flag = "none"] = /^dbsyncd_sentinel_master (.*)$/m.exec(metrics) ?? [];
  return `${master} ${flag}`;
}

test("each daemon says in INFO and in /metrics which one the sentinels name", async () => {
  await using own = await startSentinels(2, ["--admin", "0"]);
  const first = await own.untilNamed();
  const other = 1 - first;
  const saysFor = (master: number) => `127.0.0.1:${own.respPorts[master]}`;
  assert.equal(await saidBy(own, first), `${saysFor(first)} 1`);
  assert.equal(await saidBy(own, other), `${saysFor(first)} 0`);

  await own.trio.end(first, "SIGKILL");
  await until(
    "the other daemon names itself",
    async () => (await saidBy(own, other)) === `${saysFor(other)} 1`,
  );
});

test("a cluster without sentinels says nothing about a master", async () => {
  await using daemon = await startDaemonHere(["--resp", "0"]);
  using client = await RedisConnection.open(await daemon.portOf("Redis clients"));
  assert.doesNotMatch(String(await client.value("INFO", "replication")), /sentinel_master/);
});
