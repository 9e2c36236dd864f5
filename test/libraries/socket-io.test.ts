/**
 * Tests that two servers of socket.io at two daemons find each other's sockets and answers, with each of its adapters.
 */
import assert from "node:assert/strict";
import { existsSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { ActiveCluster } from "../support/active-cluster.js";
import { skipUnlessFull } from "../support/amount.js";
import { repositoryRoot } from "../support/repository.js";
import { run } from "../support/run-program.js";

const npm = join(repositoryRoot, "test", "libraries", "npm");
const isInstalled = existsSync(join(npm, "node_modules", "@socket.io", "redis-streams-adapter"));
const skip = skipUnlessFull || (isInstalled ? false : "test/libraries/npm is not installed");

const ADAPTERS = ["redis", "sharded redis", "sharded redis, static", "streams", "streams, sharded"];
/** What each of the two servers finds: both servers' sockets, and the answer of the other server. */
const ALL = { servers: 2, fetchSockets: 2, serverSideEmitWithAck: 1, emitWithAck: 2 };

let cluster: ActiveCluster | null = null;
before(async () => {
  if (skip === false) cluster = await ActiveCluster.start(2);
});
after(async () => await cluster?.[Symbol.asyncDispose]());

for (const adapter of ADAPTERS)
  test(`two servers of socket.io find each other with the adapter ${adapter}`, { skip }, async (t) => {
    const { indices = [] } = cluster ?? {};
    const ports = indices.map((index) => String(cluster?.respPort(index)));
    const ended = await run(
      process.execPath,
      [join(npm, "socket.io-two-servers.mjs"), adapter, ...ports],
      {},
    );
    assert.equal(ended.code, 0, ended.stdout + ended.stderr);
    t.diagnostic(ended.stdout.trim());
    assert.deepEqual(JSON.parse(ended.stdout), [ALL, ALL]);
  });
