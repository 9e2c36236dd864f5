/**
 * Tests a daemon that is missing entries that other members have pruned: from which member it loads a snapshot, when,
 * and what it does if none arrives.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Entry, readOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import type { LostEntries } from "../../../../daemon/timeline/lost-entries.js";
import type { AdoptionHandlers } from "../../../../daemon/timeline/snapshot-transfer.js";
import type { SnapshotSeal } from "../../../../daemon/timeline/snapshots/snapshot-stores.js";
import type { Timeline } from "../../../../daemon/timeline/timeline.js";
import { ENTRY_ORDER_KEY_BYTES, hexOf } from "../../../../protocol/version-2/envelope.js";
import { sha256 } from "../../../simulation/signatures.js";
import { double } from "../../../support/double.js";
import { client, EPOCH, entryOf, keyOf } from "./entries.js";
import type { FakeTimeline } from "./fake-timeline.js";
import { haveSameEntries, type Line, type Node, World } from "./support.js";

const PRUNED = -50_500;

/** Adds twenty entries, a second apart. */
function fill(nodes: readonly Node[]): void {
  for (let i = 0; i < 20; i++) {
    const entry = entryOf(-60_000 + i * 1000);
    for (const { timeline } of nodes) timeline.accept(entry);
  }
}

/** A fake handover. Its snapshots consist of the order keys of the pruned entries. */
class FakeHandover {
  adoptions = 0;
  holds = 0;
  /** Milliseconds since 1970. */
  retainsFrom = Number.POSITIVE_INFINITY;
  readonly reported: string[] = [];
  readonly certified: number[] = [];
  votes: Buffer | null = null;
  wanted = 0;
  content: Buffer | null = null;
  room = Number.POSITIVE_INFINITY;
  /** The entries that an adopted snapshot does not contain. */
  orphaned: readonly Entry[] = [];
  /** Called for each part that arrives. */
  written = (): void => {};
  readonly #timeline: FakeTimeline;

  constructor(timeline: FakeTimeline) {
    this.#timeline = timeline;
  }

  /** Prunes up to a date. */
  prune(at: number): void {
    const orderKeys = [...this.#timeline.storage.orderKeys(null, null)].map((orderKey) =>
      Buffer.from(orderKey),
    );
    this.content = Buffer.concat(orderKeys.filter((orderKey) => readOrderKey(orderKey).at <= EPOCH + at));
    this.#timeline.prune(EPOCH + at);
  }

  sendable(cutAt: number) {
    const { content } = this;
    return content === null || cutAt !== this.#timeline.prunedTo
      ? null
      : { cutAt, bytes: content.length, chunks: [content] };
  }

  want(_after: number): void {
    this.wanted++;
  }

