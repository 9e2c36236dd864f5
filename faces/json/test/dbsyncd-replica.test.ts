/**
 * Tests --json-replica with the address of a dbsyncd: the daemon recommends --peer, sends nothing to it, and does not
 * begin to serve.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { freePort } from "../../../test/support/free-port.js";
import { ask } from "../../../test/support/json-lines.js";
import { RawClient } from "../../../test/support/raw-client.js";
import { until } from "../../../test/support/until.js";
import { Original } from "./original.js";
import { startJson } from "./scene.js";

const PEER =
  /is a dbsyncd, but --json-replica is for original servers\..*--data FOLDER --peer 127\.0\.0\.1:1111 --cluster-secret FILE/;
const limits = { jsonReplicaTimeout: 300 };

for (const [kind, users] of [
  ["a dbsyncd", undefined],
  ["a dbsyncd with logins", ["user default off", "user ann on >secret ~* +@all"]],
] as const)
  test(`the daemon sends nothing to ${kind}, and reports that in log, errors and figures`, async () => {
    await using other = await startJson({ ...(users && { users }) });
    await using ours = await startJson({ replicas: [other.port], limits });
    const find = () => ours.log.find(({ msg }) => String(msg).startsWith("no writes are sent to"));
    await until("the dbsyncd is recognized", () => find() !== undefined);
    assert.equal(find()?.level, "error", JSON.stringify(ours.log));
    assert.match(String(find()?.["reason"]), PEER);
    assert.equal(ours.figures?.isReady, false);
    assert.deepEqual(
      ours.figures.servers.map(({ isDbsyncd, isConnected }) => [isDbsyncd, isConnected]),
      [[true, false]],
    );

    using client = await RawClient.open(ours.port);
    assert.match(await ask(client, { action: "create", document: "d" }), PEER);
    using login = await RawClient.open(other.port);
    if (users !== undefined) await ask(login, { action: "auth", user: "ann", password: "secret" });
    assert.equal(await ask(login, { action: "list" }), '{"status":"success","documents":[]}');
  });

test("a dbsyncd at an address that was unreachable at first is reported, too", async () => {
  const port = await freePort();
  await using ours = await startJson({ replicas: [port], limits });
  const isLogged = (beginning: string) => ours.log.some(({ msg }) => String(msg).startsWith(beginning));
  await until("the server is unreachable", () => isLogged("a JSON replica is unreachable"));
  await using _ = await startJson({ port });
  await until("the dbsyncd is recognized", () => isLogged("no writes are sent to"));
});

test("two daemons that name each other fetch nothing from each other", async () => {
  const port = await freePort();
  await using first = await startJson({ replicas: [port], limits });
  await using second = await startJson({ port, replicas: [first.port], limits });
  const isFound = (one: typeof first) => one.figures?.servers[0]?.isDbsyncd === true;
  await until("each daemon has recognized the other", () => isFound(first) && isFound(second));
  for (const one of [first, second]) {
    using client = await RawClient.open(one.port);
    assert.match(await ask(client, { action: "create", document: "d" }), /has not fetched yet.*--peer/);
  }
});

test("a daemon whose list contains its own address skips that address and becomes ready", async () => {
  const port = await freePort();
  await using original = await Original.start(await freePort(), []);
  await using ours = await startJson({ port, replicas: [port, original.port] });
  using client = await RawClient.open(port);
  const create = { action: "create", document: "d" };
  await until("the daemon is ready", () => ours.figures?.isReady === true);
  assert.equal(await ask(client, create), '{"status":"success","replicated":true}');
  assert.deepEqual([...original.documents.keys()], ["d"]);
  assert.equal(ours.figures?.servers.length, 1);
  assert.ok(ours.log.every(({ level }) => level !== "warn" && level !== "error"));
});

test("the daemon sends nothing to a dbsyncd that replaces an original, and still serves its own clients", async () => {
  const port = await freePort();
  const original = await Original.start(port, []);
  await using ours = await startJson({ replicas: [port], limits });
  using client = await RawClient.open(ours.port);
  assert.match(await ask(client, { action: "create", document: "d" }), /"replicated":true/);
  await original[Symbol.asyncDispose]();
  await using other = await startJson({ port });
  await until("the dbsyncd is recognized", () => ours.figures?.servers[0]?.isDbsyncd === true);
  const insert = { action: "insert", document: "d", data: [{ n: 1 }] };
  assert.match(await ask(client, insert), /"replicated":false/);
  assert.match(await ask(client, { action: "count", document: "d" }), /"count":1/);
  using reader = await RawClient.open(other.port);
  assert.equal(await ask(reader, { action: "list" }), '{"status":"success","documents":[]}');
});
