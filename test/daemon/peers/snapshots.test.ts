/** A member that lacks what others have forgotten takes a snapshot: from whom, when, and what if it does not come. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { PLACE_BYTES, readPlace } from "../../../timeline/entry.js";
import type { AdoptionOwner } from "../../../timeline/handover.js";
import { EPOCH, entryOf } from "./entries.js";
import type { FakeTimeline } from "./fake-timeline.js";
import { isLevel, type Line, type Node, World } from "./support.js";

const PRUNED = -50_500;

/** Twenty entries, a second apart. */
function fill(nodes: readonly Node[]): void {
  for (let i = 0; i < 20; i++) {
    const entry = entryOf(-60_000 + i * 1000);
    for (const { timeline } of nodes) timeline.take(entry);
  }
}

/** The places that the index counts stand for a snapshot. */
class FakeHandover {
  adoptions = 0;
  holds = 0;
  /** Since 1970. */
  keepsFrom = Number.POSITIVE_INFINITY;
  readonly told: string[] = [];
  content: Buffer | null = null;
  room = Number.POSITIVE_INFINITY;
  /** Called with each part that comes. */
  written = (): void => {};
  readonly #timeline: FakeTimeline;

  constructor(timeline: FakeTimeline) {
    this.#timeline = timeline;
  }

  /** Forgets up to a time. */
  prune(at: number): void {
    const places = [...this.#timeline.storage.places(null, null)].map((place) => Buffer.from(place));
    this.content = Buffer.concat(places.filter((place) => readPlace(place).at <= EPOCH + at));
    this.#timeline.prune(EPOCH + at);
  }

  get givable() {
    const { content } = this;
    return content === null
      ? null
      : { cutAt: this.#timeline.prunedTo, bytes: content.length, chunks: [content] };
  }

  hold(): void {
    this.holds++;
  }

  keepFrom(date: number): void {
    this.keepsFrom = date;
  }

  stage(cutAt: number) {
    const chunks: Buffer[] = [];
    const { room } = this;
    return {
      ...{ cutAt, room },
      write: (chunk: Buffer) => {
        chunks.push(Buffer.from(chunk));
        this.written();
      },
      read: () => chunks,
      commit: async () => {},
      settle: () => {},
      discard: () => void this.told.push("discarded"),
    };
  }

  adopt(staged: ReturnType<FakeHandover["stage"]>, owner: AdoptionOwner): void {
    const { index, storage } = this.#timeline;
    const bytes = Buffer.concat(staged.read());
    if (bytes.length % PLACE_BYTES !== 0) {
      owner.failed(new Error("damaged"));
      return;
    }
    this.adoptions++;
    owner.strays({ count: 2, entries: [], unverifiable: { count: 1, entries: [] } });
    this.#timeline.prune(staged.cutAt);
    this.content = bytes;
    index.clear();
    for (let at = 0; at < bytes.length; at += PLACE_BYTES)
      index.add(readPlace(bytes.subarray(at, at + PLACE_BYTES)), false);
    for (const place of storage.places(null, null)) index.add(readPlace(place), false);
    owner.adopted();
  }
}

function handoverOf({ timeline }: Node): FakeHandover {
  const handover = new FakeHandover(timeline);
  timeline.handover = handover;
  return handover;
}

const linesOf = ({ lines }: Node, text: RegExp): readonly Line[] =>
  lines.filter((line) => text.test(line.text));

test("a joiner takes a live member's snapshot, then the rest, and is live", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["a"] })];
  const given = [a, b].map(handoverOf);
  fill([a, b]);
  world.run(1000);
  for (const handover of given) handover.prune(PRUNED);
  const c = world.add("c", { peers: ["a", "b"] });
  handoverOf(c);
  const states = new Set<string>();
  world.runUntil(() => {
    states.add(c.peering.state);
    return c.peering.state === "live";
  });
  assert.deepEqual([...states], ["catching-up", "live"]);
  assert.ok(isLevel(a, b, c));
  assert.equal(c.timeline.prunedTo, EPOCH + PRUNED);
  assert.deepEqual([c.peering.snapshots.taken, c.peering.snapshots.strays], [1, 3]);
  for (const lost of [/may not be made of/, /no other daemon can verify/])
    assert.equal(linesOf(c, lost).length, 1, "what is lost is told");
  assert.equal(linesOf(c, /is taken over/).length, 1);
  world.run(60_000);
  assert.equal(c.peering.snapshots.taken, 1, "once");
  assert.ok(
    given.some(({ holds }) => holds > 0),
    "the giver kept what came behind it",
  );
});

