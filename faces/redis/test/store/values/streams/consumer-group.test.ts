/**
 * Compares IdMap with a sorted array while entries change everywhere (DBSYNC_SEED replays a run), and tests which
 * deliveries share an object.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom, seedOfRun } from "../../../../../../test/support/seeded-random.js";
import { type Consumer, IdMap, sharedPending } from "../../../../store/values/streams/consumer-group.js";
import { STREAM_ID_MAX } from "../../../../store/values/streams/stream-id.js";

const seed = seedOfRun();
const STEPS = 20_000;
const IDS = 3000;

test(`an IdMap contains the same entries as a sorted array (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  const map = new IdMap<number>();
  const model = new Map<bigint, number>();
  const sorted = () => [...model].sort(([a], [b]) => (a < b ? -1 : 1));

  for (let step = 0; step < STEPS; step++) {
    // The map first grows at the end, then shrinks near the beginning, then changes at random.
    const phase = Math.floor((3 * step) / STEPS);
    const id = phase === 0 && random.chance(0.9) ? BigInt(step) : BigInt(random.below(IDS));
    const adds = random.chance([0.9, 0.2, 0.5][phase] as number);

    if (adds) assert.equal(map.set(id, step), model.get(id));
    else assert.equal(map.delete(id), model.get(id));
    if (adds) model.set(id, step);
    else model.delete(id);
    assert.equal(map.size, model.size);
    assert.equal(map.get(id), model.get(id));
    if (step % 500 !== 0) continue;

    const all = sorted();
    assert.deepEqual([...map], all);
    assert.equal(map.firstId, all[0]?.[0]);
    assert.equal(map.lastId, all.at(-1)?.[0]);
    const [from, to] = [BigInt(random.below(IDS)), BigInt(random.below(IDS))];
    assert.deepEqual(
      [...map.range(from, to)],
      all.filter(([one]) => one >= from && one <= to),
    );
    assert.deepEqual([...map.range(0n, STREAM_ID_MAX)], all);
  }
});

test("a delivery is shared only with an equal one", () => {
  const [consumer, other] = [{}, {}] as [Consumer, Consumer];
  const last = { consumer, deliveredAt: 1, deliveries: 1 };
  assert.equal(sharedPending({ ...last }, last), last);
  for (const change of [{ consumer: other }, { deliveredAt: 2 }, { deliveries: 2 }]) {
    const changed = { ...last, ...change };
    assert.equal(sharedPending(changed, last), changed);
  }
  assert.equal(sharedPending(last, undefined), last);
});
