/** Tests the state that a daemon reports while it connects to the stream for the first time, and again. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { entryCheck } from "../../../daemon/cluster/replica/check-entry.js";
import { orderFolder } from "../../../daemon/engine/trust/data-folder.js";
import { makeIdentity } from "../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../daemon/engine/trust/load-signers.js";
import { type Environment, realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import { Metrics } from "../../../daemon/program/inspection/metrics.js";
import { BUILD } from "../../../daemon/program/installed-faces.js";
import { writeFolderFormat } from "../../../daemon/timeline/disk/timeline-folder.js";
import { writeValue } from "../../../daemon/timeline/entries/stored-value.js";
import { SnapshotFiles } from "../../../daemon/timeline/snapshots/snapshot-stores.js";
import { makeFolder, settingsFrom } from "../../../test/daemon/program/replicas.js";
import { log } from "../../../test/daemon/program/scene.js";
import { makeKeyPair, signCommands } from "../../../test/support/envelope-client.js";
import { EARLIER_SEMANTICS } from "../../../test/support/next-semantics.js";
import { writeOrderSnapshot } from "../order-snapshot.js";
import { OrderedReplica } from "../ordered-replica.js";
import { emptyStreamState, OrderedState } from "../ordered-state.js";

const [pair, root] = [makeKeyPair(), makeKeyPair()];
const KEYS = ["-s", pair.file, "--root-key", root.file];

const signersOf = () =>
  loadSigners({ signKey: [pair.file], rootKey: [root.file], clusterName: "dbsync" }, log, EARLIER_SEMANTICS);

function makeReplica(
  data: readonly string[] = [],
  environment: Environment = realEnvironment,
): OrderedReplica {
  const settings = settingsFrom([...KEYS, "--order", "nats://127.0.0.1:1/writes", ...data]);
  const signers = signersOf();
  const { order } = settings;
  assert.ok(order !== null);
  const context = {
    settings,
    identity: makeIdentity(),
    signers,
    environment,
    log,
    startThread: BUILD.startThread,
    arrived() {},
    page: () => null,
    clientTotals: () => new Metrics().totals,
    named: null,
  };
  return new OrderedReplica(context, order, null);
}

const factsUpTo = (last: number) => ({
  first: 1,
  last,
  created: "today",
  replicas: 1,
  others: 0,
  maxBytes: 1000,
});

test("after each connection a daemon is catching up until it has applied everything that was then in the stream", () => {
  const replica = makeReplica();
  const take = () => replica.message({ seq: replica.next, at: 1, data: Buffer.alloc(0) });
  assert.equal(replica.hasCaughtUp, false);
  assert.equal(replica.connected(factsUpTo(1)), null);
  assert.equal(replica.hasCaughtUp, false);
  take();
  assert.equal(replica.hasCaughtUp, true);
  // The daemon is cut off, and reconnected.
  assert.equal(replica.connected(factsUpTo(3)), null);
  assert.equal(replica.hasCaughtUp, false);
  take();
  take();
  assert.equal(replica.hasCaughtUp, true);
});

for (const clock of ["uptime", "clock"] as const)
  test(`a standstill by the ${clock} makes a daemon catch up until it knows the end of the stream`, () => {
    const times = { uptime: 0, clock: Date.UTC(2026, 0) };
    const environment = { ...realEnvironment, uptime: () => times.uptime, clock: () => times.clock };
    const replica = makeReplica([], environment);
    assert.equal(replica.connected(factsUpTo(0)), null);
    assert.equal(replica.hasCaughtUp, true);
    times[clock] += 2_900;
    assert.equal(replica.hasCaughtUp, true);
    times[clock] += 3_100;
    assert.equal(replica.hasCaughtUp, false);
    assert.equal(replica.hasCaughtUp, false);
    assert.equal(replica.connected(factsUpTo(1)), null);
    assert.equal(replica.hasCaughtUp, false);
    replica.message({ seq: replica.next, at: 1, data: Buffer.alloc(0) });
    assert.equal(replica.hasCaughtUp, true);
  });

test("a stream with a different last message is not read any further, however often the daemon connects", () => {
  const replica = makeReplica();
  assert.equal(replica.connected(factsUpTo(1)), null);
  const first = { seq: 1, at: 1, data: Buffer.from("one") };
  replica.message(first);
  assert.equal(replica.checkRepeated({ ...first, data: Buffer.from("one") }), null);
  assert.match(
    replica.checkRepeated({ ...first, data: Buffer.from("two") }) ?? "",
    /message 1 .* lost messages/,
  );
  assert.match(replica.connected(factsUpTo(2)) ?? "", /lost messages/);
  assert.match(replica.failure ?? "", /Restart the daemon$/);
});

test("an unknown semantics version stops the daemon, in the stream and in a snapshot of a newer release", () => {
  const { cluster, makeRing } = signersOf();
  const at = Date.UTC(2026, 0);
  const { body, signature } = signCommands(root, [["CLUSTER", "SEMANTICS", "2"]], { cluster, at });
  const message = { seq: 1, at, data: writeValue(body, signature) };
  const sentence = /^semantics version 2 applies from /;

  const replica = makeReplica();
  assert.equal(replica.connected(factsUpTo(1)), null);
  replica.message(message);
  assert.match(replica.failure ?? "", sentence);
  assert.equal(replica.recording.state, "outdated");
  assert.match(replica.connected(factsUpTo(1)) ?? "", sentence);

  using folder = makeFolder();
  const state = new OrderedState(emptyStreamState(makeRing(), 16), entryCheck(signersOf(), null));
  state.apply(message);
  const chunks = writeOrderSnapshot(state.current, { created: "today", cluster });
  new SnapshotFiles(orderFolder(folder.path)).write(1, chunks);
  writeFolderFormat(orderFolder(folder.path));

  const again = makeReplica(["--data", folder.path]);
  assert.match(again.connected(factsUpTo(1)) ?? "", sentence);
  assert.equal(again.hasCaughtUp, false);
  assert.equal(again.recording.state, "outdated");
});
