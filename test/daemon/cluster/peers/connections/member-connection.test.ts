/** Tests which connections are accepted as members. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Connect, MemberSocket } from "../../../../../daemon/cluster/peers/shared/member-socket.js";
import { CLOSE_REASONS, type CloseCode } from "../../../../../protocol/figures/close-reasons.js";
import { writeFrame } from "../../../../../protocol/frame.js";
import { readMemberMessage, writeMemberMessage } from "../../../../../protocol/members/member-messages.js";
import { writeCommand } from "../../../../../protocol/resp/resp-writer.js";
import {
  type Hello,
  memberKnows,
  writeHello,
  writeRefused,
} from "../../../../../protocol/version-2/messages-v2.js";
import { signatureOf } from "../../../../simulation/signatures.js";
import { CLUSTER, EPOCH, entryOf, keyOf } from "../entries.js";
import { entriesOf, type Node, World } from "../support.js";

const isConnected = (node: Node) => node.peering.members.some(({ connection }) => connection === "connected");
const textsOf = ({ lines }: Node) => lines.map(({ text }) => text);

test("two members prove their identities to each other", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"] });
  const b = world.add("b");
  world.run(100);
  const [ofB] = a.peering.members;
  assert.equal(ofB?.connection, "connected");
  assert.equal(ofB?.id, b.key.id);
  assert.deepEqual(
    b.peering.members.map(({ id, connection }) => [id, connection]),
    [[a.key.id, "connected"]],
  );
  world.run(4000);
  assert.equal(a.peering.members[0]?.roundTrip, 0);
  assert.equal(a.peering.state, "live");
});

test("a daemon at an address is identified even if its proof and its close reason arrive together", () => {
  for (const isInOnePiece of [false, true]) {
    for (const [first, second] of [["a", "b"] as const, ["b", "a"] as const]) {
      const world = new World();
      world.isInOnePiece = isInOnePiece;
      const called = world.add(first);
      const caller = world.add(second, { peers: [first] });
      world.runUntil(() => isConnected(called));
      called.peering.setPeers([caller.address]);
      world.run(10_000);
      for (const [node, other] of [[called, caller] as const, [caller, called] as const]) {
        const members = node.peering.members.map(({ id, connection }) => [id, connection]);
        assert.deepEqual(members, [[other.key.id, "connected"]]);
        assert.ok(node.peering.stablePoint > 0, "every configured member is asked");
      }
    }
  }
});

test("a daemon of another cluster is refused, and both logs report that once", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"] });
  const b = world.add("b", { cluster: "d".repeat(32) });
  world.run(30_000);
  assert.ok(!isConnected(a) && !isConnected(b));
  assert.equal(textsOf(a).filter((text) => text === CLOSE_REASONS["wrong-cluster"]).length, 1);
  assert.equal(textsOf(b).filter((text) => text === CLOSE_REASONS["wrong-cluster"]).length, 1);
  assert.ok(world.countOf("hello", "a") < 40, "the attempts become less frequent");
});

test("a daemon's own address among its peers is not tried again, and the daemon serves", () => {
  const world = new World();
  const a = world.add("a", { peers: ["a"] });
  world.run(5000);
  assert.equal(a.peering.members[0]?.connection, "self");
  assert.equal(world.countOf("hello"), 2);
  assert.equal(world.countOf("proof"), 2, "the proof shows that the address is its own");
  assert.equal(a.peering.state, "live");
  const levelsOfSelf = () =>
    a.lines.filter(({ text }) => text === CLOSE_REASONS.self).map(({ level }) => level);
  assert.deepEqual(levelsOfSelf(), ["info"]);
  world.run(60_000);
  assert.equal(world.countOf("hello"), 4, "the address may belong to another daemon now");
  assert.deepEqual(levelsOfSelf(), ["info"], "it is logged once");
});

/** Returns the names of the members that a node is connected to. */
const namesOf = ({ nodes }: World, { peering }: Node): readonly string[] => {
  const ids = peering.members.flatMap(({ id, connection }) => (connection === "connected" ? [id] : []));
  return [...nodes.values()].filter(({ key }) => ids.includes(key.id)).map(({ name }) => name);
};

