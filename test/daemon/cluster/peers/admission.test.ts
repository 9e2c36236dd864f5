/** Tests which refusals of its peers keep a new daemon from accepting writes, and which daemons ignore them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import type { Admitted, ClusterState } from "../../../../daemon/cluster/peers/shared/cluster-state.js";
import type { MemberSocket } from "../../../../daemon/cluster/peers/shared/member-socket.js";
import { ClusterSecret } from "../../../../daemon/engine/trust/cluster-secret.js";
import type { CloseCode } from "../../../../protocol/figures/close-reasons.js";
import { writeFrame } from "../../../../protocol/frame.js";
import { writeMemberMessage } from "../../../../protocol/members/member-messages.js";
import { writeRefused } from "../../../../protocol/version-2/messages-v2.js";
import { EPOCH, entryOf, keyOf } from "./entries.js";
import { entriesOf, type Node, World } from "./support.js";

/** A time after which a daemon no longer waits for peers that do not answer. */
const LONG_MS = 30_000;
const OTHER = "d".repeat(32);
const secretOf = (byte: number) => new ClusterSecret(Buffer.alloc(32, byte));
const withSecret = (byte: number): Partial<ClusterState> => ({
  secret: secretOf(byte),
  refusal: (_id, knows) => (knows ? null : "not-a-member"),
});

const isRefused = ({ peering }: Node) => peering.admission.isRefused;
const viewOf = ({ peering }: Node) => [peering.state, peering.admission.isRefused];

/** Returns the settings of a daemon whose peer sends bytes after the hello, and closes the connection. */
function answeredBy(world: World, bytes: Buffer, admitted: Admitted = null): Partial<ClusterState> {
  const steps: (() => void)[] = [];
  const socket: MemberSocket = { binding: null, remote: "c:1", write() {}, close() {}, unsentBytes: () => 0 };
  return {
    admitted,
    peers: [world.addressOf("c")],
    connect(_address, owner) {
      steps.push(
        () => owner.opened(),
        () => owner.received(bytes),
        () => owner.closed("closed"),
      );
      return socket;
    },
    soon: () => {},
    uptime: () => {
      for (const step of steps.splice(0)) step();
      return world.now;
    },
  };
}

const byeOf = (code: string) => writeMemberMessage({ kind: "bye", code, sentence: "" });

test("a new daemon accepts no writes while every peer that answers belongs to another cluster", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b", "c", "down"] });
  world.add("b", { cluster: OTHER });
  world.add("c", { cluster: OTHER });
  world.run(LONG_MS);
  assert.deepEqual(viewOf(a), ["catching-up", true]);
  assert.match(
    String(a.peering.admission.refusalText),
    /^its peers belong to another cluster \(b:1, c:1\): to be admitted, start it with the same --cluster-name/,
  );
});

test("each permanent refusal counts, on either side of the connection", () => {
  const cases: readonly [string, (world: World) => Node, RegExp][] = [
    [
      "another secret",
      (world) => {
        world.add("b", { parts: withSecret(2) });
        return world.add("a", { peers: ["b"], parts: withSecret(1) });
      },
      /another --cluster-secret/,
    ],
    [
      "a key that the peer does not know",
      (world) => {
        world.add("b", { parts: { refusal: () => "not-a-member" } });
        return world.add("a", { peers: ["b"] });
      },
      /do not know each other's keys/,
    ],
    [
      "a peer's key that the daemon does not know",
      (world) => {
        world.add("b");
        return world.add("a", { peers: ["b"], parts: { refusal: () => "not-a-member" } });
      },
      /do not know each other's keys/,
    ],
    [
      "another pin",
      (world) => {
        world.add("b");
        const pinned = { ...world.addressOf("b"), pin: keyOf("another").id };
        return world.add("a", { parts: { peers: [pinned] } });
      },
      /other ids than those in --peer/,
    ],
    [
      "another protocol",
      (world) => world.add("a", { parts: answeredBy(world, byeOf("other-protocol")) }),
      /another protocol/,
    ],
    [
      "a release that cannot read the hello",
      (world) => {
        const refused = { code: "other-protocol", sentence: "", effect: "not-applied" } as const;
        const text = writeRefused({ id: "", clock: EPOCH, ...refused });
        return world.add("a", { parts: answeredBy(world, Buffer.from(writeFrame(text, 2), "latin1")) });
      },
      /another protocol/,
    ],
  ];
  for (const [name, start, says] of cases) {
    const world = new World();
    const a = start(world);
    world.run(LONG_MS);
    assert.deepEqual(viewOf(a), ["catching-up", true], name);
    assert.match(String(a.peering.admission.refusalText), says, name);
  }
});

