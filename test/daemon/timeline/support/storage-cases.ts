/** Test cases for every storage. Each storage's test file runs them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type OrderKey, writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import type { Mark, MarkName, Storage } from "../../../../daemon/timeline/entries/storage.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { randomId } from "./members.js";

const seed = seedOfRun();
const EPOCH = 1_767_225_600_000;
const ROUNDS = 20;

export function randomOrderKey(random: SeededRandom): OrderKey {
  return { at: EPOCH + random.below(5000), seq: random.below(2), id: randomId(random) };
}

export function storageCases(
  name: string,
  withStorage: (use: (storage: Storage) => Promise<void>) => Promise<void>,
): void {
  test(`${name} returns in order what was put in any order, without removed entries (seed ${seed})`, () =>
    withStorage(async (storage) => {
      const random = new SeededRandom(seed, 1);
      const model = new Map<string, Buffer>();
      const marks = new Map<MarkName, Buffer>();
      for (let round = 0; round < ROUNDS; round++) {
        const pairs = Array.from({ length: random.below(60) }, () => {
          const orderKey = writeOrderKey(randomOrderKey(random));
          return [orderKey, Buffer.alloc(random.below(300), random.below(256))] as [Buffer, Buffer];
        });
        const mark: Mark = [random.oneOf<MarkName>(["watermark", "format"]), Buffer.from(`${round}`)];
        const changed = random.shuffled([...model.keys()]).slice(0, random.below(10));
        for (const orderKey of changed)
          pairs.push([Buffer.from(orderKey, "latin1"), Buffer.alloc(random.below(300), random.below(256))]);

        storage.put(pairs, [mark]);
        for (const [orderKey, value] of pairs) model.set(orderKey.toString("latin1"), value);
        marks.set(...mark);

        const removed = random.chance(0.5)
          ? random.shuffled([...model.keys()]).slice(0, random.below(10))
          : [...model.keys()].sort().slice(-random.below(10) - 1);
        const last: Mark = ["pruned", Buffer.from(`${round}`)];
        storage.remove(
          removed.map((orderKey) => Buffer.from(orderKey, "latin1")),
          [last],
        );
        marks.set(...last);
        for (const orderKey of removed) model.delete(orderKey);

        await storage.flushed();
        compare(storage, model, random);
        if (random.chance(0.3)) {
          await storage.settled();
          compare(storage, model, random);
        }
        for (const [markName, value] of marks) assert.deepEqual(storage.mark(markName), value);
        assert.equal(storage.mark("genesis"), null);
      }
    }));

  test(`${name} replaces the value of an order key`, () =>
    withStorage(async (storage) => {
      const orderKey = writeOrderKey({ at: EPOCH, seq: 0, id: "i".repeat(32) });
      const earlier = writeOrderKey({ at: EPOCH, seq: 0, id: "a".repeat(32) });
      for (const value of ["x", "b", "z", "zz"]) storage.put([[orderKey, Buffer.from(value)]]);
      storage.put([[earlier, Buffer.from("e")]]);
      await storage.flushed();
      assert.equal(storage.get(orderKey)?.toString(), "zz");
      assert.deepEqual([...storage.orderKeys(null, null)], [earlier, orderKey]);
    }));

  test(`${name} may change while it is iterated`, () =>
    withStorage(async (storage) => {
      const random = new SeededRandom(seed, 2);
      const orderKeys = Array.from({ length: 3000 }, () => writeOrderKey(randomOrderKey(random))).sort(
        Buffer.compare,
      );
      storage.put(orderKeys.map((orderKey) => [orderKey, Buffer.from("v")]));
      await storage.flushed();
      const visited: Buffer[] = [];
      for (const orderKey of storage.orderKeys(null, null)) {
        visited.push(orderKey);
        if (visited.length !== 1500) continue;
        storage.put([[writeOrderKey({ at: EPOCH - 1, seq: 0, id: "n".repeat(32) }), Buffer.from("new")]]);
        await storage.flushed();
      }
      assert.deepEqual(visited, orderKeys);
    }));
}

function compare(storage: Storage, model: ReadonlyMap<string, Buffer>, random: SeededRandom): void {
  const orderKeys = [...model.keys()].sort();
  assert.deepEqual(
    [...storage.orderKeys(null, null)].map((orderKey) => orderKey.toString("latin1")),
    orderKeys,
  );
  assert.equal(storage.last()?.toString("latin1") ?? null, orderKeys.at(-1) ?? null);

  const bound = () => writeOrderKey(randomOrderKey(random)).toString("latin1");
  const [from, to] = [bound(), bound()].sort() as [string, string];
  const within = orderKeys.filter((orderKey) => orderKey >= from && orderKey < to);
  const found = [...storage.entries(Buffer.from(from, "latin1"), Buffer.from(to, "latin1"))].map(
    ([orderKey, value]) => [orderKey.toString("latin1"), value.toString("latin1")],
  );
  assert.deepEqual(
    found,
    within.map((orderKey) => [orderKey, model.get(orderKey)?.toString("latin1")]),
  );
  for (const orderKey of within.slice(0, 5))
    assert.deepEqual(storage.get(Buffer.from(orderKey, "latin1")), model.get(orderKey));
  assert.equal(storage.get(Buffer.from(from, "latin1")), null);
}
