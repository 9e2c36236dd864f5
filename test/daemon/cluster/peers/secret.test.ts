/**
 * Tests the cluster's secret: what it proves between members, and what an attacker without it can do with recorded
 * messages.
 */

import assert from "node:assert/strict";
import { createHmac } from "node:crypto";
import { test } from "node:test";
import type { ClusterState, MemberStatus } from "../../../../daemon/cluster/peers/shared/cluster-state.js";
import type {
  MemberSocket,
  MemberSocketHandlers,
} from "../../../../daemon/cluster/peers/shared/member-socket.js";
import { ClusterSecret } from "../../../../daemon/engine/trust/cluster-secret.js";
import { CLOSE_REASONS } from "../../../../protocol/figures/close-reasons.js";

import { FrameParser, writeFrame } from "../../../../protocol/frame.js";
import {
  type MemberMessage,
  type OwnMessage,
  readMemberMessage,
  writeMemberMessage,
} from "../../../../protocol/members/member-messages.js";
import { memberKnows, writeHello } from "../../../../protocol/version-2/messages-v2.js";
import { signatureOf } from "../../../simulation/signatures.js";
import { CLUSTER, EPOCH, keyOf } from "./entries.js";
import { type Node, World } from "./support.js";

const bytes = Buffer.alloc(32, 1);

/** Returns the settings of a daemon that admits only peers that know its secret. */
function partsOf(secret: ClusterSecret | null): Partial<ClusterState> {
  return { secret, refusal: (_id, knows) => (knows ? null : "not-a-member") };
}

const isConnected = (node: Node) => node.peering.members.some(({ connection }) => connection === "connected");
const textsOf = ({ lines }: Node) => lines.map(({ text }) => text);

test("two daemons that know the same secret admit each other, regardless of their keys", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"], parts: partsOf(new ClusterSecret(bytes)) });
  const b = world.add("b", { parts: partsOf(new ClusterSecret(bytes)) });
  world.run(1000);
  assert.ok(isConnected(a) && isConnected(b));
});

test("a daemon with another secret is refused, and both logs report the reason", () => {
  for (const other of [new ClusterSecret(Buffer.alloc(32, 2)), null]) {
    const world = new World();
    const a = world.add("a", { peers: ["b"], parts: partsOf(new ClusterSecret(bytes)) });
    const b = world.add("b", { peers: ["a"], parts: { ...partsOf(other), refusal: () => null } });
    world.run(1000);
    assert.ok(!isConnected(a) && !isConnected(b));
    for (const { peering } of [a, b]) {
      const [{ closeCode, closedBy }] = peering.members as [MemberStatus];
      assert.equal(closeCode, "other-secret");
      assert.ok(closedBy === "daemon" || closedBy === "member");
    }
    assert.ok(textsOf(a).includes(CLOSE_REASONS["other-secret"]));
    assert.ok(textsOf(b).includes(CLOSE_REASONS["other-secret"]));
  }
});

test("a member that has proved a secret that has since been replaced is disconnected", () => {
  const world = new World();
  const a = world.add("a", { parts: partsOf(new ClusterSecret(bytes)) });
  world.add("b", { peers: ["a"], parts: partsOf(new ClusterSecret(bytes)) });
  world.run(1000);
  assert.ok(isConnected(a));
  a.peering.setSecret(new ClusterSecret(Buffer.alloc(32, 2)));
  world.run(1100);
  assert.ok(!isConnected(a));
});

const me = keyOf("me");
const NONCE = "n".repeat(32);

/** An attacker at the other end of a connection. */
class Enemy implements MemberSocket {
  readonly binding = null;
  readonly remote = "127.0.0.1:4000";
  readonly received: MemberMessage[] = [];
  owner: MemberSocketHandlers | null = null;
  readonly #parser = new FrameParser(1 << 20, 2);

