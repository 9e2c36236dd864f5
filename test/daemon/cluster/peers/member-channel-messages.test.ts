/**
 * Tests messages between members, on simulated time: they arrive once and in order, memory is bounded, and receivers
 * notice gaps.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { DeliverMessage } from "../../../../daemon/cluster/peers/shared/cluster-state.js";
import { Channels } from "../../../../daemon/engine/channels/channels.js";
import type { PackedEntry } from "../../../../protocol/members/member-elements.js";
import { type Node, type NodeOptions, World } from "./support.js";

const NAMES = ["a", "b", "c"];

const messageOf = (text: string): PackedEntry => ({ body: Buffer.from(text), signature: Buffer.alloc(64) });

/** The messages that nodes have received, by node. */
class MessageScene {
  readonly texts = new Map<string, string[]>();
  readonly missed = new Map<string, number>();
  readonly world = new World();
  verdict: (text: string) => ReturnType<DeliverMessage> = () => "delivered";

  add(name: string, options: NodeOptions = {}): Node {
    this.texts.set(name, []);
    this.missed.set(name, 0);
    const messages: NonNullable<NodeOptions["parts"]>["messages"] = {
      deliver: (body) => {
        const text = body.toString();
        const verdict = this.verdict(text);
        if (verdict === "delivered") this.texts.get(name)?.push(text);
        return verdict;
      },
      missed: () => this.missed.set(name, (this.missed.get(name) ?? 0) + 1),
      subscribers: new Channels(),
    };
    const peers = NAMES.filter((other) => other !== name);
    return this.world.add(name, { peers, ...options, parts: { messages } });
  }

  addAll(options: NodeOptions = {}): Node[] {
    const nodes = NAMES.map((name) => this.add(name, options));
    this.connect(nodes);
    return nodes;
  }

  connect(nodes: readonly Node[]): void {
    this.world.runUntil(() => nodes.every(({ peering }) => peering.state === "live"));
    this.world.run(100);
    this.world.seen.length = 0;
    for (const name of NAMES) this.missed.set(name, 0);
  }
}

test("a message is sent once to each connected member, and to no other", () => {
  const scene = new MessageScene();
  const [a] = scene.addAll() as [Node, Node, Node];

  a.peering.channelMessages.sendToMembers(messageOf("one"));
  scene.world.settle();
  scene.world.kill("c");
  a.peering.channelMessages.sendToMembers(messageOf("two"));
  scene.world.run(1000);

  const again = scene.add("c");
  scene.world.runUntil(() => (scene.missed.get("c") ?? 0) >= 2);
  a.peering.channelMessages.sendToMembers(messageOf("three"));
  scene.world.run(1000);

  assert.deepEqual(scene.texts.get("a"), []);
  assert.deepEqual(scene.texts.get("b"), ["one", "two", "three"]);
  assert.deepEqual(
    scene.texts.get("c"),
    ["three"],
    "c does not receive the message that was sent while it was disconnected",
  );
  assert.ok((scene.missed.get("b") ?? 0) >= 2, "a member that reconnects may have missed messages");
  assert.equal(again.peering.channelMessages.figures.delivered, 1);
  assert.equal(a.peering.channelMessages.figures.sent, 5);
});

test("a member does not forward messages from members, so two members that only a third one knows do not exchange messages", () => {
  const scene = new MessageScene();
  const [a, b, c] = [
    scene.add("a", { peers: ["b"] }),
    scene.add("b", { peers: ["a", "c"] }),
    scene.add("c", { peers: ["b"] }),
  ];
  scene.connect([a, b, c]);
  a.peering.channelMessages.sendToMembers(messageOf("one"));
  scene.world.run(1000);
  assert.deepEqual([scene.texts.get("b"), scene.texts.get("c")], [["one"], []]);
});

test("messages that wait for a member are bounded; dropped ones are counted, logged, and noticed by the receiver", () => {
  const scene = new MessageScene();
  const [a] = scene.addAll({ limits: { channelMessageBytes: 1000, channelMessageUnsentBytes: 1 } }) as [Node];
  for (let number = 0; number < 20; number++)
    a.peering.channelMessages.sendToMembers(messageOf(`${number} `.padEnd(100)));
  scene.world.run(1000);
  const received = scene.texts.get("b")?.map((text) => Number.parseInt(text, 10));
  // The first is sent immediately, and five more of 170 bytes fit.
  assert.deepEqual(received, [0, 1, 2, 3, 4, 5]);
  assert.equal(a.peering.channelMessages.figures.dropped, 2 * 14);
  assert.ok(a.lines.some(({ text }) => text.includes("--max-relay-bytes")));
  assert.equal(scene.missed.get("b"), 1);
  a.peering.channelMessages.sendToMembers(messageOf("after"));
  scene.world.run(1000);
  assert.equal(scene.texts.get("b")?.at(-1), "after");
  assert.equal(scene.missed.get("b"), 1, "the gap was reported");
});