test("all members connect after names have led to other members, or to the daemon itself", () => {
  // Daemons that restart together may receive addresses to which names of other daemons still lead.
  const names = ["a", "b", "c", "d"];
  for (const stale of [{ a: "d", b: "c" }, { a: "b", b: "a" }, { a: "b" }, { b: "a", a: "nowhere" }]) {
    const world = new World();
    for (const pair of Object.entries(stale)) world.stale.set(...pair);
    for (const name of names) world.add(name, { peers: names });
    world.run(5000);
    world.stale.clear();
    world.run(90_000);
    for (const node of world.nodes.values())
      assert.deepEqual(
        namesOf(world, node),
        names.filter((name) => name !== node.name),
        `${node.name}: ${JSON.stringify(stale)}`,
      );
  }
});

test("the names of a daemon with two are checked every minute, and its connection stays", () => {
  // The connection that the daemon with the lower id has opened stays, so one is opened to a name, and one is accepted.
  for (const [one, other] of [["a", "b"] as const, ["b", "a"] as const]) {
    const world = new World();
    world.stale.set("alias", other);
    const caller = world.add(one, { peers: [other, "alias"] });
    const called = world.add(other, { peers: [one] });
    world.run(20_000);
    const [hellos, proofs] = [world.countOf("hello"), world.countOf("proof")];
    world.run(300_000);
    const checks = (world.countOf("hello") - hellos) / 2;
    assert.ok(checks >= 4 && checks <= 10, `${checks} checks`);
    assert.equal(world.countOf("proof"), proofs, "no check replaces the connection");
    assert.deepEqual([namesOf(world, caller), namesOf(world, called)], [[other], [one]]);
  }
});

test("a name is also checked if the connection to another daemon was opened to it", () => {
  const world = new World();
  world.stale.set("c", "b");
  const a = world.add("a", { peers: ["b", "c"] });
  const b = world.add("b");
  world.add("c");
  world.run(20_000);
  assert.deepEqual([namesOf(world, a), namesOf(world, b)], [["b"], ["a"]]);
  world.stale.clear();
  world.run(200_000);
  assert.deepEqual(namesOf(world, a), ["b", "c"]);
});

test("a peer votes at an address that has led to the daemon itself before", () => {
  const world = new World();
  world.stale.set("b", "a");
  const a = world.add("a", { peers: ["b", "away"] });
  world.run(20_000);
  assert.equal(a.peering.members[0]?.connection, "self");
  world.stale.clear();
  world.add("b");
  world.runUntil(() => isConnected(a), 90_000);
  world.run(30_000);
  assert.equal(a.peering.state, "live", "two of three daemons are a majority");
});

test("an id that is not the hash of the presented key is refused", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"] });
  const other = keyOf("other");
  world.add("b", {
    parts: {
      identity: { id: keyOf("b").id, spki: other.spki, sign: (bytes) => signatureOf(other.spki, bytes) },
    },
  });
  world.run(1000);
  assert.ok(!isConnected(a));
  assert.ok(textsOf(a).includes(CLOSE_REASONS["bad-proof"]));
});

test("a proof made with another key is refused", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"] });
  const b = keyOf("b");
  world.add("b", { parts: { identity: { ...b, sign: (bytes) => signatureOf("key other", bytes) } } });
  world.run(1000);
  assert.ok(!isConnected(a));
});

test("a daemon that presents an id other than the pinned one is refused", () => {
  const world = new World();
  const pinned = { ...world.addressOf("b"), pin: keyOf("another").id };
  const a = world.add("a", { parts: { peers: [pinned] } });
  world.add("b");
  world.run(1000);
  assert.ok(!isConnected(a));
  assert.ok(textsOf(a).includes(CLOSE_REASONS["not-pinned"]));
});

