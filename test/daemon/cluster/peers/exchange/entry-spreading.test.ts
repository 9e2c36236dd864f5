/** Tests how entries spread from one member to all, and what is reported about them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { orderKeyOf } from "../../../../../daemon/timeline/entries/entry.js";
import { EPOCH, entryOf, keyOf } from "../entries.js";
import { entriesOf, haveSameEntries, type Node, World } from "../support.js";

test("a member offers an accepted entry by its order key, and pushes it to a member that requests it", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b")];
  world.run(500);
  a.timeline.accept(entryOf(500));
  world.run(100);
  assert.equal(entriesOf(b), 1);
  assert.deepEqual(
    ["offer", "want", "push", "have"].map((kind) => world.countOf(kind)),
    [1, 1, 1, 1],
  );
});

test("a daemon announces no entry before the entry is on its disk", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b")];
  world.run(500);
  a.timeline.isStuck = true;
  const entry = entryOf(500);
  a.timeline.accept(entry);
  a.peering.pushOwn(entry);
  world.run(7000);
  assert.equal(world.countOf("offer") + world.countOf("push"), 0);
  a.timeline.release();
  world.run(50);
  assert.equal(entriesOf(b), 1);
});

test("a daemon alone reports that its entries are on its disk, and a daemon that connects later receives them", async () => {
  const world = new World();
  const a = world.add("a");
  world.run(500);

  a.timeline.isStuck = true;
  const [first, second] = [entryOf(500), entryOf(501)];
  a.timeline.accept(first);
  a.timeline.accept(second);
  a.peering.pushOwn(second);

  let isReplicated = false;
  void a.peering.replicated(orderKeyOf(first), 1).then(() => {
    isReplicated = true;
  });
  await Promise.resolve();
  assert.equal(isReplicated, false);

  a.timeline.release();
  world.run(25);
  await Promise.resolve();
  assert.equal(isReplicated, true);

  const b = world.add("b", { peers: ["a"] });
  world.run(5000);
  assert.equal(entriesOf(b), 2);
});

test("an entry that a client has sent to all is neither requested nor pushed", () => {
  const world = new World();
  const nodes = ["a", "b", "c"].map((name, i, names) => world.add(name, { peers: names.slice(0, i) }));
  world.run(500);
  const entry = entryOf(500);
  for (const node of nodes) node.timeline.accept(entry);
  world.run(10_000);
  assert.equal(world.countOf("want") + world.countOf("push"), 0);
  assert.ok(world.countOf("offer") <= 6);
});

test("an envelope that a daemon signed is pushed without a request, once", () => {
  const world = new World();
  const [a, b, c] = [world.add("a", { peers: ["b", "c"] }), world.add("b", { peers: ["c"] }), world.add("c")];
  world.run(500);
  const entry = entryOf(500);
  a.timeline.accept(entry);
  a.peering.pushOwn(entry);
  world.run(25);
  assert.equal(entriesOf(b) + entriesOf(c), 2);
  world.run(5000);
  assert.equal(world.countOf("push"), 2);
  assert.equal(world.countOf("want"), 0);
});

test("a member has what a daemon wrote to its disk before it stopped", () => {
  const world = new World();
  const [a, b] = world.addAll(["a", "b"]) as [Node, Node];
  world.run(5000);
  // A request for the entry would arrive too late.
  world.latencyMs = 100;
  const entry = entryOf(5000);
  a.timeline.accept(entry);
  world.run(25);
  a.peering.pushOwn(entry);
  a.peering.stop();
  world.run(5000);
  assert.equal(entriesOf(b), 1);
});

test("a member that connects receives what it is missing before what is new", () => {
  const world = new World();
  world.latencyMs = 20;
  const a = world.add("a", { peers: ["b"] });
  const entries = Array.from({ length: 200 }, (_, i) => entryOf(1000 + i));
  for (const entry of entries.slice(0, 100)) a.timeline.accept(entry);
  world.run(500);
  const b = world.add("b");
  for (const entry of entries.slice(100)) {
    a.timeline.accept(entry);
    a.peering.pushOwn(entry);
    world.run(10);
    const received = entries.map((one) => b.timeline.read(orderKeyOf(one)) !== null);
    assert.deepEqual(received, received.toSorted().reverse());
  }
  assert.ok(entriesOf(b) > 150);
});

test("new entries do not wait for a comparison that does not end", () => {
  const world = new World();
  world.latencyMs = 20;
  world.isLost = ({ kind }) => kind === "reconcile";
  const a = world.add("a");
  world.run(500);
  for (let i = 0; i < 100; i++) a.timeline.accept(entryOf(1000 + i));
  const b = world.add("b", { peers: ["a"] });
  world.run(200);
  const entry = entryOf(2000);
  a.timeline.accept(entry);
  a.peering.pushOwn(entry);
  world.run(500);
  assert.equal(entriesOf(b), 0);
  world.run(1000);
  assert.equal(entriesOf(b), 1);
});

test("a client's entry travels from one end of a chain to the other, without an echo", () => {
  const world = new World();
  const [a, b, c] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["c"] }), world.add("c")];
  world.run(500);
  world.seen.length = 0;
  for (let i = 0; i < 100; i++) a.timeline.accept(entryOf(500 + i));
  world.run(200);
  assert.ok(haveSameEntries(a, b, c));
  assert.equal(entriesOf(c), 100);
  assert.equal(world.countOf("push", "b", "a") + world.countOf("offer", "c", "b"), 0);
  assert.equal(world.countOf("push"), 2);
  world.run(20_000);
  assert.equal(world.countOf("push"), 2);
});

/** Creates a member that has requested an entry in vain from one of two members. The other one would send it. */
function requestedInVain() {
  const world = new World();
  const nodes = ["a", "b"].map((name) => world.add(name, { peers: ["c"] }));
  const c = world.add("c");
  world.run(500);
  const entry = entryOf(500);
  for (const { timeline } of nodes) {
    timeline.accept(entry);
    timeline.read = () => null;
  }
  world.run(100);
  const first = world.seen.find(({ kind }) => kind === "want")?.to as string;
  for (const { timeline, name } of nodes) if (name !== first) Reflect.deleteProperty(timeline, "read");
  return { world, c, first };
}

