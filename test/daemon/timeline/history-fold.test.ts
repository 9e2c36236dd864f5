/** Tests recalls: from a snapshot or from the beginning, the state at a date is that of the entries up to the date. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { canonicalRing, canonicalState } from "../../../daemon/store/canonical-state.js";
import type { Entry } from "../../../daemon/timeline/entries/entry.js";
import type { Fold } from "../../../daemon/timeline/fold/fold.js";
import { RECALL_MS_MAX, RecallFailure, Recalls } from "../../../daemon/timeline/history-fold.js";
import { makeSnapshot } from "../../../daemon/timeline/snapshots/make-snapshot.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { AT, MemorySnapshots, PastScene } from "../cluster/history/past-scene.js";

const seed = seedOfRun();

const stateOf = ({ database, ring, cutAt }: Fold): string[] => {
  database.dropExpired(cutAt + 1, Number.POSITIVE_INFINITY);
  return [...canonicalState(database), ...canonicalRing(ring)];
};

const recallsOf = ({ storage, recallParts }: PastScene, snapshots: MemorySnapshots | null): Recalls =>
  new Recalls(storage, snapshots, recallParts, recallParts);

/** Creates a scene with random commands, and a snapshot at each of some dates. */
function filled(snapshotDates: readonly number[], count = 300) {
  const snapshots = new MemorySnapshots();
  const scene = new PastScene({ snapshots });
  const random = new SeededRandom(seed, 1);

  for (let i = 0; i < count; i++) {
    const key = `k${random.below(10)}`;
    const command = random.oneOf([
      `INCR ${key}`,
      `SET ${key} ${i}`,
      `SET ${key} ${i} PX ${random.below(100)}`,
      `RPUSH l${key} ${i}`,
      `LPOP l${key}`,
      `SADD s${key} ${i}`,
      `SPOP s${key}`,
      `DEL ${key}`,
    ]);
    scene.write(scene.app, i, [command]);
  }

  for (const at of snapshotDates) {
    makeSnapshot({ ...scene.recallParts, snapshots, from: null, to: AT + at });
  }

  const valid = snapshotDates.map((at) => AT + at).join(" ");
  scene.storage.put([], [["snapshots", Buffer.from(valid)]]);
  return { scene, snapshots, recalls: recallsOf(scene, snapshots) };
}

const nothing = { begun: () => {}, found: () => {} };

test(`a recall from a snapshot yields the same state as a recall from the beginning (seed ${seed})`, async () => {
  const { scene, snapshots } = filled([100, 200]);
  // Both recalls use the same entries, not only the same commands, because the entries' ids are part of the state.
  const bare = recallsOf(scene, null);
  const helped = recallsOf(scene, snapshots);
  for (const at of [0, 99, 100, 101, 150, 200, 250, 299]) {
    const plan = { from: AT + at + 1, until: AT + at, ...nothing };
    const [first, second] = [await bare.run(plan), await helped.run(plan)];
    assert.equal(first.snapshot, null);
    assert.equal(second.snapshot, at < 100 ? null : at < 200 ? AT + 100 : AT + 200);
    assert.deepEqual(stateOf(second.fold), stateOf(first.fold), `as of ${at}`);
  }
  assert.equal(bare.earliest, 0);
});

test("a recall returns all units from its first date on, with their answers", async () => {
  const { recalls } = filled([100]);
  const found: Entry[] = [];
  let answers = 0;
  const plan = {
    from: AT + 150,
    until: AT + 199,
    begun: () => {},
    found: (entry: Entry, given: readonly unknown[]) => {
      found.push(entry);
      answers += given.length;
    },
  };
  await recalls.run(plan);
  // The recall begins at the end of the snapshot, which is earlier.
  assert.deepEqual(
    found.map(({ envelope }) => envelope.at - AT),
    Array.from({ length: 99 }, (_, i) => 101 + i),
  );
  assert.equal(answers, 99);
});

test("a damaged snapshot is replaced by an older one, or by the beginning", async () => {
  const { recalls, snapshots, scene } = filled([100, 200]);
  snapshots.files.get(AT + 200)?.[1]?.fill(7, 0, 40);
  const plan = { from: AT + 251, until: AT + 250, ...nothing };
  const { snapshot, fold } = await recalls.run(plan);
  assert.equal(snapshot, AT + 100);
  const bare = await recallsOf(scene, null).run(plan);
  assert.deepEqual(stateOf(fold), stateOf(bare.fold));
});

test("an invalid snapshot is not used", async () => {
  const { recalls, scene } = filled([100, 200]);
  scene.storage.put([], [["snapshots", Buffer.from(String(AT + 100))]]);
  const { snapshot } = await recalls.run({ from: AT + 251, until: AT + 250, ...nothing });
  assert.equal(snapshot, AT + 100);
});

test("once entries are pruned, only dates after a snapshot can be recalled", async () => {
  const { recalls, scene } = filled([100, 200]);
  scene.storage.put([], [["pruned", Buffer.from(String(AT + 90))]]);
  assert.equal(recalls.earliest, AT + 101);
  const { snapshot } = await recalls.run({ from: AT + 101, until: AT + 150, ...nothing });
  assert.equal(snapshot, AT + 100);
  await assert.rejects(recalls.run({ from: AT + 100, until: AT + 150, ...nothing }), RecallFailure);
});

test("entries removed during a recall are not treated as if they had never existed", async () => {
  const { recalls, scene } = filled([]);
  const found = () => scene.storage.put([], [["pruned", Buffer.from(String(AT + 5))]]);
  await assert.rejects(
    recalls.run({ from: 0, until: AT + 1000, begun: () => {}, found }),
    /removed in the meantime/,
  );
});

test("a recall that takes too long is abandoned, and frees its slot", async () => {
  const { scene } = filled([]);
  let now = 0;
  const uptime = () => {
    now += RECALL_MS_MAX / 4;
    return now;
  };
  const recalls = new Recalls(scene.storage, null, scene.recallParts, { ...scene.recallParts, uptime });
  await assert.rejects(recalls.run({ from: 0, until: AT + 1000, ...nothing }), /after 20 s .* later FROM/);
  assert.equal(recalls.running, 0);
});
