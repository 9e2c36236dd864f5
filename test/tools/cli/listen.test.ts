/** Tests `dbsync subscribe` and `dbsync watch` on real daemons: one line per event. */
import assert from "node:assert/strict";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { createClient } from "../../../client/public-api.js";
import { until } from "../../support/until.js";
import { type Cluster, startCluster } from "./cluster.js";

let cluster: Cluster;
before(async () => {
  cluster = await startCluster(2);
});
after(() => cluster[Symbol.asyncDispose]());

/** Runs dbsync, and repeats a command until dbsync ends. */
async function listening(args: readonly string[], command: string) {
  const key = join(cluster.folder, "app.pem");
  const [name = "", ...rest] = args;
  const running = cluster.run([name, "-k", key, ...rest]);
  let isOver = false;
  void running.finally(() => {
    isOver = true;
  });
  await using client = createClient({ servers: cluster.daemons.servers, key });
  await until("dbsync has ended", async () => {
    await client.send(command);
    return isOver;
  });
  const { code, stdout, stderr } = await running;
  return { code, stdout, stderr };
}

test("subscribe prints messages, and ends after --count lines", async () => {
  const plain = await listening(["subscribe", "--count", "2", "news"], "PUBLISH news text");
  assert.deepEqual(plain, { code: 0, stdout: "news\ttext\nnews\ttext\n", stderr: "" });
  const json = await listening(
    ["subscribe", "--json", "--count", "1", "--pattern", "n*"],
    "PUBLISH news text",
  );
  const [open, message, ...more] = json.stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.equal(open.type, "open");
  assert.deepEqual(message, { type: "message", pattern: "n*", channel: "news", text: "text" });
  assert.deepEqual([json.code, json.stderr, more], [0, "", []]);
});

test("watch prints the keys that change", async () => {
  const plain = await listening(["watch", "--count", "1", "k"], "INCR k");
  assert.deepEqual(plain, { code: 0, stdout: "changed\tk\n", stderr: "" });
  const prefixed = await listening(["watch", "--prefix", "--count", "1", "use"], "INCR user:1");
  assert.equal(prefixed.stdout, "changed\tuser:1\n");
});

test("a missing key is reported", async () => {
  const { code, stderr } = await cluster.run(["subscribe", "news"]);
  assert.equal(code, 1);
  assert.match(stderr, /This daemon accepts only signed commands\. Specify the private key \(-k/);
});
