/** Tests how members close their dates for clients that follow streams, and which members these do not wait for. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PEERING_LIMITS } from "../../../../../daemon/cluster/peers/shared/peering-limits.js";
import { EPOCH, entryOf } from "../entries.js";
import { entriesOf, type Node, type NodeOptions, World } from "../support.js";

const { closeMs, closeAheadMs } = PEERING_LIMITS;

/** A follower that waits for a date at a node. */
function wait(node: Node, at: number): { isDone: boolean } {
  const waiting = { isDone: false };
  node.peering.closing.close(at, () => void (waiting.isDone = true));
  return waiting;
}

/** Advances the time, and lets promises settle in between. */
async function run(world: World, milliseconds: number): Promise<void> {
  for (let passed = 0; passed < milliseconds; passed += 25) {
    world.run(25);
    await new Promise(setImmediate);
    world.settle();
    await new Promise(setImmediate);
  }
}

/** Starts connected nodes that have compared their entries, and have applied all of them. */
async function connected(names: readonly string[], options: NodeOptions = {}): Promise<[World, ...Node[]]> {
  const world = new World();
  const nodes = world.addAll(names, options);
  await run(world, 3000);
  for (const { timeline } of nodes) timeline.foldedTo = Number.POSITIVE_INFINITY;
  return [world, ...nodes];
}

const now = (world: World): number => EPOCH + world.now;

test("a daemon without members waits for nothing, and nothing is requested without a follower", async () => {
  const world = new World();
  const alone = world.add("a");
  assert.equal(alone.peering.closing.closedTo(), Number.POSITIVE_INFINITY);
  assert.ok(wait(alone, EPOCH).isDone);
  const [pair, a] = (await connected(["a", "b"])) as [World, Node, Node];
  for (let i = 0; i < 20; i++) {
    const entry = entryOf(pair.now + i);
    a.timeline.accept(entry);
    a.peering.pushOwn(entry);
    a.timeline.newest.at = entry.envelope.at;
    await run(pair, 50);
  }
  await run(pair, 20_000);
  assert.equal(pair.countOf("close-dates") + pair.countOf("dates-closed"), 0);
});

test("a member that is requested to close a date signs nothing more with it, and answers within a round trip", async () => {
  const [world, a, b] = (await connected(["a", "b"])) as [World, Node, Node];
  world.latencyMs = 75;
  const at = now(world) + 1900;
  const waiting = wait(a, at);
  await run(world, 75);
  assert.equal(b.timeline.ownDates.closedTo, at, "no clock is waited for");
  assert.equal(waiting.isDone, false);
  await run(world, 75);
  assert.ok(waiting.isDone);
  assert.equal(a.peering.closing.closedTo(), at);
  assert.ok(wait(a, at - 1).isDone);
  assert.equal(world.countOf("close-dates"), 1);
});

test("an answer waits until what was signed before is on the disk, and is received after it", async () => {
  const [world, a, b] = (await connected(["a", "b"])) as [World, Node, Node];
  b.timeline.isStuck = true;
  const entry = entryOf(world.now);
  b.timeline.accept(entry);
  b.peering.pushOwn(entry);

  const waiting = wait(a, now(world));
  await run(world, 200);
  assert.deepEqual([waiting.isDone, world.countOf("dates-closed")], [false, 0]);

  b.timeline.release();
  await run(world, 25);
  const order = world.seen.filter(({ from, kind }) => from === "b" && /^(push|dates-closed)$/.test(kind));
  assert.deepEqual(
    order.map(({ kind }) => kind),
    ["push", "dates-closed"],
  );
  assert.deepEqual([waiting.isDone, entriesOf(a)], [true, 1]);
});

test("an answer counts only when the entries before it are on this disk and in the state", async () => {
  const [world, a, b] = (await connected(["a", "b"])) as [World, Node, Node];
  a.timeline.foldedTo = now(world) - 1;
  // An entry of a script has a later date than the ids that the script has chosen.
  const entry = entryOf(world.now + 90);
  b.timeline.accept(entry);
  b.peering.pushOwn(entry);
  const waiting = wait(a, now(world));
  await run(world, 100);
  assert.equal(world.countOf("dates-closed"), 1);
  a.timeline.foldedTo = EPOCH + world.now - 11;
  a.peering.closing.folded();
  assert.equal(waiting.isDone, false);
  a.timeline.foldedTo = Number.POSITIVE_INFINITY;
  a.peering.closing.folded();
  assert.ok(waiting.isDone);
});

