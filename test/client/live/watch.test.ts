/** Tests iterators of `watch`: the reported keys, late writes, expiry, FLUSHALL, and permissions. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { type Client, createClient, type DbsyncError, type WatchEvent } from "../../../client/public-api.js";
import { type Replicas, type RunningReplica, startReplicas } from "../../daemon/program/replicas.js";
import { EnvelopeClient, makeKeyPair } from "../../support/envelope-client.js";

const app = makeKeyPair();
const root = makeKeyPair();
const limited = makeKeyPair();

let replicas: Replicas;
before(async () => {
  replicas = await startReplicas(2, ["-s", app.file, "--root-key", root.file]);
});
after(async () => await replicas?.[Symbol.asyncDispose]());

const here = () => replicas[0] as RunningReplica;
const there = () => replicas[1] as RunningReplica;
const serverOf = ({ port }: RunningReplica) => `127.0.0.1:${port}`;
const clientOf = (server: RunningReplica, key = app, options = {}): Client =>
  createClient({ servers: serverOf(server), key: key.privateKey, timeout: 10_000, ...options });

async function next(iterator: AsyncIterator<WatchEvent>): Promise<WatchEvent> {
  const { value, done } = await iterator.next();
  assert.ok(!done, "the iterator has ended");
  return value;
}

const changed = (key: string, db = 0) => ({ type: "changed", db, key });
const deleted = (key: string, db = 0) => ({ type: "deleted", db, key });

test("a client is notified of changes of its key, on any daemon, but not of changes of other keys", async () => {
  await using client = clientOf(here());
  await using far = clientOf(there());
  const key = client.watch("k");
  const users = client.watch({ prefix: "user:" }, { db: 1 });
  assert.deepEqual(await next(key), { type: "open", server: serverOf(here()) });
  assert.equal((await next(users)).type, "open");

  await far.send("SET other 1");
  await far.send("SET k 1");
  assert.deepEqual(await next(key), changed("k"));
  await far.send("SET user:1 ada", { db: 0 });
  await far.send("SET user:1 ada", { db: 1 });
  assert.deepEqual(await next(users), changed("user:1", 1));

  await far.send("DEL k");
  assert.deepEqual(await next(key), deleted("k"));
  await client.send("SET k 1 PX 300");
  assert.deepEqual(await next(key), changed("k"));
  assert.deepEqual(await next(key), { type: "expired", db: 0, key: "k" });
});

test("a late write that changes a reported value is reported", async () => {
  await using client = clientOf(here());
  using envelopes = await EnvelopeClient.open(here().port, app);
  await client.send("SET late b");
  const key = client.watch("late");
  assert.equal((await next(key)).type, "open");
  assert.deepEqual(await envelopes.replies([["SET", "later", "x"]]), [{ kind: "status", text: "OK" }]);
  const [reply] = await envelopes.replies([["APPEND", "late", "c"]]);
  assert.deepEqual(reply, { kind: "integer", value: 2 });
  assert.deepEqual(await next(key), changed("late"));
  // The date is between those of the SET and the APPEND, so the APPEND is undone and applied again.
  const before = Date.now() - 20_000;
  await envelopes.replies([["SET", "late", "early"]], { at: before });
  assert.deepEqual(await next(key), changed("late"));
});

test("keys are watched in the client's database, or in the one that the option names", async () => {
  await using client = clientOf(here(), app, { db: 2 });
  const own = client.watch("mine");
  const first = client.watch("mine", { db: 0 });
  for (const key of [own, first]) assert.equal((await next(key)).type, "open");
  await client.send("SET mine 1");
  assert.deepEqual(await next(own), changed("mine", 2));
  await client.send("SET mine 1", { db: 0 });
  assert.deepEqual(await next(first), changed("mine", 0));
});

test("emptying a database causes a gap", async () => {
  await using client = clientOf(here());
  const key = client.watch("any", { db: 3 });
  assert.equal((await next(key)).type, "open");
  await client.send("SET any 1", { db: 3 });
  assert.deepEqual(await next(key), changed("any", 3));
  await client.send("FLUSHDB", { db: 3 });
  const gap = await next(key);
  assert.ok(gap.type === "gap" && gap.reason === "keys", JSON.stringify(gap));
});

test("a client that may not read a key receives no events about it", async () => {
  await using administrator = clientOf(here(), root);
  const spki = limited.pem.replace(/-----[^-]+-----|\n/g, "");
  await administrator.call(["KEY", "ADD", spki, "RULES", "+@all %R~app:* %W~log"]);
  await using client = clientOf(here(), limited);
  const own = client.watch({ prefix: "app:1" });
  assert.equal((await next(own)).type, "open");
  for (const hidden of ["log", { prefix: "ap" }, { prefix: "" }])
    await assert.rejects(client.watch(hidden).next(), (error: DbsyncError) => /NOPERM/.test(error.message));
});

test("thousands of names are requested together, and each iterator receives only its own events", async () => {
  await using client = clientOf(here());
  const names = Array.from({ length: 2500 }, (_, number) => `many:${number}`);
  const iterators = names.map((name) => client.watch(name));
  for (const one of iterators) assert.equal((await next(one)).type, "open");
  await client.call(["MSET", ...names.flatMap((name) => [name, "1"])]);
  for (const [place, one] of iterators.entries())
    assert.deepEqual(await next(one), changed(names[place] as string));
});