  get cuts() {
    const { content } = this;
    return content === null ? [] : [{ at: this.#timeline.prunedTo, ...sealOf(content) }];
  }

  hasLost(): boolean {
    return false;
  }

  certify(date: number): void {
    this.certified.push(date);
  }

  storeVotes(votes: Buffer, kept: () => void): void {
    this.votes = votes;
    kept();
  }

  hold(): void {
    this.holds++;
  }

  retainFrom(date: number): void {
    this.retainsFrom = date;
  }

  stage(cutAt: number) {
    const chunks: Buffer[] = [];
    const { room } = this;
    return {
      cutAt,
      room,
      write: (chunk: Buffer) => {
        chunks.push(Buffer.from(chunk));
        this.written();
      },
      read: () => chunks,
      get seal() {
        return sealOf(Buffer.concat(chunks));
      },
      commit: async () => {},
      settle: () => {},
      discard: () => void this.reported.push("discarded"),
    };
  }

  adopt(staged: ReturnType<FakeHandover["stage"]>, agreed: SnapshotSeal, owner: AdoptionHandlers): void {
    const { index, storage } = this.#timeline;
    const bytes = Buffer.concat(staged.read());
    if (staged.seal.seal !== agreed.seal || !owner.isWanted()) {
      owner.onFailed(new Error("not the one"));
      return;
    }

    this.adoptions++;
    owner.onAside("aside");
    const lost = (count: number): LostEntries => ({ count, entries: this.orphaned });
    owner.onOrphaned({ ...lost(2), possible: lost(9), unverifiable: lost(1), deadLetters: null });

    this.#timeline.prune(staged.cutAt);
    this.content = bytes;
    index.clear();
    for (let at = 0; at < bytes.length; at += ENTRY_ORDER_KEY_BYTES)
      index.add(readOrderKey(bytes.subarray(at, at + ENTRY_ORDER_KEY_BYTES)), false);
    for (const orderKey of storage.orderKeys(null, null)) index.add(readOrderKey(orderKey), false);
    owner.onAdopted();
  }
}

const sealOf = (content: Buffer): SnapshotSeal => ({ bytes: content.length, seal: sha256(content) });

function handoverOf({ timeline }: Node): FakeHandover {
  const handover = new FakeHandover(timeline);
  timeline.handover = double<Timeline["handover"]>(handover);
  return handover;
}

const linesOf = ({ lines }: Node, text: RegExp): readonly Line[] =>
  lines.filter((line) => text.test(line.text));

test("a joiner loads a live member's snapshot, then the later entries, and becomes live", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["a"] })];
  const given = [a, b].map(handoverOf);
  fill([a, b]);
  world.run(1000);
  for (const handover of given) handover.prune(PRUNED);
  const c = world.add("c", { peers: ["a", "b"] });
  const orphaned = Array.from({ length: 45 }, (_, at) => entryOf(at));
  handoverOf(c).orphaned = orphaned;
  const states = new Set<string>();

  world.runUntil(() => {
    states.add(c.peering.state);
    return c.peering.state === "live";
  });

  assert.deepEqual([...states], ["catching-up", "live"]);
  assert.ok(haveSameEntries(a, b, c));
  assert.equal(c.timeline.prunedTo, EPOCH + PRUNED);
  assert.deepEqual([c.peering.snapshots.taken, c.peering.snapshots.orphaned], [1, 3]);
  assert.equal(c.peering.snapshots.possiblyOrphaned, 9);

  for (const lost of [
    /does not contain; this daemon no longer/,
    /unknown whether/,
    /no other daemon can verify/,
  ])
    assert.equal(linesOf(c, lost).length, 3, "lost entries are logged, twenty in a line");
  const [named, ...more] = linesOf(c, /does not contain; this daemon no longer/).map(
    ({ facts }) => facts["entries"] as string[],
  );
  assert.deepEqual([named?.length, ...more.map(({ length }) => length)], [20, 20, 5]);
  assert.match(
    named?.[0] ?? "",
    new RegExp(`^2026-09-\\S+ ${hexOf(orphaned[0]?.id ?? "")} by ${hexOf(client.id)}: SET$`),
  );
  assert.equal(linesOf(c, /snapshot was adopted/).length, 1);

  world.run(60_000);
  assert.equal(c.peering.snapshots.taken, 1, "c has adopted one snapshot");
  assert.ok(
    given.some(({ holds }) => holds > 0),
    "the sender has kept the later entries",
  );
});

test("no snapshot is loaded while a member that is connected, or may still connect, can send the missing entries", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["a"] })];
  const d = world.add("d", { peers: ["a"] });
  const handover = handoverOf(a);
  const other = handoverOf(d);
  fill([a, b, d]);
  world.run(1000);
  handover.prune(PRUNED);
  const c = world.add("c", { peers: ["a", "b"], limits: { maxRequests: 10 } });
  handoverOf(c);
  world.runUntil(() => c.peering.state === "live");
  assert.ok(haveSameEntries(a, b, c));

  world.kill("b");
  world.kill("c");
  other.prune(PRUNED);

  const late = world.add("late", { peers: ["a", "d", "absent"] });
  handoverOf(late);
  world.run(9000);
  assert.equal(late.peering.snapshots.progress, null);
  assert.equal(world.countOf("snapshot-pull"), 0);
  world.runUntil(() => late.peering.snapshots.taken === 1);
  assert.equal(c.peering.snapshots.taken, 0);
});

test("live daemons load no snapshot after pruning", () => {
  const world = new World();
  const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["a"] })];
  fill([a, b]);
  world.runUntil(() => haveSameEntries(a, b) && b.peering.state === "live");
  for (const node of [a, b]) handoverOf(node).prune(PRUNED);
  world.run(60_000);
  assert.deepEqual([a.peering.state, b.peering.state], ["live", "live"]);
  assert.equal(world.countOf("snapshot-pull"), 0);
});

test("if a member sends no snapshot, or an unusable one, another member is tried", () => {
  const world = new World();
  const nodes = world.addAll(["a", "b", "d"]);
  const handovers = nodes.map(handoverOf);
  fill(nodes);
  world.run(1000);
  for (const handover of handovers) handover.prune(PRUNED);
  const [broken, silent] = handovers as [FakeHandover, FakeHandover];
  world.run(5000);
  broken.content = Buffer.alloc((broken.content as Buffer).length, 1);
  Object.defineProperty(silent, "sendable", { value: () => null });

  const c = world.add("c", { peers: ["a", "b", "d"] });
  const own = handoverOf(c);
  world.runUntil(() => c.peering.state === "live");

  assert.ok(haveSameEntries(c, ...nodes));
  const reasons = linesOf(c, /snapshot could not be loaded/).map(({ facts }) => facts["reason"]);
  assert.deepEqual(reasons, ["not the one", "it has no snapshot to send"]);
  assert.deepEqual(own.reported, ["discarded"]);
});