test("an entry is requested from one member at a time, and from the next if the first does not send it", () => {
  const { world, c } = requestedInVain();
  assert.equal(world.countOf("want"), 1);
  world.run(3200);
  assert.equal(world.countOf("want"), 2);
  assert.equal(entriesOf(c), 1);
});

test("a request to a member that disconnects is sent to another immediately", () => {
  const { world, c, first } = requestedInVain();
  world.kill(first);
  world.run(50);
  assert.equal(entriesOf(c), 1);
});

test("replicated resolves when the given number of daemons have the entry on disk, and not before", async () => {
  const world = new World();
  const [a, b, c] = [world.add("a", { peers: ["b", "c"] }), world.add("b"), world.add("c")];
  world.run(500);
  c.timeline.isStuck = true;

  const entry = entryOf(500);
  const done = [1, 2, 3].map(() => false);
  a.timeline.accept(entry);
  for (const count of [1, 2, 3]) {
    a.peering.replicated(orderKeyOf(entry), count).then(() => {
      done[count - 1] = true;
    });
  }
  await Promise.resolve();
  assert.deepEqual(done, [false, false, false]);

  world.settle();
  await Promise.resolve();
  await Promise.resolve();
  assert.deepEqual(done, [true, true, false]);

  world.run(3000);
  await Promise.resolve();
  assert.deepEqual(done, [true, true, false]);

  c.timeline.release();
  world.run(50);
  await Promise.resolve();
  assert.deepEqual(done, [true, true, true]);
  assert.equal(entriesOf(b), 1);
});

test("replicated counts daemons that received the entry from the client", async () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b")];
  world.run(500);
  const entry = entryOf(500);
  a.timeline.accept(entry);
  b.timeline.accept(entry);
  world.run(1000);
  let isDone = false;
  a.peering.replicated(orderKeyOf(entry), 2).then(() => {
    isDone = true;
  });
  await Promise.resolve();
  await Promise.resolve();
  assert.ok(isDone);
});

test("a member that does not acknowledge pushes receives no more than one window of bytes", () => {
  const world = new World();
  const limits = { windowBytes: 4096, batchBytes: 1024, batchEntries: 4 };
  const [a, b] = [world.add("a", { peers: ["b"], limits }), world.add("b")];
  world.run(500);

  b.timeline.isStuck = true;
  for (let i = 0; i < 200; i++) {
    const entry = entryOf(500 + i);
    a.timeline.accept(entry);
  }
  world.run(500);
  const bytes = world.seen.filter(({ kind }) => kind === "push").reduce((sum, seen) => sum + seen.bytes, 0);
  assert.ok(bytes > 2048 && bytes < 8192, `${bytes} bytes in flight`);

  b.timeline.isStuck = false;
  world.runUntil(() => {
    b.timeline.release();
    return haveSameEntries(a, b);
  });
});

test("a member that pushes more than the window allows is disconnected", () => {
  const world = new World();
  const big = { windowBytes: 1 << 20, batchBytes: 1024, batchEntries: 4 };
  const [a, b] = [
    world.add("a", { peers: ["b"], limits: big }),
    world.add("b", { limits: { windowBytes: 1024, batchBytes: 256, maxEnvelopeBytes: 1024 } }),
  ];
  world.run(500);
  b.timeline.isStuck = true;
  for (let i = 0; i < 200; i++) a.timeline.accept(entryOf(500 + i));
  world.run(500);
  assert.ok(b.lines.some(({ facts }) => facts["detail"] === "it pushes more than the window allows"));
});

test("an envelope of an unknown signer waits for the envelope that adds the signer's key", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { isUnknown: true })];
  world.run(500);
  for (let i = 0; i < 10; i++) a.timeline.accept(entryOf(500 + i));
  world.run(200);
  assert.deepEqual(b.peering.quarantined("unknown-signer"), { waiting: 10, dropped: 0 });
  const key = keyOf("client");
  b.known.set(key.id, key);
  world.run(1000);
  assert.deepEqual(b.peering.quarantined("unknown-signer"), { waiting: 0, dropped: 0 });
  assert.ok(haveSameEntries(a, b));
});

