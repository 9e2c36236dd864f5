/** The dense table, compared with an array and linear search. DBSYNC_SEED replays a run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DenseTable } from "../../../../store/values/tables/dense-table.js";
import { seedNameHash } from "../../../../store/values/tables/name-hash.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";

const seed = seedOfRun();

/** Large enough for segments to split several times. */
const ITEMS_MAX = 30_000;
const STEPS = 120_000;

class NaiveTable {
  readonly items: string[] = [];

  removeAt(place: number): string {
    const removed = this.items[place] as string;
    const last = this.items.pop() as string;
    if (place < this.items.length) this.items[place] = last;
    return removed;
  }

  restoreAt(place: number, name: string): void {
    if (place < this.items.length) this.items.push(this.items[place] as string);
    this.items[place] = name;
  }
}

function assertEqual(table: DenseTable<string>, naive: NaiveTable): void {
  assert.deepEqual(table.items, naive.items);
  for (const [place, name] of naive.items.entries()) assert.equal(table.find(name), place);
  assert.equal(table.find("absent"), -1);
}

test(`A dense table holds what an array holds, in its order, while it grows and shrinks (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  const table = new DenseTable<string>((name) => name);
  const naive = new NaiveTable();
  for (let step = 0; step < STEPS; step++) {
    const isGrowing = step < ITEMS_MAX * 1.5;
    if (naive.items.length === 0 || random.chance(isGrowing ? 0.9 : 0.2)) {
      naive.items.push(`name:${step}`);
      table.push(`name:${step}`);
    } else if (random.chance(0.1)) {
      naive.items.pop();
      table.pop();
    } else {
      const removed: [number, string][] = [];
      for (let left = random.between(1, Math.min(5, naive.items.length)); left > 0; left--) {
        const place = random.below(naive.items.length);
        removed.push([place, naive.removeAt(place)]);
        table.removeAt(place);
      }
      if (random.chance(0.6)) {
        for (const [place, name] of removed.reverse()) {
          naive.restoreAt(place, name);
          table.restoreAt(place, name);
        }
      }
    }
    if (step % 20_000 === 0) assertEqual(table, naive);
  }
  while (naive.items.length > 0) {
    const place = random.below(naive.items.length);
    naive.removeAt(place);
    table.removeAt(place);
    if (naive.items.length < 40) assertEqual(table, naive);
  }
});

test(`A scan returns each name that is there throughout, while others come, go and change their places (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 1);
  for (const stays of [5, 40, 20_000]) {
    const table = new DenseTable<string>((name) => name);
    for (let i = 0; i < stays; i++) table.push(`stays:${i}`);
    const found = new Set<string>();
    let most = 0;
    let from = 0;
    do {
      const count = random.between(1, Math.ceil(stays / 4));
      const { slots, next } = table.page({ from, count });
      most = Math.max(most, slots.length - count);
      for (const slot of slots) found.add(table.items[slot] as string);
      assert.ok(next === 0 || next > from);
      from = next;
      for (let changes = random.below(stays); changes > 0; changes--) {
        const place = random.below(table.size);
        const name = table.items[place] as string;
        table.removeAt(place);
        // An item that must be found is added again at the end, as a late entry does.
        if (name.startsWith("stays")) table.push(name);
        else if (random.chance(0.4)) table.push(`new:${stays}:${from}:${changes}`);
      }
      if (random.chance(0.5)) for (let i = 0; i < 5; i++) table.push(`other:${from}:${table.size}:${i}`);
    } while (from !== 0);
    for (let i = 0; i < stays; i++) assert.ok(found.has(`stays:${i}`), `stays:${i} of ${stays} was skipped`);
    assert.ok(most <= 3, `a page has ${most} more than COUNT`);
  }
});

test("names of one hash are on one page", () => {
  for (const others of [3, 100]) {
    const table = new DenseTable<string>((name) => name);
    for (let i = 0; i < others; i++) table.push(`other:${i}`);
    // Only the beginning of a long name is hashed.
    for (let i = 0; i < 8; i++) table.push(`${"x".repeat(20_000)}${i}`);
    const sizes: number[] = [];
    let from = 0;
    do {
      const { slots, next } = table.page({ from, count: 1 });
      sizes.push(slots.length);
      from = next;
    } while (from !== 0);
    assert.deepEqual(
      sizes.sort((a, b) => a - b),
      [...Array.from({ length: others }, () => 1), 8],
    );
  }
});

test("Names of any bytes and any length are told apart", () => {
  const table = new DenseTable<string>((name) => name);
  const long = "x".repeat(20_000);
  const names = ["", "\0", "\0\0", "\xff", `${long}a`, `${long}b`, long];
  for (let code = 0; code < 256; code++) names.push(`k${String.fromCharCode(code)}`);
  for (const name of names) table.push(name);
  for (const [place, name] of names.entries()) assert.equal(table.find(name), place);
});

test("The seed cannot be changed once names have been hashed", () => {
  new DenseTable<string>((name) => name).push("a");
  const table = new DenseTable<string>((name) => name);
  for (let i = 0; i < 100; i++) table.push(`${i}`);
  assert.throws(() => seedNameHash(1, 2), /another seed/);
});