test("a member's snapshot uses no more than the available space", () => {
  const world = new World();
  const nodes = world.addAll(["a", "b"], { limits: { snapshotPartBytes: 100 } });
  fill(nodes);
  world.run(1000);
  const [first] = nodes.map(handoverOf).map((handover) => {
    handover.prune(PRUNED);
    return handover;
  }) as [FakeHandover];
  const { length } = first.content as Buffer;

  const c = world.add("c", { peers: ["a", "b"] });
  const own = handoverOf(c);
  own.room = length - 1;
  let parts = 0;
  own.written = () => void parts++;

  world.runUntil(() => linesOf(c, /snapshot could not be loaded/).length > 0);
  const [line] = linesOf(c, /snapshot could not be loaded/);
  assert.equal(
    line?.facts["reason"],
    `${length - 100} bytes are still missing, and there is space for ${length - 1}`,
  );
  assert.deepEqual([own.reported, parts], [["discarded"], 0]);

  own.room = Number.POSITIVE_INFINITY;
  world.runUntil(() => c.peering.state === "live");
  assert.ok(haveSameEntries(c, ...nodes));
});

test("a member that sends a different snapshot from the agreed one, or a longer one, is replaced by another", () => {
  const world = new World();
  const nodes = world.addAll(["a", "b", "d"], { limits: { snapshotPartBytes: 100 } });
  fill(nodes);
  world.run(1000);
  const [late, long] = nodes.map(handoverOf).map((handover) => {
    handover.prune(PRUNED);
    return handover;
  }) as [FakeHandover, FakeHandover];
  world.run(5000);

  const chunks = Array(1000).fill(Buffer.alloc(100));
  Object.defineProperty(long, "sendable", {
    value: () => ({ cutAt: EPOCH + PRUNED, bytes: 100_000, chunks }),
  });
  const { bytes } = late.cuts[0] as SnapshotSeal;
  Object.defineProperty(late, "sendable", { value: () => ({ cutAt: EPOCH - 1, bytes, chunks }) });

  const c = world.add("c", { peers: ["a", "b", "d"] });
  const own = handoverOf(c);
  let parts = 0;
  own.written = () => void parts++;
  world.runUntil(() => c.peering.state === "live");

  assert.ok(haveSameEntries(c, ...nodes));
  const reasons = linesOf(c, /snapshot could not be loaded/).map(({ facts }) => facts["reason"]);
  assert.deepEqual(reasons, [
    "it has no snapshot to send",
    "it sends a different snapshot from the one that was agreed on",
  ]);
  assert.equal(parts, Math.ceil(bytes / 100));
});

test("a member that disconnects during the transfer is replaced by another; a daemon requests a few parts at a time", () => {
  const world = new World();
  const nodes = world.addAll(["a", "b"], { limits: { snapshotPartBytes: 10 } });
  fill(nodes);
  world.run(1000);
  for (const node of nodes) handoverOf(node).prune(PRUNED);

  const c = world.add("c", { peers: ["a", "b"], limits: { snapshotPartBytes: 10 } });
  const waiting = new Map<string, number>();
  const note = (sender: string, change: 1 | -1) => waiting.set(sender, (waiting.get(sender) ?? 0) + change);
  let max = 0;
  let parts = 0;
  handoverOf(c).written = () => {
    const sender = c.peering.snapshots.progress?.address.slice(0, 1) as string;
    if (++parts === 3) world.breakAll((...pair) => pair.includes("c") && pair.includes(sender));
  };

  world.runUntil(() => c.peering.state === "live");
  for (const seen of world.seen) {
    if (seen.kind === "snapshot-pull") note(seen.to, 1);
    if (seen.kind === "snapshot-part") note(seen.from, -1);
    max = Math.max(max, ...waiting.values());
  }

  assert.equal(linesOf(c, /snapshot could not be loaded/).length, 1);
  assert.equal(max, 4);
  assert.ok(haveSameEntries(c, ...nodes));
});