test("no snapshot is taken while somebody who is connected, or may come yet, can give what lacks", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["a"] })];
  const handover = handoverOf(a);
  fill([a, b]);
  world.run(1000);
  handover.prune(PRUNED);
  const c = world.add("c", { peers: ["a", "b"], limits: { maxWants: 10 } });
  handoverOf(c);
  world.runUntil(() => c.peering.state === "live");
  assert.ok(isLevel(a, b, c));
  const late = world.add("late", { peers: ["a", "absent"] });
  handoverOf(late);
  world.run(9000);
  assert.equal(late.peering.snapshots.progress, null);
  assert.equal(world.countOf("snapshot-pull"), 0);
  world.runUntil(() => late.peering.snapshots.taken === 1);
  assert.equal(c.peering.snapshots.taken, 0);
});

test("a daemon that lacks nothing, or is live, takes none", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["a"] })];
  fill([a, b]);
  world.runUntil(() => isLevel(a, b) && b.peering.state === "live");
  for (const node of [a, b]) handoverOf(node).prune(PRUNED);
  world.run(60_000);
  assert.deepEqual([a.peering.state, b.peering.state], ["live", "live"]);
  assert.equal(world.countOf("snapshot-pull"), 0);
});

test("after one that does not give, or gives what cannot be used, another member is asked", () => {
  const world = new World();
  const nodes = ["a", "b", "d"].map((name, _, names) =>
    world.add(name, { peers: names.filter((other) => other !== name) }),
  );
  const handovers = nodes.map(handoverOf);
  fill(nodes);
  world.run(1000);
  for (const handover of handovers) handover.prune(PRUNED);
  const [broken, silent] = handovers as [FakeHandover, FakeHandover];
  broken.content = Buffer.alloc(100, 1);
  Object.defineProperty(silent, "givable", { value: null });
  const c = world.add("c", { peers: ["a", "b", "d"] });
  const own = handoverOf(c);
  world.runUntil(() => c.peering.state === "live");
  assert.ok(isLevel(c, ...nodes));
  const reasons = linesOf(c, /no snapshot could be taken/).map(({ facts }) => facts["reason"]);
  assert.deepEqual(reasons, ["damaged", "it has none to give"]);
  assert.deepEqual(own.told, ["discarded"]);
});

test("a member's snapshot takes no room that is not there, whatever the member says of its length", () => {
  const world = new World();
  const nodes = ["a", "b"].map((name, _, names) =>
    world.add(name, { peers: names.filter((other) => other !== name), limits: { snapshotPartBytes: 100 } }),
  );
  fill(nodes);
  world.run(1000);
  const [liar, honest] = nodes.map(handoverOf) as [FakeHandover, FakeHandover];
  for (const handover of [liar, honest]) handover.prune(PRUNED);
  const chunks = Array(1000).fill(Buffer.alloc(100));
  Object.defineProperty(liar, "givable", { value: { cutAt: EPOCH + PRUNED, bytes: 100_000, chunks } });
  const c = world.add("c", { peers: ["a", "b"] });
  const own = handoverOf(c);
  own.room = 50_000;
  let parts = 0;
  own.written = () => void parts++;
  world.runUntil(() => c.peering.state === "live");
  assert.ok(isLevel(c, ...nodes));
  const reasons = linesOf(c, /no snapshot could be taken/).map(({ facts }) => facts["reason"]);
  assert.deepEqual(reasons, ["99900 bytes are still to come, and there is room for 50000"]);
  assert.deepEqual(own.told, ["discarded"]);
  assert.equal(parts, Math.ceil((honest.content as Buffer).length / 100));
});

