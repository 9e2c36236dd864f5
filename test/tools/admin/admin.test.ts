/** Tests the figures of --admin on a real daemon. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { knowsSecret } from "../../support/cluster-secret.js";
import { startDaemonHere } from "../../support/daemon-here.js";
import { EnvelopeClient, makeKeyPair } from "../../support/envelope-client.js";
import { freePort, refusingAddress } from "../../support/free-port.js";
import { RawClient } from "../../support/raw-client.js";
import { RedisConnection } from "../../support/redis-connection.js";
import { until } from "../../support/until.js";

test("The daemon counts the commands and connections of its clients", async () => {
  await using daemon = await startDaemonHere(["--admin", "0"]);
  const url = `http://127.0.0.1:${await daemon.portOf("/healthz and /metrics")}`;

  using client = await RawClient.open(daemon.port);
  assert.equal(await client.ask("SET k v"), "OK");
  assert.equal(await client.ask("GET k"), "v");
  using other = await RawClient.open(daemon.port);
  other.command("NONSENSE");
  await other.rest();
  const health = await fetch(`${url}/healthz`);
  assert.equal(health.status, 200);
  const text = await (await fetch(`${url}/metrics`)).text();
  for (const line of [
    'dbsyncd_units_total{listener="dbsync-v1",outcome="ok"} 2',
    'dbsyncd_refusals_total{listener="dbsync-v1",reason="command-error"} 1',
    'dbsyncd_connections_opened_total{listener="dbsync"} 2',
    'dbsyncd_backend_up{backend="memory"} 1',
  ]) {
    assert.ok(text.includes(`\n${line}\n`), `${line} is not in\n${text}`);
  }
});

test("The daemon measures envelopes: their units, dates, and the time to check signatures", async () => {
  const pair = makeKeyPair();
  await using daemon = await startDaemonHere(["--admin", "0", "-s", pair.file]);
  const url = `http://127.0.0.1:${await daemon.portOf("/healthz and /metrics")}`;
  using client = await EnvelopeClient.open(daemon.port, pair);

  await client.replies([
    ["SET", "k", "v"],
    ["GET", "k"],
    ["INCR", "k"],
  ]);
  const late = await client.ask([["PING"]], { at: Date.now() - 60_000 });
  assert.equal(late.kind === "refused" ? late.code : "", "skew");

  const text = await (await fetch(`${url}/metrics`)).text();
  for (const line of [
    'dbsyncd_units_total{listener="dbsync-v2",outcome="ok"} 2',
    'dbsyncd_units_total{listener="dbsync-v2",outcome="error"} 1',
    'dbsyncd_refusals_total{listener="dbsync-v2",reason="skew"} 1',
    "dbsyncd_verify_seconds_count 2",
    'dbsyncd_envelope_skew_seconds_bucket{le="-30"} 1',
    'dbsyncd_envelope_skew_seconds_bucket{le="+Inf"} 2',
    'dbsyncd_connections{listener="dbsync"} 1',
  ]) {
    assert.ok(text.includes(`\n${line}\n`), `${line} is not in\n${text}`);
  }
});

test("An unreachable database appears in /healthz and /metrics", async () => {
  const unreachable = await refusingAddress();
  await using daemon = await startDaemonHere(["--admin", "0", "-d", `redis:${unreachable}`]);
  const url = `http://127.0.0.1:${await daemon.portOf("/healthz and /metrics")}`;
  using client = await RawClient.open(daemon.port);
  client.command("GET k");
  await client.rest();
  const health = await fetch(`${url}/healthz`);
  assert.equal(health.status, 503);
  assert.deepEqual(((await health.json()) as { backends: unknown }).backends, [
    { name: `redis:${unreachable}`, up: false },
  ]);
  const text = await (await fetch(`${url}/metrics`)).text();
  assert.ok(text.includes(`\ndbsyncd_backend_up{backend="redis:${unreachable}"} 0\n`));
  assert.ok(text.includes(`\ndbsyncd_backend_failures_total{backend="redis:${unreachable}"} 1\n`));
});

test("An address that other machines can reach causes a warning", async () => {
  await using daemon = await startDaemonHere(["--admin", "0.0.0.0:0"]);
  const line = await daemon.logged(({ msg }) => msg.startsWith("--admin can be reached"));
  assert.equal(line.level, "warn");
});

test("Only a daemon with a timeline reports the timeline and its members", async () => {
  const pair = makeKeyPair();
  const unreachable = await refusingAddress();
  await using daemon = await startDaemonHere([
    "--admin",
    "0",
    "-s",
    pair.file,
    "--peer",
    unreachable,
    ...knowsSecret,
  ]);

  const url = `http://127.0.0.1:${await daemon.portOf("/healthz and /metrics")}`;
  const text = await (await fetch(`${url}/metrics`)).text();
  for (const line of [
    'dbsyncd_timeline_entries{set="data"} 0',
    'dbsyncd_timeline_entries{set="ring"} 0',
    "dbsyncd_timeline_tail_units 0",
    "dbsyncd_timeline_failed 0",
    "dbsyncd_clock_skewed 0",
    `dbsyncd_member_connected{member="${unreachable}"} 0`,
  ]) {
    assert.ok(text.includes(`\n${line}\n`), `${line} is not in\n${text}`);
  }

  await using plain = await startDaemonHere(["--admin", "0"]);
  const other = await (
    await fetch(`http://127.0.0.1:${await plain.portOf("/healthz and /metrics")}/metrics`)
  ).text();
  assert.doesNotMatch(other, /\ndbsyncd_(timeline|member)_\w+[ {]/);
});

test("The daemon reports keys, lookups, expired keys, and commands by family", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-metrics-"));
  for (const args of [[], ["--data", join(folder, "data")]]) {
    const resp = await freePort();
    await using daemon = await startDaemonHere(["--admin", "0", "--resp", String(resp), ...args]);
    const url = `http://127.0.0.1:${await daemon.portOf("/healthz and /metrics")}`;
    using client = await RedisConnection.open(resp);
    await client.call("SET", "k", "v");
    await client.call("SET", "stays", "v", "PX", "4000000");
    await client.call("SET", "goes", "v", "PX", "1");
    for (const name of ["k", "none", "none"]) await client.call("GET", name);
    await client.call("LPUSH", "k", "no list");
    await client.call("LPUSH", "list", "a");
    const metrics = async () => await (await fetch(`${url}/metrics`)).text();
    let text = await metrics();
    await until("the expired key is counted", async () => {
      text = await metrics();
      return text.includes("\ndbsyncd_expired_keys_total 1\n");
    });
    for (const line of [
      'dbsyncd_keys{db="0"} 3',
      'dbsyncd_expiring_keys{db="0"} 1',
      'dbsyncd_key_lookups_total{outcome="hit"} 1',
      'dbsyncd_key_lookups_total{outcome="miss"} 2',
      'dbsyncd_resp_commands_total{family="string"} 6',
      'dbsyncd_resp_commands_total{family="list"} 2',
      'dbsyncd_resp_failed_commands_total{family="list"} 1',
    ])
      assert.ok(text.includes(`\n${line}\n`), `${line} is not in\n${text}`);
    assert.match(text, /\ndbsyncd_resp_command_seconds_total\{family="string"\} 0\.0*[1-9]/);
  }
  rmSync(folder, { recursive: true });
});
