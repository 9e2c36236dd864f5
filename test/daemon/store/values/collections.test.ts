/**
 * Compares hashes, sets and lists with arrays, across the sizes at which their encoding changes, with elements of all
 * lengths. DBSYNC_SEED replays a run.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { Hash } from "../../../../daemon/store/values/hash.js";
import { type End, List } from "../../../../daemon/store/values/list.js";
import { MemberSet } from "../../../../daemon/store/values/member-set.js";
import { SortedSet } from "../../../../daemon/store/values/sorted-set.js";
import {
  copied,
  packed,
  splicePacked,
  unpacked,
} from "../../../../daemon/store/values/tables/packed-elements.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";

const seed = seedOfRun();
const ROUNDS = amount(8, 30);
const STEPS = 120;

/** Returns an element, sometimes one that is too long for a packed encoding. */
function elementOf(random: SeededRandom, name: string): string {
  const length = random.chance(0.02) ? random.between(60, 300) : random.below(30);
  return `${name}${"\xfe".repeat(length)}`;
}

test(`a hash keeps fields, values and their order (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  for (let round = 0; round < ROUNDS; round++) {
    let hash = new Hash();
    const pairs: [string, string][] = [];
    for (let step = 0; step < STEPS; step++) {
      const slot = random.below(pairs.length);
      const value = elementOf(random, `v${step}`);
      if (pairs.length === 0 || random.chance(0.4)) {
        const field = elementOf(random, `f${step}`);
        hash.push(field, value);
        pairs.push([field, value]);
      } else if (step % 3 === 0) {
        hash.setAt(slot, value);
        pairs[slot]![1] = value;
      } else {
        const before = pairs.map((pair) => [...pair]);
        const [field, old] = pairs[slot]!;
        hash.removeAt(slot);
        const last = pairs.pop()!;
        if (slot < pairs.length) pairs[slot] = last;
        assert.equal(hash.get(field), undefined);
        assert.deepEqual(hash.fields.length, pairs.length);
        if (random.chance(0.5)) {
          hash.restoreAt(slot, field, old);
          pairs.splice(0, pairs.length, ...(before as [string, string][]));
        }
      }
      if (random.chance(0.05)) hash = hash.clone();
      assert.equal(hash.size, pairs.length);
      const [fields, values] = [hash.fields, hash.values];
      assert.deepEqual(
        fields.map((field, at) => [field, values[at]]),
        pairs,
      );
      for (const [field, expected] of pairs) assert.equal(hash.get(field), expected);
    }
  }
});

test(`a set keeps members and their order (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  for (let round = 0; round < ROUNDS; round++) {
    let set = new MemberSet();
    let members: string[] = [];
    for (let step = 0; step < STEPS; step++) {
      const slot = random.below(members.length);
      if (members.length === 0 || random.chance(0.55)) {
        const member = elementOf(random, `m${step}`);
        set.push(member);
        members.push(member);
      } else {
        const before = [...members];
        const member = members[slot] as string;
        set.removeAt(slot);
        const last = members.pop() as string;
        if (slot < members.length) members[slot] = last;
        assert.ok(!set.has(member));
        if (random.chance(0.5)) {
          set.restoreAt(slot, member);
          members = before;
        }
      }
      if (random.chance(0.05)) set = set.clone();
      assert.equal(set.size, members.length);
      assert.deepEqual(set.members, members);
      for (const [at, member] of members.entries()) {
        assert.equal(set.find(member), at);
        assert.equal(set.at(at), member);
      }
    }
  }
});

function assertList(list: List, elements: readonly string[], random: SeededRandom): void {
  assert.equal(list.size, elements.length);
  assert.deepEqual(list.slice(), elements);

  const from = random.below(elements.length + 1);
  const to = random.between(from, elements.length);
  assert.deepEqual(list.slice(from, to), elements.slice(from, to));

  const searched = elements[from] ?? "absent";
  assert.deepEqual(
    list.indexesOf(searched, from, to),
    Array.from(elements.keys()).filter(
      (index) => index >= from && index < to && elements[index] === searched,
    ),
  );

  for (let i = 0; i < 20 && elements.length > 0; i++) {
    const index = random.below(elements.length);
    assert.equal(list.at(index), elements[index]);
  }
  if (random.chance(0.5)) return;

  const counted = elements[random.below(elements.length)] ?? "absent";
  assert.equal(list.maxCountOf(counted), elements.filter((element) => element === counted).length);
  assert.equal(list.maxCountOf("absent"), 0);
}

