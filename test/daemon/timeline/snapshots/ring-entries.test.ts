/**
 * Tests that the key ring is part of a snapshot as the entries that made it, and that another daemon's snapshot is
 * verified completely.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { ringEntryCheck } from "../../../../daemon/cluster/replica/check-entry.js";
import { RING_BODY_BYTES_MAX } from "../../../../daemon/engine/pipeline/envelope-checks.js";
import { canonicalRing } from "../../../../daemon/store/canonical-state.js";
import { DATABASES_DEFAULT, Database } from "../../../../daemon/store/database.js";
import type { KeyRing } from "../../../../daemon/store/key-ring.js";
import { DigestIndex } from "../../../../daemon/timeline/compare/digest-index.js";
import {
  compareEntries,
  type Entry,
  orderKeyOf,
  writeOrderKey,
} from "../../../../daemon/timeline/entries/entry.js";
import { writeValue } from "../../../../daemon/timeline/entries/stored-value.js";
import type { Fold } from "../../../../daemon/timeline/fold/fold.js";
import { MemoryStorage } from "../../../../daemon/timeline/memory-storage.js";
import { makeSnapshot } from "../../../../daemon/timeline/snapshots/make-snapshot.js";
import { Refold } from "../../../../daemon/timeline/snapshots/refold.js";
import type { RefuseRingEntry } from "../../../../daemon/timeline/snapshots/ring-entries.js";
import {
  type ReadState,
  readSnapshot,
  writeSnapshot,
} from "../../../../daemon/timeline/snapshots/snapshot.js";
import { MemorySnapshots } from "../../../../daemon/timeline/snapshots/snapshot-stores.js";
import { finish } from "../../../../protocol/steps.js";
import { readEntryBody, writeDecision } from "../../../../protocol/version-2/decision-body.js";
import { hexOf, signedBytes } from "../../../../protocol/version-2/envelope.js";
import { amount } from "../../../support/amount.js";
import { makeKeyPair } from "../../../support/envelope-client.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { AT, PastScene } from "../../cluster/history/past-scene.js";
import { EPOCH } from "../../store/random-unit.js";
import { entryOf, genesisRing, KEY_IDS, RandomTimeline, SPKIS, withId } from "../support/random-timeline.js";
import { entryAt, hash, START } from "../support/timeline-subject.js";

const seed = seedOfRun();
const RUNS = amount(4, 20);
const END = Number.MAX_SAFE_INTEGER;

interface Kept {
  readonly storage: MemoryStorage;
  readonly genesis: () => KeyRing;
  readonly databases: number;
  readonly hash: typeof hash;
}

function keep(entries: readonly Entry[], genesis = () => genesisRing({ hasRoots: true })): Kept {
  const storage = new MemoryStorage();
  for (const entry of entries)
    storage.put([[writeOrderKey(orderKeyOf(entry)), writeValue(entry.body, entry.signature)]]);
  return { storage, genesis, databases: DATABASES_DEFAULT, hash };
}

/** Returns the fold of the entries without a snapshot. */
function foldOf(kept: Kept, until: number): Fold {
  const { steps } = new Refold({
    ...kept,
    snapshots: null,
    from: null,
    index: null,
    until,
    tailEnd: until,
    tailBytes: Number.POSITIVE_INFINITY,
    skips: () => false,
    found: () => {},
    damaged: () => assert.fail("an entry is damaged"),
  });
  return finish(steps);
}

/** Returns the result of reading a snapshot of the entries. @param by  the date of an earlier snapshot to make first */
function throughSnapshot(kept: Kept, to: number, by: number | null = null): ReadState {
  const snapshots = new MemorySnapshots();
  if (by !== null) makeSnapshot({ ...kept, snapshots, from: null, to: by });
  makeSnapshot({ ...kept, snapshots, from: by, to });
  return finish(readSnapshot(snapshots.read(to) as Iterable<Buffer>, kept));
}

/** Returns the bytes of the snapshot that a member with these entries makes, as hexadecimal digits. */
function snapshotText(kept: Kept, to: number): string {
  const snapshots = new MemorySnapshots();
  makeSnapshot({ ...kept, snapshots, from: null, to });
  return Buffer.concat([...(snapshots.read(to) as Iterable<Buffer>)]).toString("hex");
}

/** Returns the complete content of a key ring. */
const ringOf = (ring: KeyRing) =>
  [canonicalRing(ring), [...ring.named.all()].sort()].map((part) => [...part]);

