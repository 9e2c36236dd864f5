/**
 * Tests INFO, CONFIG GET, CLIENT LIST and SLOWLOG in signed envelopes. Only administrators may use them, and they are
 * never recorded.
 */
import assert from "node:assert/strict";
import { generateKeyPairSync } from "node:crypto";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { Client } from "../../../client/client.js";
import { createClient } from "../../../client/dbsync-send.js";
import { RawClient } from "../../support/raw-client.js";
import { until } from "../../support/until.js";
import { type Cluster, startCluster } from "../../tools/cli/cluster.js";

let cluster: Cluster;
let root: Client;
let app: Client;

before(async () => {
  cluster = await startCluster(1, ["--slowlog-log-slower-than", "0", "--slowlog-max-len", "4"]);
  const clientOf = (name: string) =>
    createClient({
      servers: cluster.daemons.servers,
      key: readFileSync(join(cluster.folder, `${name}.pem`), "utf8"),
    });
  [root, app] = [clientOf("root"), clientOf("app")];
  await app.call(["SET", "k", "v"]);
});
after(async () => {
  await Promise.all([root.close(), app.close()]);
  await cluster[Symbol.asyncDispose]();
});

/** Returns the fields of sections by name. */
async function infoOf(...sections: string[]): Promise<ReadonlyMap<string, string>> {
  const text = String(await root.call(["INFO", ...sections]));
  return new Map(text.split("\r\n").map((line) => line.split(/:(.*)/s) as unknown as [string, string]));
}

test("INFO returns the figures that dbsync top shows, by sections", async () => {
  const own = await infoOf("dbsync");
  assert.match(own.get("dbsync_version") ?? "", /^\d+\.\d+\.\d+/);
  assert.equal(own.get("dbsync_state"), "live");
  assert.equal(own.get("dbsync_keys"), "1");
  assert.equal(own.get("backend0"), "up=1,name=memory");
  for (const name of ["uptime_in_seconds", "used_memory", "used_memory_rss", "dbsync_refusals"])
    assert.match(own.get(name) ?? "", /^\d+$/, name);
  assert.ok(Number(own.get("total_commands_processed")) >= 1);
  assert.ok(Number(own.get("connected_clients")) >= 1);
  assert.equal(own.has("used_cpu_sys"), false);
  const all = await infoOf();
  for (const name of ["dbsync_version", "used_cpu_sys", "db0", "maxclients", "role", "aof_enabled"])
    assert.ok(all.has(name), name);
});

test("answered commands are counted with their times, including errors", async () => {
  const before = await infoOf("dbsync");
  await assert.rejects(app.call(["INCR", "k"]));
  const counted = (fields: ReadonlyMap<string, string>, name: string) => Number(fields.get(name));
  const answers = (fields: ReadonlyMap<string, string>) => counted(fields, "dbsync_answered");
  const after = await infoOf("dbsync");
  assert.equal(counted(after, "total_error_replies") - counted(before, "total_error_replies"), 1);
  // The counted requests are the first query and the failed command.
  assert.equal(counted(after, "total_commands_processed") - counted(before, "total_commands_processed"), 2);
  assert.equal(answers(after) - answers(before), 2);
  const buckets = (after.get("dbsync_answered_usec_buckets") ?? "").matchAll(/=(\d+)/g);
  assert.equal(
    [...buckets].reduce((sum, [, count]) => sum + Number(count), 0),
    answers(after),
  );
});

test("CONFIG GET returns options by their long names, and options that are not set as empty", async () => {
  const values = await root.call(["CONFIG", "GET", "max-conn*", "data", "no-such-option"]);
  assert.deepEqual(values, ["data", "", "max-connections", "10000"]);
});

test("CLIENT LIST returns the clients of all listeners with their last commands, without arguments", async () => {
  await app.call(["SET", "secret", "value"]);
  const lines = String(await root.call(["CLIENT", "LIST"])).trimEnd();
  assert.match(
    lines,
    /^addr=127\.0\.0\.1:\d+ listener=dbsync age=\d+ idle=\d+ tot-mem=\d+ name=\S* cmd=\S+$/m,
  );
  assert.match(lines, / name=app-public cmd=set$/m);
  assert.match(lines, / name=root-public cmd=\S+$/m);
  assert.doesNotMatch(lines, /secret|value/);
});

test("SLOWLOG contains commands of all listeners", async () => {
  await root.call(["SLOWLOG", "RESET"]);
  await app.multi([
    ["SET", "k", "w"],
    ["GET", "k"],
  ]);
  const entries = (await root.call(["SLOWLOG", "GET"])) as unknown[][];
  const shown = entries.map(([, , , argv]) => (argv as string[]).join(" "));
  assert.ok(shown.includes("SET k w (and 1 more command)"), shown.join("\n"));
  assert.ok(entries.every(([, , , , remote]) => /^127\.0\.0\.1:\d+$/.test(String(remote))));
  assert.deepEqual(new Set(entries.map(([, , , , , name]) => name)), new Set(["app-public", "root-public"]));
  assert.ok(Number(await root.call(["SLOWLOG", "LEN"])) <= 4);
});

test("an application's key is refused, although Redis does not restrict INFO to administrators", async () => {
  for (const command of [["INFO"], ["CONFIG", "GET", "*"], ["CLIENT", "LIST"], ["SLOWLOG", "GET"]])
    await assert.rejects(app.call(command), /NOPERM/, command.join(" "));
});

test("refused commands are not in the slow log, so unauthenticated clients cannot fill it", async () => {
  const { port } = cluster.daemons.daemons[0] as { port: number };
  await root.call(["SLOWLOG", "RESET"]);
  const foreign = createClient({
    servers: `127.0.0.1:${port}`,
    key: readFileSync(join(cluster.folder, "stranger.pem"), "utf8"),
  });
  await assert.rejects(foreign.call(["GET", "secret"]), /unknown-key/);
  await foreign.close();
  const entries = JSON.stringify(await root.call(["SLOWLOG", "GET"]));
  assert.doesNotMatch(entries, /secret/);
});

test("INFO and similar commands are refused in a unit of several commands, and with writes", async () => {
  const outcomes = await Promise.allSettled([root.multi([["INFO"], ["GET", "k"]])]);
  const text = outcomes.map((one) => String(one.status === "fulfilled" ? one.value : one.reason)).join();
  assert.match(text, /INFO is for connections of the RESP listener/);
});

test("a closed connection is no longer listed", async () => {
  const { port } = cluster.daemons.daemons[0] as { port: number };
  const client = await RawClient.open(port);
  const { localPort } = client.socket;
  const isListed = async () =>
    String(await root.call(["CLIENT", "LIST"])).includes(`addr=127.0.0.1:${localPort} `);
  await until("the connection is listed", isListed);
  client.socket.destroy();
  await until("the connection is no longer listed", async () => !(await isListed()));
});

test("SLOWLOG returns the label of a key unchanged, in any language", async () => {
  const { privateKey: key, publicKey } = generateKeyPairSync("ed25519");
  const pem = publicKey.export({ type: "spki", format: "pem" }).toString();
  await root.call(["KEY", "ADD", pem, "LABEL", "büro-東京", "RULES", "+@all", "~*"]);
  await root.call(["SLOWLOG", "RESET"]);
  const { servers } = cluster.daemons;
  const client = createClient({ servers, key });
  await client.call(["GET", "k"]);
  await client.close();
  const entries = (await root.call(["SLOWLOG", "GET"])) as unknown[][];
  assert.ok(
    entries.some(([, , , , , name]) => name === "büro-東京"),
    JSON.stringify(entries),
  );
});