test("an unauthorized daemon is refused before anything is proved", () => {
  const world = new World();
  const a = world.add("a", { parts: { refusal: () => "not-a-member" } });
  const b = world.add("b", { peers: ["a"] });
  world.run(1000);
  assert.ok(!isConnected(a) && !isConnected(b));
  assert.equal(world.countOf("proof"), 0);
  assert.ok(textsOf(a).includes(CLOSE_REASONS["not-a-member"]));
  assert.ok(textsOf(b).some((text) => text === CLOSE_REASONS["not-a-member"]));
});

test("a pin does not admit a daemon that is not a member, such as one whose key was revoked", () => {
  const world = new World();
  const peers = [{ ...world.addressOf("b"), pin: keyOf("b").id }];
  const a = world.add("a", { parts: { peers, refusal: () => "not-a-member" } });
  world.add("b");
  world.run(1000);
  assert.ok(!isConnected(a));
});

test("a daemon that is no longer a member is disconnected, and receives nothing further", () => {
  const world = new World();
  let refusal: CloseCode | null = null;
  const a = world.add("a", { parts: { refusal: () => refusal } });
  const b = world.add("b", { peers: ["a"] });
  world.run(2000);
  assert.ok(isConnected(a));
  refusal = "not-a-member";
  world.run(1100);
  assert.ok(!isConnected(a));
  a.timeline.accept(entryOf(5000));
  world.run(5000);
  assert.equal(entriesOf(b), 0);
  assert.ok(textsOf(b).includes(CLOSE_REASONS["not-a-member"]));
});

test("a peer that proves nothing is not mistaken for another member, nor for this daemon itself", () => {
  const frameOf = (id: string) => Buffer.from(writeFrame(writeHello(helloOf(id)), 2), "latin1");
  const bye = (code: string) => writeMemberMessage({ kind: "bye", code, sentence: "" });
  const answers = [frameOf(keyOf("b").id), frameOf(keyOf("a").id), bye("self"), bye("duplicate")];

  for (const answer of answers) {
    const world = new World();
    const steps: (() => void)[] = [];
    let dials = 0;
    const a = world.add("a", {
      parts: {
        peers: [world.addressOf("c")],
        connect: (_address, owner) => {
          dials++;
          steps.push(
            () => owner.opened(),
            () => owner.received(answer),
          );
          return new RecordingSocket();
        },
      },
    });
    world.add("b", { peers: ["a"] });

    for (let i = 0; i < 1200; i++) {
      for (const step of steps.splice(0)) step();
      world.run(25);
    }

    const [ofC, ofB] = a.peering.members;
    assert.equal(ofC?.id, null);
    assert.notEqual(ofC?.connection, "self");
    assert.equal(ofB?.connection, "connected");
    assert.equal(a.peering.stablePoint, 0, "the member at that address has not been asked");
    assert.ok(dials > 2 && dials < 60, `${dials} attempts`);
    assert.ok(
      textsOf(a).filter((text) => text === CLOSE_REASONS.self).length <= 1,
      "it is a throttled warning",
    );
  }
});

test("a daemon with a new key at each start is admitted each time", () => {
  const world = new World();
  const a = world.add("a");
  for (let i = 0; i < 40; i++) {
    const node = world.add(`n${i}`, { peers: ["a"] });
    world.run(300);
    assert.ok(isConnected(a), `start ${i}`);
    node.peering.stop();
    world.kill(`n${i}`);
    world.run(100);
  }
});

test("two daemons that connect to each other at the same time keep the connection of the lower id", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["a"] })];
  world.run(5000);
  const hellos = world.countOf("hello");
  world.run(20_000);
  assert.ok(isConnected(a) && isConnected(b));
  assert.equal(world.countOf("hello"), hellos, "no further connections are opened");
  for (const node of [a, b])
    assert.equal(textsOf(node).filter((text) => text === "member connected").length, 1);
});