  write(frame: Buffer): void {
    this.received.push(...this.#parser.split(frame).map(readMemberMessage));
  }
  close(): void {}
  unsentBytes(): number {
    return 0;
  }

  say(message: OwnMessage | Buffer): void {
    this.owner?.received(Buffer.isBuffer(message) ? message : writeMemberMessage(message));
  }

  find<Kind extends MemberMessage["kind"]>(kind: Kind): Extract<MemberMessage, { kind: Kind }> | undefined {
    return this.received.find(
      (message): message is Extract<MemberMessage, { kind: Kind }> => message.kind === kind,
    );
  }

  get last(): string {
    const last = this.received.at(-1);
    return last?.kind === "bye" ? last.code : (last?.kind ?? "");
  }
}

const hello = {
  ...({ kind: "hello", versions: [2], daemon: me.id, cluster: CLUSTER, clock: EPOCH } as const),
  ...({ state: "live", role: "daemon", members: null, knows: memberKnows() } as const),
};

/**
 * Opens an attacker's connection to a daemon, and proves the attacker's own key.
 * @param macOf  returns the attacker's mac; it receives a function that returns the bytes that a side has to prove
 */
function proveTo(node: Node, nonce: string, macOf: (proven: (side: number) => Buffer) => Buffer): Enemy {
  const enemy = new Enemy();
  enemy.owner = node.peering.accept(enemy, hello);
  const names = CLUSTER + me.id + node.key.id + nonce + (enemy.find("challenge")?.nonce ?? assert.fail());
  const proven = (side: number) =>
    Buffer.from(`dbsync2\0members-3\0${names}${String.fromCharCode(side)}`, "latin1");
  enemy.say({ kind: "challenge", nonce });
  enemy.say({ kind: "proof", spki: me.spki, signature: signatureOf(me.spki, proven(1)), mac: macOf(proven) });
  return enemy;
}

const macBy = (secret: Buffer, proven: Buffer) => createHmac("sha256", secret).update(proven).digest();

test("the mac is HMAC-SHA256 of the signed bytes with the secret", () => {
  const world = new World();
  const node = world.add("a", { parts: partsOf(new ClusterSecret(bytes)) });
  let due = Buffer.alloc(0);
  const enemy = proveTo(node, NONCE, (proven) => {
    due = macBy(bytes, proven(2));
    return macBy(bytes, proven(1));
  });
  assert.deepEqual(enemy.find("proof")?.mac, due);
  assert.ok(isConnected(node));
});

test("a fresh key without the secret is refused before the daemon has proved anything, so nothing can be replayed", () => {
  const world = new World();
  const node = world.add("a", { parts: partsOf(new ClusterSecret(bytes)) });
  const macs: ((proven: (side: number) => Buffer) => Buffer)[] = [
    () => Buffer.alloc(0),
    () => Buffer.alloc(32),
    (proven) => macBy(Buffer.alloc(32), proven(1)),
    (proven) => macBy(bytes, proven(2)),
    (proven) => macBy(bytes, proven(0)),
  ];

  for (const mac of macs) {
    const enemy = proveTo(node, NONCE, mac);
    assert.equal(enemy.last, "other-secret");
    assert.equal(enemy.find("proof"), undefined);
  }

  const short = new Enemy();
  short.owner = node.peering.accept(short, hello);
  short.say({ kind: "challenge", nonce: NONCE });
  short.say({ kind: "proof", spki: me.spki, signature: Buffer.alloc(0), mac: Buffer.alloc(31) });
  assert.equal(short.last, "malformed");
  assert.ok(!isConnected(node));
});

test("a mac recorded on another connection proves nothing", () => {
  const world = new World();
  const node = world.add("a", { parts: partsOf(new ClusterSecret(bytes)) });
  let recorded = Buffer.alloc(0);
  proveTo(node, NONCE, (proven) => {
    recorded = macBy(bytes, proven(1));
    return recorded;
  });
  assert.ok(isConnected(node));
  const [other] = [world.add("b", { parts: partsOf(new ClusterSecret(bytes)) })];
  assert.equal(proveTo(node, NONCE, () => recorded).last, "other-secret");
  assert.equal(proveTo(other, NONCE, () => recorded).last, "other-secret");
});

test("an attacker cannot deceive a daemon by sending back the mac that the daemon has sent", () => {
  for (const own of [false, true]) {
    const world = new World();
    const enemy = new Enemy();
    const node: Node = world.add("a", {
      parts: {
        ...partsOf(new ClusterSecret(bytes)),
        peers: [world.addressOf("enemy")],
        connect: (_address, owner) => {
          enemy.owner = owner;
          return enemy;
        },
      },
    });
    enemy.owner?.opened();
    const as = own ? node.key : me;
    enemy.say(Buffer.from(writeFrame(writeHello({ ...hello, daemon: as.id }), 2), "latin1"));
    const { nonce = NONCE } = enemy.find("challenge") ?? {};
    enemy.say({ kind: "challenge", nonce });
    const challenge = enemy.find("challenge") ?? assert.fail();
    const proof = enemy.find("proof") ?? assert.fail();
    const names = CLUSTER + node.key.id + as.id + challenge.nonce + nonce;
    const signature = signatureOf(as.spki, Buffer.from(`dbsync2\0members-3\0${names}\x02`, "latin1"));
    enemy.say(own ? proof : { kind: "proof", spki: as.spki, signature, mac: proof.mac });
    assert.equal(enemy.last, own ? "bad-proof" : "other-secret");
    assert.ok(!isConnected(node));
  }
});