test("an entry that waits for a member list is not counted among those that wait for a key", () => {
  const world = new World();
  const b = world.add("b", {
    parts: { checkEntry: () => "unknown-list" },
    limits: { quarantineMs: 3000 },
  });
  const a = world.add("a", { peers: ["b"] });
  world.run(500);
  a.timeline.accept(entryOf(500));
  world.run(200);
  assert.deepEqual(b.peering.quarantined("unknown-list"), { waiting: 1, dropped: 0 });
  world.run(10_000);
  assert.ok(b.peering.quarantined("unknown-list").dropped > 0);
  assert.deepEqual(b.peering.quarantined("unknown-signer"), { waiting: 0, dropped: 0 });
});

test("the quarantine is bounded, and members send dropped entries again", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b"] });
  const b = world.add("b", { isUnknown: true, limits: { quarantineEntries: 5, quarantineMs: 3000 } });
  world.run(500);
  for (let i = 0; i < 10; i++) a.timeline.accept(entryOf(500 + i));
  world.run(10_000);
  const { waiting, dropped } = b.peering.quarantined("unknown-signer");
  assert.ok(waiting <= 5 && dropped >= 10);
  const key = keyOf("client");
  b.known.set(key.id, key);
  world.run(8000);
  assert.ok(haveSameEntries(a, b));
});

test("an entry dated too far ahead to be stored is sent again when its date is reached", () => {
  const world = new World();
  const a = world.add("a");
  const b = world.add("b", { peers: ["a"] });
  world.run(1000);
  b.timeline.roomUntil = EPOCH + 60_000;
  for (let i = 0; i < 30; i++) a.timeline.accept(entryOf(50_000 + 1000 * i));
  world.run(20_000);
  assert.equal(entriesOf(b), 11);
  assert.equal(b.peering.state, "live");
  assert.equal(b.peering.members[0]?.refusals, 0);
  assert.equal(b.lines.filter(({ text }) => text.includes("with future dates")).length, 1);
  b.timeline.roomUntil = EPOCH + 80_000;
  world.runUntil(() => haveSameEntries(a, b));
  assert.equal(entriesOf(b), 30);
});

test("entries with invalid signatures are refused and counted, and many of them disconnect the member for a while", () => {
  const world = new World();
  const limits = { maxRefusals: 3 };
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { limits })];
  world.run(500);
  const invalid = () => ({ ...entryOf(world.now), signature: Buffer.alloc(32) });
  a.timeline.accept(invalid());
  world.run(200);
  assert.equal(b.peering.members[0]?.refusals, 1);
  assert.equal(entriesOf(b), 0);

  a.timeline.accept(invalid());
  a.timeline.accept(invalid());
  world.run(200);
  assert.equal(b.peering.members.length, 0);

  const texts = b.lines.map(({ text }) => text);
  assert.equal(texts.filter((text) => text.startsWith("an entry from a member was refused")).length, 1);
  assert.ok(texts.some((text) => text.startsWith("Too many of its entries")));

  const before = world.countOf("proof");
  world.run(10_000);
  assert.equal(world.countOf("proof"), before);
});

// After 80 s the entry is too old for members to confirm that they received it.
for (const away of [40_000, 80_000]) {
  test(`a caller that waits for all members also waits for a member that is away for ${away} ms`, async () => {
    const world = new World();
    const names = ["a", "b", "c"];
    const [a, b, c] = world.addAll(names) as [Node, Node, Node];
    world.run(5000);

    for (const name of ["a", "b"]) world.cut.add(`${name} c`).add(`c ${name}`);
    world.breakAll((from, to) => from === "c" || to === "c");
    world.run(100);

    const entry = entryOf(5000);
    a.timeline.accept(entry);
    let isDone = false;
    a.peering.replicated(orderKeyOf(entry), 3).then(() => {
      isDone = true;
    });
    world.run(away);
    assert.ok(haveSameEntries(a, b) && !isDone);

    world.cut.clear();
    world.runUntil(() => haveSameEntries(a, b, c));
    world.run(2500);
    await Promise.resolve();
    assert.ok(isDone);
  });
}

test("an entry longer than members accept stays on its daemon, and the other entries are spread", () => {
  const world = new World();
  const limits = { maxEnvelopeBytes: 65_536 };
  const a = world.add("a", { limits });
  const b = world.add("b", { peers: ["a"], limits });
  world.run(1000);
  a.timeline.accept(entryOf(0, ["SET", "big", "x".repeat(3_000_000)]));
  for (let i = 1; i < 50; i++) {
    a.timeline.accept(entryOf(i));
    world.run(500);
  }
  assert.equal(entriesOf(b), 49);
  assert.equal(world.countOf("challenge", "b"), 1, "a and b stay connected");
  assert.equal(a.lines.filter(({ text }) => text.includes("longer than members accept")).length, 1);
});