test("two addresses of one member result in one connection", () => {
  const world = new World();
  const b = world.add("b");
  const a = world.add("a", { peers: ["b", "b"] });
  world.run(3000);
  const before = world.countOf("proof");
  world.run(20_000);
  assert.equal(world.countOf("proof"), before);
  assert.equal(a.peering.members.filter(({ connection }) => connection === "connected").length, 1);
  assert.ok(isConnected(b));
});

test("an attacker between two encrypted streams is detected", () => {
  const world = new World();
  world.bindings = () => [Buffer.alloc(32, 1), Buffer.alloc(32, 2)];
  const a = world.add("a", { peers: ["b"] });
  const b = world.add("b");
  world.run(1000);
  assert.ok(!isConnected(a) && !isConnected(b));
  assert.ok(textsOf(b).includes(CLOSE_REASONS["bad-proof"]));
});

test("a lost connection is reopened immediately, and then at growing intervals", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"] });
  world.add("b");
  world.run(20_000);

  world.breakAll(() => true);
  world.run(50);
  assert.ok(isConnected(a));

  world.run(20_000);
  world.kill("b");
  world.seen.length = 0;
  world.run(120_000);
  assert.ok(!isConnected(a));
  const warnings = textsOf(a).filter((text) => text === "a member cannot be reached");
  assert.ok(warnings.length <= 2, `${warnings.length} lines`);

  world.add("b");
  assert.ok(world.runUntil(() => isConnected(a)) <= 15_000);
});

test("a silent member is dropped, and connected again later", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"] });
  world.add("b");
  world.run(1000);
  world.cut.add("b a");
  world.run(13_000);
  assert.ok(!isConnected(a));
  assert.equal(a.peering.state, "isolated");
  world.cut.clear();
  world.runUntil(() => isConnected(a), 40_000);
  world.run(25);
  assert.equal(a.peering.state, "live");
});

/** The test's end of an incoming connection. It records what it receives. */
class RecordingSocket implements MemberSocket {
  readonly binding = null;
  readonly remote = "203.0.113.9:5";
  readonly received: string[] = [];
  isClosed = false;
  write(bytes: Buffer): void {
    const start = bytes.indexOf(":", 4) + 1;
    this.received.push(readMemberMessage(bytes.subarray(start)).kind);
  }
  close(): void {
    this.isClosed = true;
  }
  unsentBytes(): number {
    return 0;
  }
}

const helloOf = (id: string): Hello => ({
  kind: "hello",
  versions: [2],
  daemon: id,
  cluster: CLUSTER,
  clock: EPOCH,
  state: "live",
  role: "daemon",
  members: null,
  knows: memberKnows(),
});

test("garbage, oversized frames and messages out of turn close an unauthenticated connection", () => {
  const frames: Record<string, Buffer> = {
    garbage: Buffer.from("\x16\x03\x01 hello?"),
    oversized: Buffer.from("ds2:60000000:"),
    "no message": Buffer.from(writeFrame("*1\r\n$3\r\nfoo\r\n", 2), "latin1"),
    "a push": writeMemberMessage({
      kind: "push",
      number: 1,
      bytes: 0,
      isDeflated: false,
      entries: Buffer.alloc(0),
    }),
    "a second hello": Buffer.from(writeFrame(writeHello(helloOf(keyOf("x").id)), 2), "latin1"),
    "a short nonce": Buffer.from(writeFrame("*2\r\n$9\r\nchallenge\r\n$1\r\nx\r\n", 2), "latin1"),
  };
  for (const [name, bytes] of Object.entries(frames)) {
    const world = new World();
    const a = world.add("a");
    const socket = new RecordingSocket();
    const owner = a.peering.accept(socket, helloOf(keyOf("x").id));
    assert.deepEqual(socket.received, ["hello", "challenge"]);
    owner.received(bytes);
    assert.ok(socket.isClosed, name);
    assert.deepEqual(socket.received, ["hello", "challenge", "bye"], name);
    owner.received(bytes);
    assert.equal(a.peering.members.length, 0);
  }
});