const keyText = (number: number) => Buffer.from(SPKIS[number] as string, "latin1").toString("base64");
const hexId = (number: number) => hexOf(KEY_IDS[number] as string);
const ROOT = KEY_IDS[1];
const [ADDED, REVOKED, DENIED, DAEMON, MIXED] = [3, 4, 5, 6, 7] as const;

/** Returns one entry of each kind, a millisecond apart. */
function ringEntries(): Entry[] {
  return [
    entryAt(START, `KEY ADD ${keyText(ADDED)} LABEL added RULES +@all ~*`, ROOT),
    entryAt(START + 1, `KEY ADD ${keyText(REVOKED)}`, ROOT),
    entryAt(START + 2, `KEY RULES ${hexId(ADDED)} +@read %R~x:*`, ROOT),
    entryAt(START + 3, `KEY REVOKE ${hexId(REVOKED)}`, ROOT),
    // An application signs this entry. It is denied, but the key that it names is known.
    entryAt(START + 4, `KEY ADD ${keyText(DENIED)}`),
    entryAt(START + 5, `CLUSTER ADD ${keyText(DAEMON)} LABEL d`, ROOT),
    mixed(START + 6),
  ];
}

/** Returns an envelope with data and key ring commands: two units, as each command is one. */
function mixed(at: number): Entry {
  const { envelope } = entryAt(at, "SET mixed 1", ROOT);
  const commands = [...envelope.commands, ["KEY", "ADD", keyText(MIXED)]];
  return withId(entryOf({ ...envelope, commands }, ""));
}

test("a key ring is the same after snapshots, including denied entries and entries that also write data", () => {
  const entries = ringEntries();
  const kept = keep([...entries, entryAt(START + 10, "SET k v")]);
  const { ring } = foldOf(kept, END);
  assert.equal([...ring.all()].length, 3 + 4, "the ring includes the keys of genesis");
  assert.deepEqual(
    [DENIED, MIXED, ADDED].map((number) => ring.named.find(KEY_IDS[number] as string) === SPKIS[number]),
    [true, true, true],
  );

  for (const by of [null, START + 1, START + 6, START + 9]) {
    const read = throughSnapshot(kept, START + 20, by);
    assert.deepEqual(ringOf(read.ring), ringOf(ring), `by ${by}`);
    assert.deepEqual(read.ringEntries, entries);
    assert.deepEqual(canonicalRing(read.ring), canonicalRing(ring));
  }

  const early = throughSnapshot(kept, START + 2);
  assert.deepEqual(early.ringEntries, entries.slice(0, 3));
  assert.deepEqual(ringOf(early.ring), ringOf(foldOf(kept, START + 2).ring));
});

test(`a random key ring is the same after any snapshot (seed ${seed})`, () => {
  let added = 0;
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const timeline = new RandomTimeline(random);
    const entries = timeline.entries(120).map(withId);
    const kept = keep(entries, () => genesisRing(timeline.genesis));
    const dates = entries.map(({ envelope: { at } }) => at);
    const [by, to] = [random.oneOf(dates), random.oneOf(dates)].sort((a, b) => a - b) as [number, number];
    const { ring } = foldOf(kept, to);
    for (const read of [throughSnapshot(kept, to), throughSnapshot(kept, to, by)])
      assert.deepEqual(ringOf(read.ring), ringOf(ring), `run ${run}, ${by - EPOCH}, ${to - EPOCH}`);
    added += [...ring.named.all()].length;
  }
  assert.ok(added > RUNS / 2, `${added} keys`);
});

function snapshotOf(entries: readonly Entry[], cutAt: number): Buffer {
  const state = {
    database: new Database(),
    ringEntries: entries,
    cutAt,
    sums: new DigestIndex().serialise(cutAt),
  };
  return Buffer.concat([...writeSnapshot(state, hash)]);
}

function readAs(bytes: Buffer, genesis: () => KeyRing, refuses?: RefuseRingEntry): ReadState {
  return finish(readSnapshot([bytes], { genesis, databases: DATABASES_DEFAULT, hash }, refuses));
}

