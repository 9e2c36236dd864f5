/** Test cases for every storage. Each storage's test file runs them. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { type Place, writePlace } from "../../../timeline/entries/entry.js";
import type { Mark, MarkName, Storage } from "../../../timeline/entries/storage.js";
import { SeededRandom, seedOfRun } from "../../support/seeded-random.js";
import { randomId } from "./members.js";

const seed = seedOfRun();
const EPOCH = 1_767_225_600_000;
const ROUNDS = 20;

export function randomPlace(random: SeededRandom): Place {
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
          const place = writePlace(randomPlace(random));
          return [place, Buffer.alloc(random.below(300), random.below(256))] as [Buffer, Buffer];
        });
        const mark: Mark = [random.oneOf<MarkName>(["watermark", "format"]), Buffer.from(`${round}`)];
        const changed = random.shuffled([...model.keys()]).slice(0, random.below(10));
        for (const place of changed)
          pairs.push([Buffer.from(place, "latin1"), Buffer.alloc(random.below(300), random.below(256))]);
        storage.put(pairs, [mark]);
        for (const [place, value] of pairs) model.set(place.toString("latin1"), value);
        marks.set(...mark);
        const removed = random.chance(0.5)
          ? random.shuffled([...model.keys()]).slice(0, random.below(10))
          : [...model.keys()].sort().slice(-random.below(10) - 1);
        const last: Mark = ["pruned", Buffer.from(`${round}`)];
        storage.remove(
          removed.map((place) => Buffer.from(place, "latin1")),
          [last],
        );
        marks.set(...last);
        for (const place of removed) model.delete(place);
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
      const place = writePlace({ at: EPOCH, seq: 0, id: "i".repeat(32) });
      const earlier = writePlace({ at: EPOCH, seq: 0, id: "a".repeat(32) });
      for (const value of ["x", "b", "z", "zz"]) storage.put([[place, Buffer.from(value)]]);
      storage.put([[earlier, Buffer.from("e")]]);
      await storage.flushed();
      assert.equal(storage.get(place)?.toString(), "zz");
      assert.deepEqual([...storage.places(null, null)], [earlier, place]);
    }));

  test(`${name} may change while it is iterated`, () =>
    withStorage(async (storage) => {
      const random = new SeededRandom(seed, 2);
      const places = Array.from({ length: 3000 }, () => writePlace(randomPlace(random))).sort(Buffer.compare);
      storage.put(places.map((place) => [place, Buffer.from("v")]));
      await storage.flushed();
      const visited: Buffer[] = [];
      for (const place of storage.places(null, null)) {
        visited.push(place);
        if (visited.length !== 1500) continue;
        storage.put([[writePlace({ at: EPOCH - 1, seq: 0, id: "n".repeat(32) }), Buffer.from("new")]]);
        await storage.flushed();
      }
      assert.deepEqual(visited, places);
    }));
}

function compare(storage: Storage, model: ReadonlyMap<string, Buffer>, random: SeededRandom): void {
  const places = [...model.keys()].sort();
  assert.deepEqual(
    [...storage.places(null, null)].map((place) => place.toString("latin1")),
    places,
  );
  assert.equal(storage.last()?.toString("latin1") ?? null, places.at(-1) ?? null);
  const bound = () => writePlace(randomPlace(random)).toString("latin1");
  const [from, to] = [bound(), bound()].sort() as [string, string];
  const within = places.filter((place) => place >= from && place < to);
  const found = [...storage.entries(Buffer.from(from, "latin1"), Buffer.from(to, "latin1"))].map(
    ([place, value]) => [place.toString("latin1"), value.toString("latin1")],
  );
  assert.deepEqual(
    found,
    within.map((place) => [place, model.get(place)?.toString("latin1")]),
  );
  for (const place of within.slice(0, 5))
    assert.deepEqual(storage.get(Buffer.from(place, "latin1")), model.get(place));
  assert.equal(storage.get(Buffer.from(from, "latin1")), null);
}