test("connections without a proof are closed, and their number is limited", () => {
  const world = new World();
  const a = world.add("a", { limits: { maxHandshakes: 3 } });
  const sockets = Array.from({ length: 5 }, () => new RecordingSocket());
  for (const socket of sockets) a.peering.accept(socket, helloOf(keyOf("x").id));
  assert.deepEqual(
    sockets.map(({ isClosed }) => isClosed),
    [true, true, false, false, false],
    "the oldest are closed",
  );
  world.run(6000);
  assert.ok(sockets.every(({ isClosed }) => isClosed));
});

test("a daemon with another number of the protocol between members is refused, and both numbers are reported", () => {
  const world = new World();
  const a = world.add("a");
  const socket = new RecordingSocket();
  a.peering.accept(socket, { ...helloOf(keyOf("x").id), knows: ["members-7"] });
  assert.ok(socket.isClosed);
  const [line] = a.lines;
  assert.equal(line?.text, CLOSE_REASONS["other-protocol"]);
  assert.equal(line?.facts["detail"], `${CLOSE_REASONS["other-protocol"]} It sent number 7.`);
  assert.match(
    CLOSE_REASONS["other-protocol"],
    /than number 3, which runs here: install the same version on all daemons/,
  );

  const old = new RecordingSocket();
  a.peering.accept(old, { ...helloOf(keyOf("y").id), knows: ["speak", "states", "about", "lists"] });
  assert.ok(old.isClosed);
  assert.deepEqual([socket.received, old.received], [["bye"], ["bye"]]);
});

test("a hello that this release cannot read is refused with its length, in one sentence, by either side", () => {
  const text = CLOSE_REASONS["other-protocol"];
  const short = writeCommand(["hello", "2", keyOf("b").id, CLUSTER, "5", "live", "daemon"]);
  const sentence = "The hello is not one that this release reads.";
  const refused = { id: "", code: "other-protocol", sentence, clock: 5, effect: "not-applied" } as const;
  const cases: readonly (readonly [string, string, string])[] = [
    [short, `${text} It sent a hello with 7 elements instead of 9.`, "bye"],
    [writeRefused(refused), `it says: other-protocol: ${sentence}`, ""],
  ];

  for (const [answer, detail, reply] of cases) {
    const world = new World();
    const socket = new RecordingSocket();
    const steps: (() => void)[] = [];
    const connect: Connect = (_address, owner) => {
      steps.push(
        () => owner.opened(),
        () => owner.received(Buffer.from(writeFrame(answer, 2), "latin1")),
      );
      return socket;
    };
    const a = world.add("a", { parts: { peers: [world.addressOf("b")], connect } });

    world.run(1);
    for (const step of steps.splice(0)) step();

    assert.ok(socket.isClosed);
    assert.deepEqual(socket.received, ["hello", reply].filter(Boolean));
    const line = a.lines.find((one) => one.text === text);
    assert.equal(line?.facts["detail"], detail);
  }
});

test("a daemon that serves only clients is distinguished from a silent one", () => {
  const world = new World();
  const a = world.add("a", {
    parts: {
      peers: [world.addressOf("b")],
      connect: (_address, owner) => {
        const socket = new RecordingSocket();
        setImmediate(() => {});
        queued.push(() => owner.opened());
        queued.push(() =>
          owner.received(
            Buffer.from(writeFrame(writeHello({ ...helloOf(keyOf("b").id), knows: [] }), 2), "latin1"),
          ),
        );
        return socket;
      },
    },
  });

  for (const step of queued) step();
  world.run(6000);
  assert.ok(textsOf(a).includes(CLOSE_REASONS["not-a-daemon"]));
});

const queued: (() => void)[] = [];
