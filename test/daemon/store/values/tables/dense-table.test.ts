/** Compares the dense table with an array and a linear search. DBSYNC_SEED replays a run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { DenseTable } from "../../../../../daemon/store/values/tables/dense-table.js";
import { seedNameHash } from "../../../../../daemon/store/values/tables/name-hash.js";
import { SeededRandom, seedOfRun } from "../../../../support/seeded-random.js";

const seed = seedOfRun();

/** The maximum number of items, large enough for segments to split several times. */
const ITEMS_MAX = 30_000;
const STEPS = 120_000;

class NaiveTable {
  readonly items: string[] = [];

  removeAt(slot: number): string {
    const removed = this.items[slot] as string;
    const last = this.items.pop() as string;
    if (slot < this.items.length) this.items[slot] = last;
    return removed;
  }

  restoreAt(slot: number, name: string): void {
    if (slot < this.items.length) this.items.push(this.items[slot] as string);
    this.items[slot] = name;
  }
}

function assertEqual(table: DenseTable<string>, naive: NaiveTable): void {
  assert.deepEqual(table.items, naive.items);
  for (const [slot, name] of naive.items.entries()) assert.equal(table.find(name), slot);
  assert.equal(table.find("absent"), -1);
}

test(`a dense table contains the same items as an array, in the same order, while it grows and shrinks (seed ${seed})`, () => {
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
      for (let remaining = random.between(1, Math.min(5, naive.items.length)); remaining > 0; remaining--) {
        const slot = random.below(naive.items.length);
        removed.push([slot, naive.removeAt(slot)]);
        table.removeAt(slot);
      }
      if (random.chance(0.6)) {
        for (const [slot, name] of removed.reverse()) {
          naive.restoreAt(slot, name);
          table.restoreAt(slot, name);
        }
      }
    }

    if (step % 20_000 === 0) assertEqual(table, naive);
  }

  while (naive.items.length > 0) {
    const slot = random.below(naive.items.length);
    naive.removeAt(slot);
    table.removeAt(slot);
    if (naive.items.length < 40) assertEqual(table, naive);
  }
});

test(`a scan returns each name that exists throughout, while other names are added, removed and moved (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 1);
  for (const stable of [5, 40, 20_000]) {
    const table = new DenseTable<string>((name) => name);
    for (let i = 0; i < stable; i++) table.push(`stable:${i}`);
    const returned = new Set<string>();
    let most = 0;
    let from = 0;
    do {
      const count = random.between(1, Math.ceil(stable / 4));
      const { slots, next } = table.page({ from, count });
      most = Math.max(most, slots.length - count);
      for (const slot of slots) returned.add(table.items[slot] as string);
      assert.ok(next === 0 || next > from);
      from = next;
      for (let changes = random.below(stable); changes > 0; changes--) {
        const slot = random.below(table.size);
        const name = table.items[slot] as string;
        table.removeAt(slot);
        // The scan must find the stable items, so a removed one is added again at the end, as when units are redone.
        if (name.startsWith("stable")) table.push(name);
        else if (random.chance(0.4)) table.push(`new:${stable}:${from}:${changes}`);
      }
      if (random.chance(0.5)) for (let i = 0; i < 5; i++) table.push(`other:${from}:${table.size}:${i}`);
    } while (from !== 0);
    for (let i = 0; i < stable; i++)
      assert.ok(returned.has(`stable:${i}`), `stable:${i} of ${stable} was skipped`);
    assert.ok(most <= 3, `a page contains ${most} more items than requested`);
  }
});

test("names with equal hashes are on one page", () => {
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

test("a dense table distinguishes names of any bytes and any length", () => {
  const table = new DenseTable<string>((name) => name);
  const long = "x".repeat(20_000);
  const names = ["", "\0", "\0\0", "\xff", `${long}a`, `${long}b`, long];
  for (let code = 0; code < 256; code++) names.push(`k${String.fromCharCode(code)}`);
  for (const name of names) table.push(name);
  for (const [slot, name] of names.entries()) assert.equal(table.find(name), slot);
});

test("the seed cannot be changed once names have been hashed", () => {
  new DenseTable<string>((name) => name).push("a");
  const table = new DenseTable<string>((name) => name);
  for (let i = 0; i < 100; i++) table.push(`${i}`);
  assert.throws(() => seedNameHash(1, 2), /another seed/);
});
