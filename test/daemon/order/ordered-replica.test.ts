/** What a daemon says of itself as it comes to the stream, and comes to it again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OrderedReplica } from "../../../daemon/order/ordered-replica.js";
import { makeIdentity } from "../../../daemon/trust/identity.js";
import { loadSigners } from "../../../daemon/trust/load-signers.js";
import { realEnvironment } from "../../../serving/process/environment.js";
import { makeKeyPair } from "../../support/envelope-client.js";
import { settingsFrom } from "../replicas.js";
import { log } from "../scene.js";

function makeReplica(): OrderedReplica {
  const pair = makeKeyPair();
  const settings = settingsFrom(["-s", pair.file, "--order", "nats://127.0.0.1:1/writes"]);
  const signers = loadSigners({ signKey: [pair.file], rootKey: [], clusterName: "dbsync" }, log);
  const { order } = settings;
  assert.ok(order !== null);
  return new OrderedReplica({
    ...{ settings, order, identity: makeIdentity(), signers, environment: realEnvironment, log },
    arrived() {},
  });
}

const factsUpTo = (last: number) => ({
  ...{ first: 1, last, created: "today", replicas: 1, others: 0, maxBytes: 1000 },
});

test("a daemon is behind until it has all that stood in the stream when it came to it, each time that it comes", () => {
  const replica = makeReplica();
  const take = () => replica.message({ seq: replica.next, at: 1, data: Buffer.alloc(0) });
  assert.equal(replica.hasCaughtUp, false);
  assert.equal(replica.connected(factsUpTo(1)), null);
  assert.equal(replica.hasCaughtUp, false);
  take();
  assert.equal(replica.hasCaughtUp, true);
  // Cut off, and there again.
  assert.equal(replica.connected(factsUpTo(3)), null);
  assert.equal(replica.hasCaughtUp, false);
  take();
  take();
  assert.equal(replica.hasCaughtUp, true);
});

test("a stream that has another message in the place of the last one is not read on, however often it is connected with", () => {
  const replica = makeReplica();
  assert.equal(replica.connected(factsUpTo(1)), null);
  const first = { seq: 1, at: 1, data: Buffer.from("one") };
  replica.message(first);
  assert.equal(replica.again({ ...first, data: Buffer.from("one") }), null);
  assert.match(replica.again({ ...first, data: Buffer.from("two") }) ?? "", /message 1 .* lost some/);
  assert.match(replica.connected(factsUpTo(2)) ?? "", /lost some/);
  assert.match(replica.failure ?? "", /Start the daemon anew$/);
});
