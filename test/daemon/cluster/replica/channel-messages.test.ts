/** Tests the check of messages that a daemon forwards: it depends on their bytes, not on the forwarding member. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { messageDelivery } from "../../../../daemon/cluster/replica/channel-messages.js";
import type { ReplicaContext } from "../../../../daemon/cluster/replica/replica-context.js";
import { Channels } from "../../../../daemon/engine/channels/channels.js";
import { Broadcasts } from "../../../../daemon/engine/pipeline/publish-messages.js";
import { loadSigners } from "../../../../daemon/engine/trust/load-signers.js";
import type { Environment } from "../../../../daemon/net/process/clock-and-randomness.js";
import type { EnvelopeHeader } from "../../../../protocol/version-2/envelope.js";
import { double } from "../../../support/double.js";
import { makeKeyPair, type SignedEnvelope, signCommands } from "../../../support/envelope-client.js";
import { log } from "../../program/scene.js";

const pair = makeKeyPair();
const limited = makeKeyPair();
const root = makeKeyPair();
const NOW = 1_790_000_000_000;
const window = { past: 30_000, future: 5_000 };

function sceneOf() {
  let now = NOW;
  const delivered: string[] = [];
  const signers = loadSigners({ signKey: [pair.file], rootKey: [root.file], clusterName: "dbsync" }, log);
  const channels = new Channels();
  channels.add("pattern", "*", { receive: ({ parts }) => delivered.push(parts.at(-1) ?? ""), review() {} });

  const environment = double<Environment>({ clock: () => now, setTimer: () => () => {} });
  const broadcasts = new Broadcasts({ channels, environment, window, max: 100 });
  const { deliver } = messageDelivery(
    double<ReplicaContext>({ signers, environment, settings: { window } }),
    broadcasts,
  );
  const { cluster } = signers;
  const administrator = signers.ring.find(root.id) ?? assert.fail();

  return {
    signers,
    delivered,
    after: (milliseconds: number) => {
      now += milliseconds;
    },
    administer: (...argv: string[]) => signers.ring.execute(argv, { at: 5, db: 0, id: "" }, administrator),
    sign: (
      commands: readonly (readonly string[])[],
      header: Partial<EnvelopeHeader> = {},
      by: Parameters<typeof signCommands>[0] = pair,
    ) => signCommands(by, commands, { cluster, at: NOW + 1, ...header }),
    judge: ({ body, signature }: SignedEnvelope) => deliver(body, signature),
  };
}

const publish = (text: string, channel = "news") => ["PUBLISH", channel, text];

test("messages of a key of the cluster are delivered once", () => {
  const { judge, sign, delivered } = sceneOf();
  const envelope = sign([publish("one"), publish("two")]);
  assert.equal(judge(envelope), "delivered");
  assert.equal(judge(envelope), "known");
  assert.deepEqual(delivered, ["one", "two"]);
});

test("an envelope with a wrong signature, cluster or command counts as a lie", () => {
  const { judge, sign, delivered, signers } = sceneOf();
  const valid = sign([publish("text")]);
  const flipped = Buffer.from(valid.body);
  flipped[flipped.length - 3] = 0x78;

  const lies: readonly (readonly [SignedEnvelope, RegExp])[] = [
    [{ ...valid, body: flipped }, /bad-signature/],
    [{ ...valid, signature: Buffer.alloc(64) }, /bad-signature/],
    [{ ...valid, body: valid.body.subarray(0, -1) }, /malformed|bad-signature/],
    [sign([publish("text")], { cluster: "x".repeat(32) }), /wrong-cluster/],
    [sign([publish("text")], { only: "x".repeat(32) }), /wrong-daemon/],
    [sign([publish("text")], { as: "somebody" }), /not-a-daemon/],
    [sign([publish("text"), ["SET", "k", "v"]]), /more than messages/],
    [sign([["GET", "k"]]), /more than messages/],
    [sign([publish("text")], { multi: true }), /more than messages/],
    [sign([publish("text")], { if: [{ db: 0, key: "k", writer: "" }] }), /if-not-carried/],
  ];

  for (const [envelope, reason] of lies) {
    const verdict = judge(envelope);
    assert.ok(
      typeof verdict === "object" && verdict.isLie && reason.test(verdict.refused),
      JSON.stringify(verdict),
    );
  }

  assert.deepEqual(delivered, []);
  assert.equal(signers.ring.changes, 2);
});

test("a message dated outside the window is not delivered, but does not count as a lie", () => {
  const { judge, sign, after, delivered } = sceneOf();
  after(60_000);
  for (const at of [NOW + 60_000 - window.past, NOW + 60_000 + window.future]) {
    const verdict = judge(sign([publish("text")], { at }));
    assert.ok(
      typeof verdict === "object" && !verdict.isLie && /skew/.test(verdict.refused),
      JSON.stringify(verdict),
    );
  }
  assert.equal(judge(sign([publish("heard")], { at: NOW + 60_000 - window.past + 1 })), "delivered");
  assert.deepEqual(delivered, ["heard"]);
});

test("a message that may have been delivered before the start is not delivered again, and not counted as published", () => {
  const { judge, sign, delivered } = sceneOf();
  const verdict = judge(sign([publish("text")], { at: NOW }));
  assert.ok(typeof verdict === "object" && !verdict.isLie, JSON.stringify(verdict));
  assert.deepEqual(delivered, []);
});

test("a key that was never added is unknown, and a revoked one publishes nothing", () => {
  const { judge, sign, administer, delivered } = sceneOf();
  assert.equal(judge(sign([publish("text")], {}, limited)), "unknown-signer");
  administer("KEY", "REVOKE", Buffer.from(pair.id, "latin1").toString("hex"));
  const verdict = judge(sign([publish("text")]));
  assert.ok(typeof verdict === "object" && !verdict.isLie && /revoked/.test(verdict.refused));
  assert.deepEqual(delivered, []);
});

test("a key publishes to the channels that its rules permit, and the envelope's other messages are not delivered", () => {
  const { judge, sign, administer, delivered } = sceneOf();
  const spki = limited.pem.replace(/-----[^-]+-----|\n/g, "");
  const added = administer("KEY", "ADD", spki, "RULES", "+publish ~news &news");
  assert.ok(added.kind !== "error", JSON.stringify(added));
  assert.equal(judge(sign([publish("heard"), publish("elsewhere", "other")], {}, limited)), "delivered");
  const denied = [[publish("elsewhere", "other")], [["SPUBLISH", "news", "shard"]]];
  for (const commands of denied) {
    const verdict = judge(sign(commands, { nonce: "n".repeat(16) }, limited));
    assert.ok(typeof verdict === "object" && /not permitted/.test(verdict.refused), JSON.stringify(verdict));
  }
  assert.deepEqual(delivered, ["heard"]);
});