test("messages whose signer's key is in flight wait for it in order, but not forever", () => {
  const scene = new MessageScene();
  const [a] = scene.addAll() as [Node];
  scene.verdict = (text) => (text === "stranger" ? "unknown-signer" : "delivered");
  a.peering.channelMessages.sendToMembers(messageOf("stranger"));
  a.peering.channelMessages.sendToMembers(messageOf("behind"));
  scene.world.run(1000);
  assert.deepEqual(scene.texts.get("b"), []);

  scene.verdict = () => "delivered";
  scene.world.run(100);
  assert.deepEqual(scene.texts.get("b"), ["stranger", "behind"]);

  scene.verdict = (text) => (text === "nobody" ? "unknown-signer" : "delivered");
  a.peering.channelMessages.sendToMembers(messageOf("nobody"));
  a.peering.channelMessages.sendToMembers(messageOf("last"));
  scene.world.run(2100);
  assert.deepEqual(scene.texts.get("b"), ["stranger", "behind", "last"]);
  const b = scene.world.nodes.get("b") as Node;
  assert.equal(b.peering.channelMessages.figures.refused, 1);
});

test("a message that waits for a key is checked only once, and later messages of its key do not wait", () => {
  const scene = new MessageScene();
  const [a, b] = scene.addAll() as [Node, Node];

  let looks = 0;
  scene.verdict = (text) => {
    if (!text.startsWith("nobody")) return "delivered";
    looks++;
    return "unknown-signer";
  };

  a.peering.channelMessages.sendToMembers(messageOf("nobody 0"));
  for (let number = 0; number < 500; number++) {
    a.peering.channelMessages.sendToMembers(messageOf(`${number}`));
    scene.world.settle();
  }
  assert.equal(looks, 2, "each of the two receivers checks it once");
  scene.world.run(2100);
  assert.equal(scene.texts.get("b")?.length, 500);

  for (let number = 1; number < 20; number++)
    a.peering.channelMessages.sendToMembers(messageOf(`nobody ${number}`));
  a.peering.channelMessages.sendToMembers(messageOf("last"));
  scene.world.run(200);
  assert.equal(scene.texts.get("b")?.at(-1), "last");
  assert.equal(b.peering.channelMessages.figures.refused, 20);
});

test("a member that sends lies is banned; one that sends late messages is not", () => {
  const scene = new MessageScene();
  const [a, b] = scene.addAll() as [Node, Node];
  const speak = () => {
    for (let number = 0; number < 100; number++)
      a.peering.channelMessages.sendToMembers(messageOf(`${number}`));
  };

  scene.verdict = () => ({ refused: "skew: too late", isLie: false });
  speak();
  scene.world.run(1000);
  assert.equal(b.peering.channelMessages.figures.refused, 100);
  const missed = scene.missed.get("b") ?? 0;
  assert.ok(missed > 0, "other members may have received it");

  const isConnected = () =>
    b.peering.members.some(({ id, connection }) => id === a.key.id && connection === "connected");
  assert.ok(isConnected());

  scene.verdict = () => ({ refused: "bad-signature", isLie: true });
  speak();
  scene.world.run(1000);
  assert.ok(!isConnected());
  const bySeparation = (scene.missed.get("b") ?? 0) - missed;
  assert.ok(bySeparation <= 1, "the lie was spread nowhere");
});

test("messages that exceed the checking capacity are counted as missed", () => {
  const scene = new MessageScene();
  const a = scene.add("a");
  const b = scene.add("b", { limits: { channelMessageBytes: 1000 } });
  const c = scene.add("c");
  scene.connect([a, b, c]);
  for (let number = 0; number < 20; number++)
    a.peering.channelMessages.sendToMembers(messageOf(`${number} `.padEnd(100)));
  // All messages arrive in one turn, like a flood.
  scene.verdict = () => "unknown-signer";
  scene.world.settle();
  assert.ok(b.peering.channelMessages.figures.missed >= 14, `${b.peering.channelMessages.figures.missed}`);
  assert.ok((scene.missed.get("b") ?? 0) > 0);
});