test("followers wait for missing decisions, also if they do not wait for a member", async (t) => {
  const [world, a] = (await connected(["a", "b"])) as [World, Node, Node];
  let completeTo = now(world);
  t.mock.getter(a.peering.decisions, "completeTo", () => completeTo);
  assert.ok(wait(a, 0).isDone);
  world.stop("b");
  const waiting = wait(a, now(world) + 10);
  await run(world, 2 * closeMs);
  assert.deepEqual([waiting.isDone, a.peering.closing.gaps], [false, 1]);
  assert.equal(a.peering.closing.closedTo(), completeTo);
  completeTo = Number.POSITIVE_INFINITY;
  await run(world, 50);
  assert.ok(waiting.isDone);
});

test("many followers and many entries share requests, and later dates do not wait for earlier answers", async () => {
  const [world, a] = (await connected(["a", "b", "c"])) as [World, Node, Node, Node];
  world.latencyMs = 100;
  const first = now(world);
  const waiting = Array.from({ length: 50 }, () => wait(a, first));
  await run(world, 100);
  const later = Array.from({ length: 50 }, (_, i) => wait(a, first + 1 + (i % 2)));
  await run(world, 100);
  assert.ok(waiting.every(({ isDone }) => isDone));
  await run(world, 100);
  assert.ok(later.every(({ isDone }) => isDone));
  assert.equal(world.countOf("close-dates", "a", "b"), 3);
  assert.equal(world.countOf("close-dates", "a", "c"), 3);
});

test("a member that does not answer is left out after 500 ms, and waited for again once it answers", async () => {
  const [world, a, b, c] = (await connected(["a", "b", "c"])) as [World, Node, Node, Node];
  const leftOut = () => [b, c].map(({ key }) => a.peering.closing.isLeftOut(key.id));

  world.stop("b");
  const waiting = wait(a, now(world));
  await run(world, closeMs - 25);
  assert.equal(waiting.isDone, false);
  await run(world, 50);
  assert.deepEqual([waiting.isDone, leftOut(), a.peering.closing.gaps], [true, [true, false], 1]);
  assert.ok(a.lines.some(({ text }) => text.startsWith("a member has not closed its dates in time")));

  const next = wait(a, now(world));
  await run(world, 25);
  assert.ok(next.isDone, "followers do not wait for it");

  a.peering.closing.closedTo();
  world.wake("b");
  await run(world, 2 * closeMs);
  a.peering.closing.closedTo();
  await run(world, 50);
  assert.deepEqual([leftOut(), a.peering.closing.gaps], [[false, false], 1]);
});

test("a member that was left out is requested again only while clients follow", async () => {
  const [world, a] = (await connected(["a", "b"])) as [World, Node, Node];
  world.latencyMs = 300;
  const waiting = wait(a, now(world));
  a.peering.closing.closedTo();
  await run(world, PEERING_LIMITS.followedMs + closeMs);
  assert.ok(waiting.isDone);
  const requests = world.countOf("close-dates");
  assert.ok(requests > 2, `${requests} requests`);
  await run(world, 10_000);
  assert.equal(world.countOf("close-dates"), requests);
});

test("a member that disconnects counts like one that does not answer, and what it has closed stays closed", async () => {
  const [world, a, b] = (await connected(["a", "b"])) as [World, Node, Node];
  const closed = now(world);
  wait(a, closed);
  await run(world, 25);

  world.cut.add("a b");
  world.cut.add("b a");
  world.breakAll(() => true);
  assert.ok(wait(a, closed).isDone);

  const waiting = wait(a, closed + 1);
  await run(world, closeMs - 25);
  assert.equal(waiting.isDone, false);
  await run(world, 50);
  assert.ok(waiting.isDone && a.peering.closing.isLeftOut(b.key.id));

  world.cut.clear();
  for (let i = 0; i < 40 && a.peering.closing.isLeftOut(b.key.id); i++) {
    a.peering.closing.closedTo();
    await run(world, 500);
  }
  assert.equal(a.peering.closing.isLeftOut(b.key.id), false);
});

