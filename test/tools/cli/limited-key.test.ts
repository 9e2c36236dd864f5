/** Tests subcommands with a key that has few permissions, and with daemons of different clusters. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { startDaemon } from "../../../daemon/program/testing.js";
import { type Cluster, startCluster } from "./cluster.js";

let cluster: Cluster;

before(async () => {
  cluster = await startCluster(2);
  const rules = ["--rules", "+get ~app:*"];
  const added = await cluster.run(["keys", "add", "web-public.pem", ...rules, "-k", "root.pem"]);
  assert.equal(added.code, 0);
});
after(() => cluster[Symbol.asyncDispose]());

test("ping with a key that may not PING counts the daemon as reachable", async () => {
  const { code, stdout } = await cluster.run(["ping", "-k", "web.pem"]);
  assert.equal(code, 0);
  const line = String.raw`127\.0\.0\.1:\d+: ok, \d+\.\d ms; the daemon accepts the key, but its rules do not permit PING\n`;
  assert.match(stdout, new RegExp(`^${line}${line}$`));
});

test("doctor with a key that may not PING reports that the signature is accepted", async () => {
  const { code, stdout } = await cluster.run(["doctor", "-k", "web.pem"]);
  assert.equal(code, 0);
  assert.match(
    stdout,
    /OK +127\S+: knows the key and accepts the signature \(version 2\), .*do not permit PING/,
  );
  assert.match(stdout, /\nAll checks passed\.\n$/);
});

test("doctor checks each of two servers that belong to different clusters", async () => {
  await using one = await startDaemon();
  await using two = await startDaemon();
  const servers = `${one.servers},${two.servers}`;

  const { code, stdout } = await cluster.run(["doctor", "-k", "app.pem", "-s", servers]);
  assert.equal(code, 1);
  for (const server of [one.servers, two.servers])
    assert.match(
      stdout,
      new RegExp(
        `FAIL +${server}: it belongs to the cluster [\\da-f]{12}, but most daemons belong to another one`,
      ),
    );
  assert.match(stdout, /\nFirst fix: .*--cluster-name\n$/);

  const json = await cluster.run(["doctor", "--json", "-k", "app.pem", "-s", servers]);
  const { findings } = JSON.parse(json.stdout) as { findings: { grade: string; subject: string }[] };
  for (const server of [one.servers, two.servers])
    assert.ok(findings.some(({ grade, subject }) => grade === "FAIL" && subject === server));
});

test("send WRITERS prints hexadecimal digits, and an empty line for an absent key", async () => {
  await cluster.run(["send", "-k", "app.pem", "SET", "w", "1"]);
  const { stdout } = await cluster.run(["send", "-k", "app.pem", "WRITERS", "w", "absent"]);
  assert.match(stdout, /^[\da-f]{72}\n\n$/);
  const json = await cluster.run(["send", "--json", "-k", "app.pem", "WRITERS", "w"]);
  assert.match((JSON.parse(json.stdout) as { value: string }).value, /^[\da-f]{72}$/);
});