test("a member that goes away in the middle is left for another; parts are asked for a few at a time", () => {
  const world = new World();
  const nodes = ["a", "b"].map((name, _, names) =>
    world.add(name, { peers: names.filter((other) => other !== name), limits: { snapshotPartBytes: 10 } }),
  );
  fill(nodes);
  world.run(1000);
  for (const node of nodes) handoverOf(node).prune(PRUNED);
  const c = world.add("c", { peers: ["a", "b"], limits: { snapshotPartBytes: 10 } });
  const waiting = new Map<string, number>();
  const note = (giver: string, change: 1 | -1) => waiting.set(giver, (waiting.get(giver) ?? 0) + change);
  let most = 0;
  let parts = 0;
  handoverOf(c).written = () => {
    const giver = c.peering.snapshots.progress?.address.slice(0, 1) as string;
    if (++parts === 3) world.breakAll((...pair) => pair.includes("c") && pair.includes(giver));
  };
  world.runUntil(() => c.peering.state === "live");
  for (const seen of world.seen) {
    if (seen.kind === "snapshot-pull") note(seen.to, 1);
    if (seen.kind === "snapshot-part") note(seen.from, -1);
    most = Math.max(most, ...waiting.values());
  }
  assert.equal(linesOf(c, /no snapshot could be taken/).length, 1);
  assert.equal(most, 4);
  assert.ok(isLevel(c, ...nodes));
});

test("of members that were apart for longer than they keep anything one stays as it is, and the others take its snapshot", () => {
  const world = new World();
  const names = ["a", "b", "c"];
  const nodes = names.map((name) => world.add(name, { peers: names.filter((other) => other !== name) }));
  for (const name of names) for (const other of names) if (name !== other) world.cut.add(`${name} ${other}`);
  for (const [i, { timeline }] of nodes.entries())
    for (let left = 0; left < 20 + i; left++) timeline.take(entryOf(-60_000 + left * 1000 + i));
  world.run(1000);
  for (const [i, node] of nodes.entries()) handoverOf(node).prune(PRUNED - 1000 * i);
  world.cut.clear();
  world.runUntil(() => nodes.every(({ peering }) => peering.state === "live") && isLevel(...nodes));
  assert.equal(nodes.filter(({ peering }) => peering.snapshots.taken === 0).length, 1);
});

test("what a connected member does not hold alike is kept, whoever else is away, and not for ever", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b", "absent"], limits: { snapshotHoldMs: 60_000 } });
  const handover = handoverOf(a);
  world.run(5_000);
  assert.ok(handover.keepsFrom > EPOCH, "alone it waits for nobody");
  const b = world.add("b");
  world.runUntil(() => handover.keepsFrom === 0);
  world.runUntil(() => handover.keepsFrom > EPOCH && isLevel(a, b));
  assert.equal(a.peering.stablePoint, 0, "nothing is final while somebody is away");
  const before = handover.keepsFrom;
  world.run(10_000);
  assert.ok(handover.keepsFrom > before && handover.keepsFrom <= EPOCH + world.now);
  b.timeline.index.add({ at: EPOCH + 20, seq: 0, id: "unreadable".padStart(32, "x") }, false);
  world.run(5_000);
  const kept = handover.keepsFrom;
  world.run(40_000);
  assert.equal(handover.keepsFrom, kept);
  world.run(30_000);
  assert.equal(handover.keepsFrom, Number.POSITIVE_INFINITY);
});

test("of two that hold as many entries, but not the same, and have both forgotten them, one gives way", () => {
  for (const extra of [0, 1]) {
    const world = new World();
    const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["a"] })];
    const handovers = [a, b].map(handoverOf);
    fill([a, b]);
    world.runUntil(() => isLevel(a, b) && b.peering.state === "live");
    world.cut.add("a b").add("b a");
    a.timeline.take(entryOf(-59_500 + extra));
    b.timeline.take(entryOf(-59_499 - extra));
    world.run(100);
    for (const handover of handovers) handover.prune(PRUNED);
    world.run(15_000);
    world.cut.clear();
    world.runUntil(() => isLevel(a, b) && a.peering.state === "live" && b.peering.state === "live");
    assert.equal(a.peering.snapshots.taken + b.peering.snapshots.taken, 1);
  }
});

test("dates that no calendar has, as a member may tell them, are told as numbers", () => {
  const world = new World();
  const far = 9e15;
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["a"] })];
  const given = [a, b].map(handoverOf);
  fill([a, b]);
  world.run(1000);
  for (const handover of given) handover.prune(far - EPOCH);
  const [taker, other] = [world.add("c", { peers: ["a", "b"] }), world.add("d", { peers: ["a", "b"] })];
  handoverOf(taker);
  world.runUntil(() => taker.peering.snapshots.taken === 1);
  assert.equal(linesOf(taker, /may not be made of/)[0]?.facts["upTo"], `${far} ms`);
  world.runUntil(() => linesOf(other, /does not keep any more/).length > 0);
  assert.equal(linesOf(other, /does not keep any more/)[0]?.facts["keepsFrom"], `${far + 1} ms`);
});
