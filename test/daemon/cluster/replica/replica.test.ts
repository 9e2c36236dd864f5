/** Tests what a daemon with a timeline passes to its pipeline. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { openNode } from "../../../../daemon/cluster/node/cluster-node.js";
import type { ReplicaContext } from "../../../../daemon/cluster/replica/replica-context.js";
import { newLastWrite } from "../../../../daemon/engine/backends/command-path.js";
import { Channels } from "../../../../daemon/engine/channels/channels.js";
import { Broadcasts } from "../../../../daemon/engine/pipeline/publish-messages.js";
import { hashOf, makeIdentity } from "../../../../daemon/engine/trust/identity.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import { realEnvironment } from "../../../../daemon/net/process/clock-and-randomness.js";
import { Metrics } from "../../../../daemon/program/inspection/metrics.js";
import { BUILD } from "../../../../daemon/program/installed-faces.js";
import { writeCommand } from "../../../../protocol/resp/resp-writer.js";
import { readBody, signedBytes } from "../../../../protocol/version-2/envelope.js";
import { writeBody } from "../../../../protocol/version-2/envelope-body.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { until } from "../../../support/until.js";
import { makeFolder, settingsFrom } from "../../program/replicas.js";
import { log } from "../../program/scene.js";

async function openOn(
  folder: string,
  args: readonly string[] = [],
  arrived: ReplicaContext["arrived"] = () => {},
) {
  const settings = settingsFrom(["-s", makeKeyPair().file, "--data", folder, ...args]);
  const identity = makeIdentity();
  const broadcasts = new Broadcasts({
    channels: new Channels(),
    environment: realEnvironment,
    window: settings.window,
    max: 100,
  });
  const signers = loadSigners(settings, log);

  return await openNode(
    {
      settings,
      identity,
      signers,
      log,
      startThread: BUILD.startThread,
      arrived,
      page: () => null,
      clientTotals: () => new Metrics().totals,
      named: null,
      environment: realEnvironment,
    },
    broadcasts,
  );
}

test("the replica reports a write of the gateway when it is on the disk", async () => {
  using folder = makeFolder();
  const arrived = new Set<string>();
  const replica = await openOn(folder.path, ["--v1", "gateway"], (entries) => {
    for (const { id } of entries) arrived.add(id);
  });
  await replica.start();
  try {
    const reply = await replica.recording.execute(["SET", "k", "v"], null, newLastWrite());
    assert.equal(reply?.kind, "status");
    await until("the entry of the daemon's key and that of the write are reported", () => arrived.size === 2);
  } finally {
    await replica.stop();
  }
});

test("the daemon accepts a member's change of the key ring without an error, whatever its date", async () => {
  using folder = makeFolder();
  const replica = await openOn(folder.path);
  await replica.start();
  try {
    const at = Number.MAX_SAFE_INTEGER;
    const header = { key: "k".repeat(32), cluster: "c".repeat(32), at, seq: 0, nonce: "n".repeat(16) };
    const body = Buffer.from(writeBody(header, [writeCommand(["KEY", "REVOKE", "00"])]), "latin1");
    const entry = { id: hashOf(signedBytes(body)), body, signature: body, envelope: readBody(body) };
    assert.equal(replica.timeline.receive([entry], "m".repeat(32)).length, 1);
    await until("the entry is on the disk", () => replica.timeline.index.total("ring").count === 1);
  } finally {
    await replica.stop();
  }
});

test("with --fsync never, a daemon has no members, because it would send them entries that it may lose in a crash", async () => {
  for (const [fsync, takes] of [
    ["never", false],
    ["interval=100", true],
  ] as const) {
    using folder = makeFolder();
    const replica = await openOn(folder.path, ["--fsync", fsync]);
    assert.equal(replica.takeMember !== null, takes);
    const peers = [{ host: "127.0.0.1", port: 9, pin: null, tls: false }];
    const apply = await replica.reread({ ...settingsFrom([]), peers, adopt: null, clusterSecret: null });
    apply();
    assert.equal(replica.peering.members.length, takes ? 1 : 0);
    await replica.stop();
  }
});

test("the figures of a new daemon contain no final date before 1971", async () => {
  using folder = makeFolder();
  const replica = await openOn(folder.path);
  await replica.start();
  try {
    const dates = new Set<number>();
    await until("a date is final", () => {
      const stable = replica.figures?.stable ?? 0;
      if (stable !== 0) dates.add(stable);
      return dates.size > 0;
    });
    const [first = 0] = dates;
    assert.ok(first > 1e12, String(first));
  } finally {
    await replica.stop();
  }
});