test("members that were disconnected for longer than the retention time keep their data, until an operator chooses one", () => {
  const world = new World();
  const names = ["a", "b", "c"];
  const nodes = world.addAll(names);
  for (const name of names) for (const other of names) if (name !== other) world.cut.add(`${name} ${other}`);
  for (const [i, { timeline }] of nodes.entries())
    for (let left = 0; left < 20 + i; left++) timeline.accept(entryOf(-60_000 + left * 1000 + i));
  world.run(1000);
  for (const [i, node] of nodes.entries()) handoverOf(node).prune(PRUNED - 1000 * i);

  world.run(20_000);
  world.cut.clear();
  world.run(120_000);

  for (const { peering } of nodes) assert.equal(peering.snapshots.taken, 0);
  const live = nodes.filter(({ peering }) => peering.state === "live");
  assert.equal(live.length, 1, "the one with the most entries continues");

  const { name, key } = live[0] as Node;
  const expected = `--adopt ${Buffer.from(key.id, "latin1").toString("hex")}`;
  for (const node of nodes) {
    if (node.name === name) continue;
    assert.equal(node.peering.order, expected);
    assert.equal(linesOf(node, /too few have signed/)[0]?.facts["order"], expected);
  }
  for (const { peering } of nodes) peering.setOrder(keyOf(name).id);
  world.runUntil(
    () => nodes.every(({ peering }) => peering.state === "live") && haveSameEntries(...nodes),
    120_000,
  );
  for (const node of nodes) assert.equal(node.peering.snapshots.taken, node.name === name ? 0 : 1, node.name);
});

test("a daemon keeps entries that a connected member does not have, but not forever", () => {
  const world = new World();
  const a = world.add("a", { peers: ["b", "absent"], limits: { snapshotHoldMs: 60_000 } });
  const handover = handoverOf(a);
  world.run(5_000);
  assert.ok(handover.retainsFrom > EPOCH, "alone it waits for no member");
  const unsent = { at: EPOCH + 10, seq: 0, id: "unsent".padStart(32, "x") };
  a.timeline.index.add(unsent, false);
  const b = world.add("b");
  world.runUntil(() => handover.retainsFrom === 0);
  a.timeline.index.remove(unsent);
  world.runUntil(() => handover.retainsFrom > EPOCH && haveSameEntries(a, b));
  assert.equal(a.peering.stablePoint, 0, "nothing is final while a member is away");
  const before = handover.retainsFrom;
  world.run(10_000);
  assert.ok(handover.retainsFrom > before && handover.retainsFrom <= EPOCH + world.now);
  b.timeline.index.add({ at: EPOCH + 20, seq: 0, id: "unreadable".padStart(32, "x") }, false);
  world.run(5_000);
  const kept = handover.retainsFrom;
  world.run(40_000);
  assert.equal(handover.retainsFrom, kept);
  world.run(30_000);
  assert.equal(handover.retainsFrom, Number.POSITIVE_INFINITY);
});

test("of two daemons with equally many but different pruned entries, one yields if an operator orders it", () => {
  for (const extra of [0, 1])
    for (const isOrdered of [true, false]) {
      const world = new World();
      const orderOf = (other: string) => ({ order: isOrdered ? keyOf(other).id : null });
      const [a, b] = [
        world.add("a", { peers: ["b"], parts: orderOf("b") }),
        world.add("b", { peers: ["a"], parts: orderOf("a") }),
      ];
      const handovers = [a, b].map(handoverOf);
      fill([a, b]);
      world.runUntil(() => haveSameEntries(a, b) && b.peering.state === "live");
      world.cut.add("a b").add("b a");
      a.timeline.accept(entryOf(-59_500 + extra));
      b.timeline.accept(entryOf(-59_499 - extra));
      world.run(100);
      for (const handover of handovers) handover.prune(PRUNED);
      world.run(15_000);
      world.cut.clear();
      const taken = () => a.peering.snapshots.taken + b.peering.snapshots.taken;
      if (isOrdered)
        world.runUntil(
          () =>
            haveSameEntries(a, b) &&
            a.peering.state === "live" &&
            b.peering.state === "live" &&
            taken() === 1,
        );
      else world.run(60_000);
      assert.equal(taken(), isOrdered ? 1 : 0);
      if (isOrdered) continue;
      assert.deepEqual([a, b].map(({ peering }) => peering.state).sort(), ["catching-up", "live"]);
    }
});

test("a snapshot of a future date is loaded from no member", () => {
  const world = new World();
  for (const far of [60_000, 9e15 - EPOCH]) {
    const [a, b] = [world.add("a", { peers: ["b"] }), world.add("b", { peers: ["a"] })];
    const given = [a, b].map(handoverOf);
    fill([a, b]);
    world.run(1000);
    for (const handover of given) handover.prune(world.now + far);
    const taker = world.add("c", { peers: ["a", "b"] });
    handoverOf(taker);
    world.run(30_000);
    assert.equal(taker.peering.snapshots.taken, 0);
    assert.equal(world.countOf("snapshot-pull"), 0);
    for (const name of ["a", "b", "c"]) world.kill(name);
  }
});