test(`a list keeps its elements, whatever is done at its ends and in its middle (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  // The sizes are small, large enough for chunks, and large enough for several groups of chunks.
  for (const most of [40, 3000, 25_000]) {
    let list = new List();
    let elements: string[] = [];
    for (let step = 0; step < amount(300, 600); step++) {
      const isGrowing = step % 300 < 200;
      const burst = random.between(1, Math.ceil(most / 100));
      const end: End = random.chance(0.5) ? "left" : "right";
      const index = random.below(elements.length + 1);
      if (random.chance(isGrowing ? 0.5 : 0.1)) {
        const added = Array.from({ length: burst }, (_, i) => elementOf(random, `${step}/${i}`));
        for (const element of added) list.push(end, element);
        elements = end === "left" ? added.toReversed().concat(elements) : elements.concat(added);
      } else if (random.chance(0.4)) {
        for (let i = 0; i < burst && elements.length > 0; i++)
          assert.equal(list.pop(end), end === "left" ? elements.shift() : elements.pop());
      } else {
        const largest = random.chance(0.1) ? elements.length : 5;
        const count = random.between(0, Math.min(largest, elements.length - index));
        const inserted = Array.from({ length: random.below(random.chance(0.1) ? most : 5) }, (_, i) =>
          elementOf(random, `${step}:${i}`),
        );
        list.splice(index, count, inserted);
        elements = elements.slice(0, index).concat(inserted, elements.slice(index + count));
      }
      if (random.chance(0.02)) list = list.clone();
      if (step % (most > 1000 ? 60 : 1) === 0) assertList(list, elements, random);
    }
    for (const element of elements) assert.equal(list.pop("left"), element);
    assert.equal(list.size, 0);
  }
});

test("insertions at one position of a list continue beyond a chunk and a group", () => {
  const list = new List();
  const elements: string[] = [];
  for (let i = 0; i < 1000; i++) list.push("right", `e${elements.push(`e${i}`) - 1}`);
  for (let i = 0; i < 40_000; i++) {
    list.splice(300, 0, [`i${i}`]);
    if (i % 5000 === 0) assert.equal(list.at(300), `i${i}`);
  }
  const inserted = Array.from({ length: 40_000 }, (_, i) => `i${39_999 - i}`);
  assert.deepEqual(list.slice(), elements.slice(0, 300).concat(inserted, elements.slice(300)));
});

test("a packed string stores elements of 0 to 64 arbitrary bytes", () => {
  const elements = ["", "\0", "\xff".repeat(64), "a\x01b", ""];
  const pack = packed(elements);
  assert.deepEqual(unpacked(pack), elements);
  assert.deepEqual(unpacked(splicePacked(pack, 1, 2, ["x"])), ["", "x", "a\x01b", ""]);
  assert.equal(splicePacked(pack, 0, elements.length, []), "");
  assert.equal(copied("\xff".repeat(40)), "\xff".repeat(40));
});

/** Lengths around the maximum of a packed element, and around what its length byte can express. */
const LENGTHS = [0, 1, 63, 64, 65, 127, 128, 255, 256, 257, 300];

for (const length of LENGTHS)
  test(`each collection returns elements of ${length} bytes, alone and among short ones`, () => {
    const element = "\xfe".repeat(length);
    for (const elements of [[element], ["short", element, "last"]]) {
      const [hash, set, list, sorted] = [new Hash(), new MemberSet(), new List(), new SortedSet()];
      for (const [at, one] of elements.entries()) {
        hash.push(one, element);
        set.push(one);
        list.push("right", one);
        sorted.set(one, at);
      }
      assert.deepEqual([hash.fields, hash.values], [elements, elements.map(() => element)]);
      assert.deepEqual(set.members, elements);
      assert.deepEqual(list.slice(), elements);
      assert.deepEqual(
        [...sorted.range(0, 9)],
        elements.map((one, at) => [one, at]),
      );
      for (const [at, one] of elements.entries()) {
        assert.equal(hash.get(one), element);
        assert.equal(set.find(one), at);
        assert.deepEqual(list.indexesOf(one, 0, elements.length), [at]);
        assert.equal(sorted.get(one), at);
      }
      const at = elements.indexOf(element);
      hash.setAt(at, "short");
      hash.setAt(at, element);
      list.splice(at, 1, [element]);
      assert.deepEqual([hash.get(element), list.at(at)], [element, element]);
      sorted.delete(element);
      assert.equal(sorted.get(element), undefined);
    }
  });
