/**
 * Tests which of a daemon's entries a snapshot proves to be missing from it: all of the newest, whose ids it lists, and
 * of older entries as many as the sums show.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import "../../../support/all-families.js";
import { DigestIndex, NEWEST_IDS_MAX, NewestIds } from "../../../../daemon/timeline/compare/digest-index.js";
import type { OrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { entriesMissingInSnapshot } from "../../../../daemon/timeline/lost-entries.js";
import { finish } from "../../../../protocol/steps.js";
import { amount } from "../../../support/amount.js";
import { repositoryRoot } from "../../../support/repository.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { Holder, randomId } from "../support/members.js";

const seed = seedOfRun();
const EPOCH = 1_767_225_600_000;
const CUT_AT = EPOCH + 3_600_000;
const RUNS = amount(25, 200);
const NONE_PRUNED = { cutAt: CUT_AT, prunedTo: 0, max: 100_000 };

const byDate = (a: OrderKey, b: OrderKey) => a.at - b.at || (a.id < b.id ? -1 : 1);

/** Returns the index that a daemon reads from a snapshot of the given entries. */
function snapshotOf(orderKeys: readonly OrderKey[], max: number): DigestIndex {
  const saved = new DigestIndex(null, new NewestIds(max));
  for (const orderKey of orderKeys.toSorted(byDate)) saved.add(orderKey, false);
  const received = new DigestIndex();
  received.restore(Buffer.concat([...saved.serialise(CUT_AT)]), []);
  return received;
}

function holderOf(orderKeys: readonly OrderKey[]): DigestIndex {
  const holder = new Holder();
  for (const orderKey of orderKeys) holder.add(orderKey);
  return holder.index;
}

interface Sides {
  readonly shared: OrderKey[];
  readonly own: OrderKey[];
  readonly members: OrderKey[];
}

/** Returns entries of a busy cluster from which a daemon was disconnected. */
function sides(random: SeededRandom, count: number, spreadMs: number): Sides {
  const entries: Sides = { shared: [], own: [], members: [] };
  for (let i = 0; i < count; i++) {
    const orderKey = { at: CUT_AT - 1 - random.below(spreadMs), seq: 0, id: randomId(random) };
    entries[random.oneOf(["shared", "own", "members", "members"] as const)].push(orderKey);
  }
  return entries;
}

test(`a snapshot that lists the ids of all its entries leaves no entry in doubt (seed ${seed})`, () => {
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, run);
    const { shared, own, members } = sides(random, 300, random.oneOf([1000, 20_000, 3_000_000]));
    const snapshot = snapshotOf([...shared, ...members], NEWEST_IDS_MAX);
    const found = finish(entriesMissingInSnapshot(holderOf([...shared, ...own]), snapshot, NONE_PRUNED));
    assert.deepEqual(found.orderKeys.toSorted(byDate), own.toSorted(byDate), `run ${run}`);
    assert.deepEqual([found.count, found.possible], [own.length, { count: 0, orderKeys: [] }], `run ${run}`);
  }
});

test(`entries older than the listed ids are never reported wrongly, and none is left out (seed ${seed})`, () => {
  let doubtful = 0;
  for (let run = 0; run < RUNS; run++) {
    const random = new SeededRandom(seed, 1000 + run);
    const { shared, own, members } = sides(random, 300, random.oneOf([1000, 20_000, 3_000_000]));
    const snapshot = snapshotOf([...shared, ...members], 40 + random.below(100));
    const { from } = snapshot.newestIds as NewestIds;
    const found = finish(entriesMissingInSnapshot(holderOf([...shared, ...own]), snapshot, NONE_PRUNED));
    const idsOf = (orderKeys: readonly OrderKey[]) => new Set(orderKeys.map(({ id }) => id));
    const [certain, possible, lost] = [found.orderKeys, found.possible.orderKeys, own].map(idsOf) as [
      Set<string>,
      Set<string>,
      Set<string>,
    ];
    for (const id of certain) assert.ok(lost.has(id), `run ${run}: an entry is reported as missing wrongly`);
    for (const { at, id } of own)
      assert.ok(
        certain.has(id) || (at < from * 1000 && possible.has(id)),
        `run ${run}: an entry is left out`,
      );
    assert.ok(found.count <= own.length, `run ${run}`);
    assert.ok(found.count + found.possible.count >= own.length, `run ${run}`);
    doubtful += possible.size;
  }
  assert.ok(doubtful > 0);
});

test("a list of ids keeps complete seconds, and is the same whether it was saved in between or not", () => {
  const random = new SeededRandom(seed, 2000);
  let list = new NewestIds(100);
  const whole = new NewestIds(100);
  for (let i = 0; i < 1000; i++) {
    const orderKey = { at: EPOCH + i * 70, seq: 0, id: randomId(random) };
    for (const ids of [list, whole]) ids.add(orderKey);
    if (!random.chance(0.1)) continue;
    const again = new NewestIds(100);
    again.restore(Buffer.concat([...list.serialise()]));
    list = again;
  }

  assert.deepEqual(Buffer.concat([...list.serialise()]), Buffer.concat([...whole.serialise()]));
  // The last entry is of the second 69, and a second has at most 15 entries.
  assert.ok(list.from > EPOCH / 1000 + 60 && list.from < EPOCH / 1000 + 66, String(list.from));
  const count = finish(list.ids()).size;
  assert.ok(count > 85 && count <= 100, String(count));

  const saved = Buffer.concat([...whole.serialise()]);
  for (const length of [saved.length - 1, 15])
    assert.throws(() => new NewestIds().restore(saved.subarray(0, length)), RangeError);
});

test("the pages name the number of ids that a snapshot lists", () => {
  for (const page of ["consistency", "operations"]) {
    const text = readFileSync(join(repositoryRoot, "docs", `${page}.md`), "utf8");
    assert.ok(text.includes(`newest ${NEWEST_IDS_MAX.toLocaleString("en-US")} writes`), page);
  }
});