test("a daemon whose peers do not answer, or are no members, accepts writes after the usual wait", () => {
  const answers = [
    ...(["no-peers", "too-many-members"] as const).map(byeOf),
    ...(["stopping", "not-a-daemon"] as const).map(byeOf),
    Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"),
    Buffer.alloc(0),
  ];
  for (const answer of answers) {
    const world = new World();
    const a = world.add("a", { parts: answeredBy(world, answer) });
    world.run(LONG_MS);
    assert.deepEqual(viewOf(a), ["isolated", false], answer.toString("latin1"));
  }
});

test("a program that is no member does not keep the refusals of the other peers from counting", () => {
  const world = new World();
  const stranger = answeredBy(world, Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"));
  const refusing = answeredBy(world, byeOf("wrong-cluster"));
  const a = world.add("a", {
    parts: {
      ...refusing,
      peers: [world.addressOf("c"), world.addressOf("d")],
      connect: (address, owner) =>
        (address.host === "c" ? stranger : refusing).connect?.(address, owner) as MemberSocket,
      uptime: () => {
        stranger.uptime?.();
        return refusing.uptime?.() ?? 0;
      },
    },
  });
  world.run(LONG_MS);
  assert.deepEqual(viewOf(a), ["catching-up", true]);
  assert.match(String(a.peering.admission.refusalText), /cluster \(d:1\)/);
});

test("a refusal by one peer does not count while another peer admits the daemon", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b", "c"] });
  world.add("b", { cluster: OTHER });
  world.add("c", { peers: ["a"] });
  world.run(LONG_MS);
  assert.deepEqual(viewOf(a), ["live", false]);
});

test("a member that connects from its side ends the refusal, although --peer pins another id", () => {
  const world = new World();
  const pinned = { ...world.addressOf("b"), pin: keyOf("another").id };
  const a = world.add("a", { parts: { peers: [pinned] } });
  world.add("b");
  world.runUntil(() => isRefused(a));
  world.kill("b");
  world.add("b", { peers: ["a"] });
  world.runUntil(() => !isRefused(a));
  world.run(LONG_MS);
  const { admitted, refusalText } = a.peering.admission;
  assert.deepEqual([admitted, refusalText], ["compared", null]);
  assert.notEqual(a.peering.state, "catching-up");
});

test("the daemons of a new cluster, started one after the other, accept writes as before", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b", "c"] });
  world.run(LONG_MS);
  assert.deepEqual(viewOf(a), ["isolated", false]);
  const b = world.add("b", { peers: ["a", "c"] });
  const c = world.add("c", { peers: ["a", "b"] });
  world.run(LONG_MS);
  assert.deepEqual([a, b, c].map(viewOf), [
    ["live", false],
    ["live", false],
    ["live", false],
  ]);
});

test("a daemon that serves because its peers answer late stops when all of them refuse it", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"] });
  world.run(LONG_MS);
  assert.deepEqual(viewOf(a), ["isolated", false]);
  a.timeline.accept(entryOf(1000));
  world.add("b", { cluster: OTHER });
  world.runUntil(() => isRefused(a));
  world.run(25);
  assert.equal(a.peering.state, "catching-up");
});

test("a refusal outlasts a restart of the peer, until a peer admits the daemon", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"] });
  world.add("b", { cluster: OTHER });
  world.runUntil(() => isRefused(a));
  world.kill("b");
  world.run(LONG_MS);
  assert.deepEqual(viewOf(a), ["catching-up", true]);
  world.add("b", { peers: ["a"] });
  world.runUntil(() => a.peering.state === "live");
  assert.equal(a.peering.admission.admitted, "compared");
});

