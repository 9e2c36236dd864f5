/**
 * Tests how INFO of --resp, /metrics and /healthz report servers of --json-replica that are unreachable or are not
 * originals.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type DaemonHere, startDaemonHere } from "../../../test/support/daemon-here.js";
import { freePort } from "../../../test/support/free-port.js";
import { ask } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { RedisConnection } from "../../../test/support/redis-connection.js";
import { until } from "../../../test/support/until.js";
import { Original } from "./original.js";
import { startJson } from "./scene.js";

interface Figures {
  readonly info: string;
  readonly metrics: string;
  readonly health: string;
  readonly code: number;
}

/** Returns the lines of INFO about the servers, their metrics, and /healthz. */
async function readFigures(daemon: DaemonHere): Promise<Figures> {
  using redis = await RedisConnection.open(await daemon.portOf("Redis clients"));
  const reply = await redis.call("INFO", "replication");
  const lines = reply.kind === "bulk" ? reply.bytes.split("\r\n") : [];
  const admin = `http://127.0.0.1:${await daemon.portOf("/healthz and /metrics")}`;
  const health = await fetch(`${admin}/healthz`);
  return {
    info: lines.filter((line) => line.startsWith("json_")).join("\n"),
    metrics: await (await fetch(`${admin}/metrics`)).text(),
    health: await health.text(),
    code: health.status,
  };
}

const start = (own: number, other: number) =>
  startDaemonHere([
    ...["--json", `127.0.0.1:${own}`, "--json-replica", `127.0.0.1:${other}`],
    ...["--resp", "0", "--admin", "0"],
  ]);

test("INFO, metrics and /healthz report which servers are unreachable, and what they miss", async () => {
  const [own, other] = [await freePort(), await freePort()];
  const original = await Original.start(other, []);
  await using daemon = await start(own, other);
  using client = await RawClient.open(own);

  let n = 0;
  const write = () => ask(client, { action: "create", document: `d${n++}` });
  await until("a write reaches the original", async () => (await write()).includes('"replicated":true'));

  const row = `json_replica0:server=127.0.0.1:${other}`;
  const online = await readFigures(daemon);
  const well = "missing_documents=0,refused_documents=0,different_documents=0";
  assert.equal(online.info, `json_ready:1\n${row},state=online,${well}`);
  assert.match(online.metrics, /^dbsyncd_json_replica_ready 1$/m);
  assert.equal(online.code, 200);

  await original[Symbol.asyncDispose]();
  await write();
  const { info, health } = await readFigures(daemon);
  assert.equal(JSON.parse(health).jsonReplicas.servers[0].missing, 1);
  assert.match(info, /state=away,missing_documents=1,/);
});

test("INFO, metrics and /healthz report a server that is a dbsyncd", async () => {
  await using other = await startJson();
  await using daemon = await start(await freePort(), other.port);
  const { info, metrics, health, code } = await readFigures(daemon);
  assert.match(info, /^json_ready:0\n.*,state=dbsyncd,/);
  assert.match(metrics, /^dbsyncd_json_replica_is_dbsyncd\{replica="[^"]+"\} 1$/m);
  assert.match(metrics, /^dbsyncd_json_replica_ready 0$/m);
  assert.equal(JSON.parse(health).jsonReplicas.servers[0].isDbsyncd, true);
  assert.equal(code, 503);
});

test("without --json-replica there is nothing to report", async () => {
  await using daemon = await startDaemonHere(["--json", "0", "--resp", "0", "--admin", "0"]);
  const { info, metrics, health } = await readFigures(daemon);
  assert.equal(info, "");
  assert.doesNotMatch(health, /jsonReplicas/);
  assert.doesNotMatch(metrics, /^dbsyncd_json_replica_ready \d/m);
});