test("entries that are out of order, repeated, dated after the snapshot or malformed make a snapshot damaged", () => {
  const entries = ringEntries();
  const genesis = () => genesisRing({ hasRoots: true });
  const [first, second, ...remaining] = entries as [Entry, Entry, ...Entry[]];
  const last = entries.at(-1) as Entry;
  assert.deepEqual(readAs(snapshotOf(entries, last.envelope.at), genesis).ringEntries, entries);
  const malformed = { ...second, body: Buffer.concat([second.body, Buffer.from("more")]) };
  for (const [bytes, reason] of [
    [snapshotOf([second, first, ...remaining], START + 100), /out of order/],
    [snapshotOf([first, first, second], START + 100), /out of order/],
    [snapshotOf(entries, last.envelope.at - 1), /out of order/],
    [snapshotOf([first, malformed, ...remaining], START + 100), /malformed/],
    [snapshotOf([{ ...first, body: Buffer.alloc(0) }], START + 100), /malformed/],
  ] as const)
    assert.throws(() => readAs(bytes, genesis), { name: "DamagedSnapshot", message: reason });
});

test("each ring entry of another daemon's snapshot is verified with the key ring before the entry", () => {
  const entries = ringEntries();
  const genesis = () => genesisRing({ hasRoots: true });

  const judged: [Entry, number][] = [];
  const bytes = snapshotOf(entries, START + 100);
  const { ring } = readAs(bytes, genesis, (entry, before) => {
    judged.push([entry, [...before.all()].length]);
    return null;
  });

  assert.deepEqual(
    judged.map(([entry]) => entry),
    entries,
  );
  assert.deepEqual(
    judged.map(([, keys]) => keys),
    [3, 4, 5, 5, 5, 5, 6],
  );
  assert.equal([...ring.all()].length, 7);

  const refused = entries[4] as Entry;
  assert.throws(() => readAs(bytes, genesis, ({ id }) => (id === refused.id ? "bad-signature" : null)), {
    name: "DamagedSnapshot",
    message: "an entry of the key ring is refused: bad-signature",
  });
});

test("a daemon refuses ring entries without a valid signature, of another cluster, or for a single daemon", () => {
  const scene = new PastScene();
  const { app, root, signers } = scene;
  const [added, unknownKey] = [makeKeyPair(), makeKeyPair()];
  const add = (pair = makeKeyPair()) => [`KEY ADD ${scene.publicText(pair)}`];

  const rightful = [
    scene.entry(root, 1, [`KEY ADD ${scene.publicText(added)} RULES +@all ~*`]),
    scene.entry(added, 2, add()),
    scene.entry(app, 3, add()),
  ];
  const [first] = rightful as [Entry];

  const refuses = ringEntryCheck(signers);
  const readWith = (...entries: Entry[]) =>
    readAs(snapshotOf([...rightful, ...entries].sort(compareEntries), AT + 100), signers.makeRing, refuses);
  assert.equal([...readWith().ring.all()].length, 4, "a key added by an application is denied");

  const by = scene.entry(root, 5, add());
  for (const [entry, code] of [
    [{ ...by, signature: Buffer.alloc(64) }, "bad-signature"],
    [{ ...by, signature: first.signature }, "bad-signature"],
    [scene.entry({ ...root, id: app.id }, 5, add()), "bad-signature"],
    [scene.entry(unknownKey, 5, add()), "unknown-signer"],
    [scene.entry(added, 0, add()), "unknown-signer"],
    [scene.entry(root, 5, add(), { cluster: "x".repeat(32) }), "wrong-cluster"],
    [scene.entry(root, 5, add(), { only: "d".repeat(32) }), "wrong-daemon"],
    [scene.entry(root, 5, [...add(), "SET k v"]), "not-alone"],
    [scene.entry(root, 5, [`KEY REVOKE ${"0".repeat(RING_BODY_BYTES_MAX)}`]), "ring-too-long"],
  ] as const)
    assert.throws(() => readWith(entry), {
      name: "DamagedSnapshot",
      message: `an entry of the key ring is refused: ${code}`,
    });
});

test("members that have the votes of different majorities for a pattern make the same snapshot", () => {
  const unit = entryAt(START, "CLUSTER DECIDE lock:*", ROOT);
  const position = { slot: 1, index: 0, count: 1, previous: null, at: START, seq: 0 };
  const body = writeDecision({ ...position, outcomes: ["applied"], unit });
  const write = entryAt(START + 1, "SET k v");
  const snapshots = ["votes of a and b", "votes of b and c, which are longer"].map((votes) => {
    const signature = Buffer.from(votes);
    const decision = { id: hash(signedBytes(body)), body, signature, envelope: readEntryBody(body) };
    const kept = keep([decision, write]);
    assert.equal(throughSnapshot(kept, START + 20, START + 10).ring.patterns.all.length, 1);
    return snapshotText(kept, START + 20);
  });
  assert.equal(snapshots[0], snapshots[1]);
});