test("a member cannot close another daemon's dates far ahead of that daemon's clock", async () => {
  const [world, a, b] = (await connected(["a", "b"])) as [World, Node, Node];
  const at = now(world) + 60_000;
  const waiting = wait(a, at);
  await run(world, closeMs + 50);
  assert.ok(b.timeline.ownDates.closedTo <= now(world) + closeAheadMs);
  assert.ok(waiting.isDone && a.peering.closing.isLeftOut(b.key.id));
  // The date of the newest entry is closed although it is further ahead, because the next write is dated after it.
  const newest = now(world) + 4000;
  b.timeline.newest.at = newest;
  a.timeline.newest.at = newest;
  a.peering.closing.closedTo();
  await run(world, 100);
  assert.equal(b.timeline.ownDates.closedTo, newest);
  assert.equal(a.peering.closing.closedTo(), newest);
});

test("an answer that was not requested does not count", async () => {
  const [world, a, b] = (await connected(["a", "b"])) as [World, Node, Node];
  const at = now(world);
  a.peering.closing.closed({ id: b.key.id, newestPushed: 0 } as never, { requested: at, at });
  assert.equal(a.peering.closing.closedTo(), 0);
});

test("entries that no push contained are compared before dates count as closed", async () => {
  const [world, a, b] = (await connected(["a", "b"], { limits: { maxUrgentBytes: 1 } })) as [
    World,
    Node,
    Node,
  ];
  for (let i = 0; i < 3; i++) {
    const entry = entryOf(world.now + i);
    b.timeline.accept(entry);
    b.peering.pushOwn(entry);
  }
  wait(a, now(world) + 2);
  for (let i = 0; i < 1000 && world.countOf("dates-closed", "b") === 0; i++) await run(world, 25);
  assert.deepEqual([world.countOf("dates-closed", "b"), entriesOf(a)], [1, 3]);
});

test("an answer does not count while a member's first entries wait for its key to be applied", async () => {
  const [world, a, b] = (await connected(["a", "b"])) as [World, Node, Node];
  const entry = entryOf(world.now, ["XADD", "s", "*", "f", "v"], b.key);
  b.known.set(b.key.id, b.key);
  a.known.delete(b.key.id);
  b.timeline.accept(entry);
  b.peering.pushOwn(entry);

  const waiting = wait(a, now(world) + 1);
  await run(world, 200);
  assert.deepEqual([entriesOf(a), waiting.isDone, world.countOf("dates-closed") > 0], [0, false, true]);

  a.known.set(b.key.id, b.key);
  for (let i = 0; i < 1000 && a.peering.closing.closedTo() === 0; i++) await run(world, 25);
  for (let i = 0; i < 1000 && a.peering.closing.isLeftOut(b.key.id); i++) {
    a.peering.closing.closedTo();
    await run(world, 25);
  }
  assert.deepEqual([entriesOf(a), a.peering.closing.isLeftOut(b.key.id)], [1, false]);
});

test("a pause of this process does not leave out a member whose answer was waiting meanwhile", async () => {
  const [world, a, b] = (await connected(["a", "b"])) as [World, Node, Node];
  world.stop("a");
  const waiting = wait(a, now(world));
  await run(world, closeMs + 200);
  // The timers of a process run before it reads what has arrived.
  a.peering.tick();
  assert.deepEqual([waiting.isDone, a.peering.closing.isLeftOut(b.key.id)], [false, false]);
  world.wake("a");
  await run(world, 25);
  assert.deepEqual([waiting.isDone, a.peering.closing.gaps], [true, 0]);
});

test("pauses that follow each other do not make followers wait for a member that does not answer", async () => {
  const [world, a] = (await connected(["a", "b"])) as [World, Node, Node];
  world.stop("b");
  const waiting = wait(a, now(world));
  for (let i = 0; i < 2; i++) {
    world.scheduler.time += closeMs;
    a.peering.tick();
  }
  assert.ok(waiting.isDone);
});
