/** Who leads the daemons of --json-replica, and who is away: as INFO of --resp and /metrics tell it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "../../daemon/replicas.js";
import { type DaemonProcess, startDaemon } from "../../support/daemon-process.js";
import { freePort } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { RedisConnection } from "../../support/redis-connection.js";
import { ask } from "./scene.js";

async function portOf(daemon: DaemonProcess, what: string): Promise<number> {
  return (await daemon.logged(({ msg }) => msg === what))["port"] as number;
}

const LEVEL = "json_level:1\njson_refused_documents:0";

interface Told {
  readonly info: string;
  readonly metrics: string;
  readonly health: string;
}

/** What INFO says of the fleet, a line each, the metrics about it, and /healthz. */
async function told(daemon: DaemonProcess): Promise<Told> {
  using redis = await RedisConnection.open(await portOf(daemon, "serving Redis clients"));
  const reply = await redis.call("INFO", "replication");
  const lines = reply.kind === "bulk" ? reply.bytes.split("\r\n") : [];
  const admin = `http://127.0.0.1:${await portOf(daemon, "serving /healthz and /metrics")}`;
  return {
    info: lines.filter((line) => line.startsWith("json_")).join("\n"),
    metrics: await (await fetch(`${admin}/metrics`)).text(),
    health: await (await fetch(`${admin}/healthz`)).text(),
  };
}

test("INFO and metrics tell who leads, and which servers are away or lack something", async () => {
  const ports = [await freePort(), await freePort()] as const;
  const start = (own: number, other: number) =>
    startDaemon([
      ...["--json", `127.0.0.1:${own}`, "--json-replica", `127.0.0.1:${other}`],
      ...["--resp", "0", "--admin", "0"],
    ]);
  await using first = await start(ports[0], ports[1]);
  using client = await RawClient.open(ports[0]);
  await using second = await start(ports[1], ports[0]);
  let n = 0;
  const write = () => ask(client, { action: "create", document: `d${n++}` });
  await until("a write reaches both", async () => (await write()).includes('"replicated":true'));
  const leading = await told(first);
  const online = (port: number) =>
    `json_replica0:server=127.0.0.1:${port},state=online,missing_documents=0,refused_documents=0,different_documents=0`;
  assert.equal(leading.info, `json_ready:1\njson_leader:this\njson_term:1\n${LEVEL}\n${online(ports[1])}`);
  assert.match(leading.metrics, /^dbsyncd_json_replica_leading 1$/m);
  assert.match(leading.metrics, /^dbsyncd_json_replica_term 1$/m);
  const following = await told(second);
  assert.equal(
    following.info,
    `json_ready:1\njson_leader:127.0.0.1:${ports[0]}\njson_term:1\n${LEVEL}\n${online(ports[0])}`,
  );
  assert.match(following.metrics, /^dbsyncd_json_replica_leading 0$/m);
  second.kill("SIGKILL");
  await second.ended();
  await write();
  const { info, health } = await told(first);
  assert.deepEqual(JSON.parse(health).jsonFleet.servers[0].missing, 1);
  assert.match(info, /state=away,missing_documents=1,/);
});

test("without --json-replica there is nothing to tell", async () => {
  await using daemon = await startDaemon(["--json", "0", "--resp", "0", "--admin", "0"]);
  const { info, metrics, health } = await told(daemon);
  assert.equal(info, "");
  assert.doesNotMatch(health, /jsonFleet/);
  assert.doesNotMatch(metrics, /^dbsyncd_json_replica_leading \d/m);
});
