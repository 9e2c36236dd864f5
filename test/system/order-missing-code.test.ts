/**
 * Tests a daemon with --order whose code of a command is missing, beside a complete one: it applies nothing from that
 * command on, and each of its reports says so.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import type { Reply } from "../../protocol/reply.js";
import { runDbsync } from "../client/child.js";
import { makeFolder } from "../daemon/program/replicas.js";
import { type DaemonProcess, startDaemon } from "../support/daemon-process.js";
import { EnvelopeClient, makeKeyPair } from "../support/envelope-client.js";
import { NatsServer } from "../support/nats-server.js";
import { RedisConnection } from "../support/redis-connection.js";
import { buildRoot } from "../support/repository.js";
import { skipWithout } from "../support/requirements.js";
import { until } from "../support/until.js";

const UNBUNDLED = { program: join(buildRoot, "daemon/program/main.js") };
const PRELOAD = pathToFileURL(join(buildRoot, "test/support/without-family.js")).href;
const NAMED = /this build does not contain the code of .* \(redis\/geo\)/;
const [app, root] = [makeKeyPair(), makeKeyPair()];

const bytesOf = (reply: Reply | undefined): string => (reply?.kind === "bulk" ? reply.bytes : "");

/**
 * Checks that a daemon is outdated by each of its reports, and that they name the face.
 * @param key  the administrator's
 */
async function checkOutdated(daemon: DaemonProcess, key: string): Promise<void> {
  using client = await EnvelopeClient.open(daemon.port, app);
  await until("it is outdated", async () => (await client.hello()).state === "outdated");
  const answer = await client.ask([["SET", "later", "1"]]);
  assert.equal(answer.kind === "refused" && answer.code, "semantics-unknown");
  await daemon.logged(({ state, reason }) => state === "outdated" && NAMED.test(String(reason)));

  using redis = await RedisConnection.open(await daemon.portOf("Redis clients"));
  const info = bytesOf(await redis.call("INFO"));
  for (const line of [
    /^dbsync_state:outdated\r$/m,
    /^dbsync_writes:semantics-unknown\r$/m,
    /^role:slave\r$/m,
  ])
    assert.match(info, line);
  assert.match(/^dbsync_reason:.*$/m.exec(info)?.[0] ?? info, NAMED);
  assert.match(JSON.stringify(await redis.call("HELLO", "2")), /"role".*"replica"/);
  assert.equal((await redis.call("SET", "later", "1")).kind, "error");

  const admin = `http://127.0.0.1:${await daemon.portOf("/healthz and /metrics")}`;
  const health = await fetch(`${admin}/healthz`);
  assert.deepEqual([health.status, ((await health.json()) as { state: string }).state], [503, "outdated"]);
  assert.match(await (await fetch(`${admin}/metrics`)).text(), /^dbsyncd_state\{state="outdated"\} 1$/m);
  const { code, stdout } = await runDbsync(["status", "-s", `127.0.0.1:${daemon.port}`, "-k", key]);
  assert.equal(code, 1);
  assert.match(stdout, NAMED);
}

test("a daemon with --order without the code of a command is outdated, and catches up once it has it", {
  skip: skipWithout("nats-server"),
  timeout: 120_000,
}, async () => {
  await using nats = await NatsServer.start();
  using folder = makeFolder();

  const key = join(folder.path, "root.pem");
  writeFileSync(key, root.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const order = ["--order", `nats://127.0.0.1:${nats.port}/writes`];
  const args = ["-s", app.file, "--root-key", root.file, ...order, "--resp", "0", "--admin", "0"];
  const lackingArgs = [...args, "--data", join(folder.path, "data")];

  await using complete = await startDaemon(args);
  using client = await EnvelopeClient.open(complete.port, app);
  await client.replies([["SET", "before", "1"]]);

  {
    await using lacking = await startDaemon(lackingArgs, {
      ...UNBUNDLED,
      execArgv: ["--import", PRELOAD],
      env: { DBSYNC_WITHOUT_FAMILY: "redis/geo" },
    });
    await client.replies([["GEOADD", "places", "13.361389", "38.115556", "Palermo"]]);
    await client.replies([["SET", "after", "1"]]);
    await checkOutdated(lacking, key);
    assert.equal((await client.hello()).state, "live");
    await lacking.stop();
  }

  await using whole = await startDaemon(lackingArgs);
  using reader = await EnvelopeClient.open(whole.port, app);
  await until("it is live", async () => (await reader.hello()).state === "live");

  const read = [
    ["GEOPOS", "places", "Palermo"],
    ["GET", "after"],
    ["GET", "later"],
  ] as const;
  for (const argv of read) assert.deepEqual(await reader.replies([argv]), await client.replies([argv]));
});
