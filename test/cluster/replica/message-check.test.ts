/** Tests the check of messages that a daemon forwards, which depends on their bytes, not on the forwarding member. */

import assert from "node:assert/strict";
import { test } from "node:test";
import { heardMessages } from "../../../cluster/replica/message-check.js";
import type { ReplicaContext } from "../../../cluster/replica/replica-context.js";
import { Channels } from "../../../engine/channels/channels.js";
import { Broadcasts } from "../../../engine/pipeline/broadcasts.js";
import { loadSigners } from "../../../engine/trust/load-signers.js";
import type { Environment } from "../../../net/process/environment.js";
import type { EnvelopeHeader } from "../../../protocol/version-2/envelope.js";
import { log } from "../../daemon/scene.js";
import { double } from "../../support/double.js";
import { makeKeyPair, type SignedEnvelope, signCommands } from "../../support/envelope-client.js";

const pair = makeKeyPair();
const limited = makeKeyPair();
const root = makeKeyPair();
const NOW = 1_790_000_000_000;
const window = { past: 30_000, future: 5_000 };

function sceneOf() {
  let now = NOW;
  const heard: string[] = [];
  const signers = loadSigners({ signKey: [pair.file], rootKey: [root.file], clusterName: "dbsync" }, log);
  const channels = new Channels();
  channels.add("pattern", "*", { receive: ({ parts }) => heard.push(parts.at(-1) ?? ""), review() {} });
  const environment = double<Environment>({ clock: () => now, setTimer: () => () => {} });
  const broadcasts = new Broadcasts({ channels, environment, window, most: 100 });
  const { hear } = heardMessages(
    double<ReplicaContext>({ signers, environment, settings: { window } }),
    broadcasts,
  );
  const { cluster } = signers;
  const administrator = signers.ring.find(root.id) ?? assert.fail();
  return {
    signers,
    heard,
    after: (milliseconds: number) => {
      now += milliseconds;
    },
    administer: (...argv: string[]) => signers.ring.execute(argv, { at: 5, db: 0, id: "" }, administrator),
    sign: (
      commands: readonly (readonly string[])[],
      header: Partial<EnvelopeHeader> = {},
      by: Parameters<typeof signCommands>[0] = pair,
    ) => signCommands(by, commands, { cluster, at: NOW + 1, ...header }),
    judge: ({ body, signature }: SignedEnvelope) => hear(body, signature),
  };
}

const says = (text: string, channel = "news") => ["PUBLISH", channel, text];

test("messages of a key of the cluster are told once", () => {
  const { judge, sign, heard } = sceneOf();
  const envelope = sign([says("one"), says("two")]);
  assert.equal(judge(envelope), "delivered");
  assert.equal(judge(envelope), "known");
  assert.deepEqual(heard, ["one", "two"]);
});

test("what is not proved, not for this cluster, or more than messages is a lie", () => {
  const { judge, sign, heard, signers } = sceneOf();
  const good = sign([says("text")]);
  const flipped = Buffer.from(good.body);
  flipped[flipped.length - 3] = 0x78;
  const lies: readonly (readonly [SignedEnvelope, RegExp])[] = [
    [{ ...good, body: flipped }, /bad-signature/],
    [{ ...good, signature: Buffer.alloc(64) }, /bad-signature/],
    [{ ...good, body: good.body.subarray(0, -1) }, /malformed|bad-signature/],
    [sign([says("text")], { cluster: "x".repeat(32) }), /wrong-cluster/],
    [sign([says("text")], { only: "x".repeat(32) }), /wrong-daemon/],
    [sign([says("text")], { as: "somebody" }), /not-a-daemon/],
    [sign([says("text"), ["SET", "k", "v"]]), /more than messages/],
    [sign([["GET", "k"]]), /more than messages/],
    [sign([says("text")], { multi: true }), /more than messages/],
    [sign([says("text")], { if: [{ db: 0, key: "k", writer: "" }] }), /if-not-carried/],
  ];
  for (const [envelope, reason] of lies) {
    const verdict = judge(envelope);
    assert.ok(
      typeof verdict === "object" && verdict.isLie && reason.test(verdict.refused),
      JSON.stringify(verdict),
    );
  }
  assert.deepEqual(heard, []);
  assert.equal(signers.ring.changes, 2);
});

test("what is dated out of the window is not told, and is no lie", () => {
  const { judge, sign, after, heard } = sceneOf();
  after(60_000);
  for (const at of [NOW + 60_000 - window.past, NOW + 60_000 + window.future]) {
    const verdict = judge(sign([says("text")], { at }));
    assert.ok(
      typeof verdict === "object" && !verdict.isLie && /skew/.test(verdict.refused),
      JSON.stringify(verdict),
    );
  }
  assert.equal(judge(sign([says("heard")], { at: NOW + 60_000 - window.past + 1 })), "delivered");
  assert.deepEqual(heard, ["heard"]);
});

test("what may have been told before the start is not told, and not taken for one that was", () => {
  const { judge, sign, heard } = sceneOf();
  const verdict = judge(sign([says("text")], { at: NOW }));
  assert.ok(typeof verdict === "object" && !verdict.isLie, JSON.stringify(verdict));
  assert.deepEqual(heard, []);
});

test("a key that nobody has added is unknown, and a revoked one says nothing", () => {
  const { judge, sign, administer, heard } = sceneOf();
  assert.equal(judge(sign([says("text")], {}, limited)), "unknown-signer");
  administer("KEY", "REVOKE", Buffer.from(pair.id, "latin1").toString("hex"));
  const verdict = judge(sign([says("text")]));
  assert.ok(typeof verdict === "object" && !verdict.isLie && /revoked/.test(verdict.refused));
  assert.deepEqual(heard, []);
});

test("a key says what its rules allow where they allow it, and nothing else of its envelope is told", () => {
  const { judge, sign, administer, heard } = sceneOf();
  const spki = limited.pem.replace(/-----[^-]+-----|\n/g, "");
  const added = administer("KEY", "ADD", spki, "RULES", "+publish ~news &news");
  assert.ok(added.kind !== "error", JSON.stringify(added));
  assert.equal(judge(sign([says("heard"), says("elsewhere", "other")], {}, limited)), "delivered");
  const denied = [[says("elsewhere", "other")], [["SPUBLISH", "news", "shard"]]];
  for (const commands of denied) {
    const verdict = judge(sign(commands, { nonce: "n".repeat(16) }, limited));
    assert.ok(typeof verdict === "object" && /not permitted/.test(verdict.refused), JSON.stringify(verdict));
  }
  assert.deepEqual(heard, ["heard"]);
});