test("a new secret makes a refused daemon wait for its peers again", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"], parts: withSecret(1) });
  world.add("b", { parts: withSecret(2) });
  world.runUntil(() => isRefused(a));
  world.kill("b");
  a.peering.setSecret(secretOf(3));
  world.run(1000);
  assert.deepEqual(viewOf(a), ["catching-up", false]);
  world.run(LONG_MS);
  assert.deepEqual(viewOf(a), ["isolated", false]);
});

test("another wrong secret does not make a refused daemon serve before its peers answer again", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"], parts: withSecret(1) });
  world.add("b", { parts: withSecret(2) });
  // After several failures, the wait before the next attempt can exceed the wait of a starting daemon.
  world.run(LONG_MS);
  for (let secret = 3; secret < 40; secret++) {
    a.peering.setSecret(secretOf(secret));
    for (let second = 0; second < 40; second++) {
      world.run(1000);
      assert.equal(a.peering.state, "catching-up", `secret ${secret}`);
    }
  }
});

test("a daemon that was admitted before ignores each permanent refusal", () => {
  for (const code of ["wrong-cluster", "other-secret", "not-a-member", "not-pinned", "other-protocol"]) {
    const world = new World();
    const a = world.add("a", { parts: answeredBy(world, byeOf(code), "compared") });
    world.run(LONG_MS);
    assert.deepEqual(viewOf(a), ["isolated", false], code);
    assert.match(String(a.peering.admission.refusalText), /to be admitted, /, code);
  }
});

test("a daemon that was compared with a member goes on serving when all peers refuse it, also after a restart", () => {
  const world = new World();
  const [a] = world.addAll(["a", "b"]) as [Node, Node];
  world.runUntil(() => a.peering.state === "live");

  world.kill("b");
  world.add("b", { cluster: OTHER, peers: ["a"] });
  const states = new Set<string>();
  for (let i = 0; i < 400; i++) {
    world.run(100);
    states.add(a.peering.state);
  }

  assert.deepEqual(states, new Set(["live", "isolated"]));
  assert.match(
    String(a.peering.admission.refusalText),
    /admitted, check which daemons run at these addresses/,
  );

  const { admitted } = a.peering.admission;
  world.kill("a");
  const again = world.add("a", { peers: ["b"], parts: { admitted } });
  world.run(LONG_MS);
  assert.deepEqual(viewOf(again), ["isolated", false]);
});

test("a daemon that has served alone goes on serving when its new peers refuse it", () => {
  for (const [writes, state] of [
    [1, "isolated"],
    [0, "catching-up"],
  ] as const) {
    const world = new World();
    const a = world.add("a");
    for (let i = 0; i < writes; i++) a.timeline.accept(entryOf(i));
    world.run(1000);
    assert.equal(entriesOf(a), writes);
    world.add("b", { cluster: OTHER });
    a.peering.setPeers([world.addressOf("b")]);
    world.run(LONG_MS);
    assert.deepEqual(viewOf(a), [state, writes === 0], `after ${writes} writes`);
  }
});

test("only the codes that the authorization of a key can remove permit it", () => {
  const codes: readonly [CloseCode, boolean][] = [
    ["wrong-cluster", false],
    ["not-a-member", true],
    ["other-secret", true],
  ];
  for (const [code, may] of codes) {
    const world = new World();
    const a = world.add("a", { parts: answeredBy(world, byeOf(code)) });
    world.runUntil(() => isRefused(a));
    for (const commands of [
      [],
      [["SET", "k", "v"]],
      [
        ["CLUSTER", "ADD", "key"],
        ["KEY", "ADD", "key"],
      ],
    ])
      assert.equal(a.peering.admission.accepts(commands), false, code);
    assert.equal(a.peering.admission.accepts([["cluster", "Add", "key"]]), may, code);
  }
});
