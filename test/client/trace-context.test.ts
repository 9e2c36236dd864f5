/** Tests W3C trace contexts. The slow log shows them. Daemons that do not support trace contexts receive none. */
import assert from "node:assert/strict";
import { tracingChannel } from "node:diagnostics_channel";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import type { CallMessage } from "../../client/calls/diagnostics-channels.js";
import { type Client, createClient } from "../../client/public-api.js";
import { type Cluster, startCluster } from "../tools/cli/cluster.js";
import { ServedDaemon } from "./served-daemon.js";
import { errorOf, hearOutcomes } from "./test-client.js";

const contextOf = (digit: string) => `00-${digit.repeat(32)}-${digit.repeat(16)}-01`;

let cluster: Cluster;
let root: Client;

before(async () => {
  cluster = await startCluster(1, ["--slowlog-log-slower-than", "0"]);
  root = createClient({ servers: cluster.daemons.servers, key: keyOf("root") });
});
after(async () => {
  await root.close();
  await cluster[Symbol.asyncDispose]();
});

const keyOf = (name: string) => readFileSync(join(cluster.folder, `${name}.pem`), "utf8");

const open = (servers = cluster.daemons.servers) => createClient({ servers, key: keyOf("app") });

/** Returns the slow log's entries about a key without times and addresses, the newest first. */
async function slowOf(key: string): Promise<string[]> {
  const entries = (await root.call(["SLOWLOG", "GET", "-1"])) as unknown as [
    number,
    number,
    number,
    string[],
  ][];
  return entries.map(([, , , argv]) => argv.join(" ")).filter((line) => line.includes(key));
}

/** Starts a daemon of the cluster that does not support trace contexts. `received` returns the received bytes. */
async function startOld(): Promise<{ old: ServedDaemon; received: () => string }> {
  const id = cluster.daemons.daemons[0]?.cluster ?? "";
  const old = await ServedDaemon.start({ cluster: Buffer.from(id, "hex").toString("latin1") });
  const chunks: Buffer[] = [];
  const connection = old.daemon.connection.bind(old.daemon);
  old.daemon.connection = () => {
    const take = connection();
    return (chunk) => {
      chunks.push(chunk);
      return take(chunk);
    };
  };
  return { old, received: () => Buffer.concat(chunks).toString("latin1") };
}

test("the slow log shows the trace context of a call, and none for other calls", async () => {
  await using client = open();
  await client.call(["SET", "one", "1"], { traceparent: contextOf("a") });
  await client
    .multi([["SET", "one", "2"], "GET one"], { traceparent: contextOf("b"), replicated: 1 })
    .catch(() => {});
  await client.call(["GET", "one"]);
  assert.deepEqual(await slowOf("one"), [
    "GET one",
    `SET one 2 (and 1 more command) (traceparent ${contextOf("b")})`,
    `SET one 1 (traceparent ${contextOf("a")})`,
  ]);
});

test("a call's trace context is sent on the connection of earlier calls without one", async () => {
  await using client = open();
  await client.call(["SET", "two", "1"]);
  await client.call(["GET", "two"], { traceparent: contextOf("c") });
  assert.ok((await slowOf("two")).some((line) => line.includes(contextOf("c"))));
});

test("a subscriber's trace context is used if it is valid, and an invalid option is an error", async () => {
  const calls = tracingChannel<unknown, CallMessage>("dbsync:call");
  let traceparent = contextOf("d");
  const subscribers = {
    start: (call: CallMessage) => void (call.traceparent = traceparent),
    end() {},
    asyncStart() {},
    asyncEnd() {},
    error() {},
  };

  calls.subscribe(subscribers);
  await using client = open();
  try {
    await client.send("SET three 1");
    traceparent = contextOf("0");
    await client.send("SET three 2");
    await client.send("SET three 3", { traceparent: contextOf("e") });
  } finally {
    calls.unsubscribe(subscribers);
  }

  assert.deepEqual(await slowOf("three"), [
    `SET three 3 (traceparent ${contextOf("e")})`,
    "SET three 2",
    `SET three 1 (traceparent ${contextOf("d")})`,
  ]);

  const refused = await errorOf(client.call("GET three", { traceparent: "00-1-1-00" }));
  assert.equal(refused.code, "bad-option");
  assert.match(refused.message, /traceparent/);
});

test("a daemon that does not support trace contexts receives the same envelope without one", async () => {
  const { old, received } = await startOld();
  await using _ = old;
  const servers = `${cluster.daemons.servers},${old.address}`;
  await using client = createClient({ servers, key: keyOf("app"), policy: "all" });
  using outcomes = hearOutcomes();
  await client.call(["SET", "four", "1"], { traceparent: contextOf("f") });
  await client.call(["SET", "four", "2"], { traceparent: contextOf("f") });
  const ids = outcomes.told.map(({ status, id }) => `${status} ${id}`);
  assert.equal(ids.length, 4);
  assert.equal(new Set(ids).size, 2);
  assert.equal(received().includes(contextOf("f")), false);
  assert.equal(received().match(/\*3\r\n\$7\r\ncommand/g)?.length, 2);
  assert.deepEqual(await slowOf("four"), [
    `SET four 2 (traceparent ${contextOf("f")})`,
    `SET four 1 (traceparent ${contextOf("f")})`,
  ]);
});
