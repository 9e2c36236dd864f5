/**
 * Tests that the order of an index is built in steps: no turn of a read sorts more than a limited number of documents,
 * even if the collection changes between turns.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BudgetExceeded, EffortBudget } from "../../../../../daemon/store/keyspace/effort-budget.js";
import { finishReply, SteppedReply } from "../../../../../protocol/lazy-replies.js";
import type { Reply } from "../../../../../protocol/reply.js";
import { STEP_ITEMS } from "../../../../../protocol/steps.js";
import { amount } from "../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { ordering } from "../../../store/commands/index-ranges.js";
import { writeBson } from "../../../store/values/bson-writer.js";
import { Collection } from "../../../store/values/collection.js";
import { readExtendedJson } from "../../../store/values/extended-json.js";
import { MdbUnderTest, textOf } from "./mdb-under-test.js";

const DOCUMENTS = 8 * STEP_ITEMS;
let store: MdbUnderTest;

/** Makes the store with all documents and an index of their numbers. */
function fillStore(): void {
  store = new MdbUnderTest();
  store.run("CREATEINDEXES", '{"key":{"n":1},"name":"n_1"}');
  store.run("INSERT", "1", ...Array.from({ length: DOCUMENTS }, (_, i) => document(i)));
}

const document = (i: number) => `{"_id":${i},"n":${(i * 7919) % DOCUMENTS}}`;
const insert = (id: number, n: number) => store.run("INSERT", "1", `{"_id":${id},"n":${n}}`);
const RANGE = '{"filter":{"n":{"$lt":3}}}';
const SORTED = '{"sort":{"n":1},"limit":3}';

function begun(spec: string): Reply {
  return store.database.execute(["MDB.FIND", "db", "c", spec], {
    at: store.at,
    db: 0,
    id: "u",
    takesSteps: true,
  });
}

/** Finishes a read that has run its first step. @returns the number of steps and the reply */
function finished(reply: Reply, between: (step: number) => void = () => {}): [steps: number, text: string] {
  if (!(reply instanceof SteppedReply)) return [1, textOf(reply)];
  let steps = 1;
  for (const _ of reply.steps()) between(steps++);
  return [steps + 1, textOf(finishReply(reply))];
}

test("the first range query and the first sort run in steps, and later ones take one step, even after an insert", () => {
  fillStore();
  for (const spec of [RANGE, SORTED]) {
    beforeRange();
    const [steps, text] = finished(begun(spec));
    assert.ok(steps >= DOCUMENTS / STEP_ITEMS, `${spec}: ${steps}`);
    assert.equal(text.split(" ").length, 3);
    for (let i = 0; i < 5; i++) {
      insert(DOCUMENTS + i, -i);
      const [again, more] = finished(begun(spec));
      assert.equal(again, 1, spec);
      assert.match(more, new RegExp(`_id:${DOCUMENTS + i},n:-?${i}`));
    }
  }
});

function beforeRange(): void {
  // Changing the list of indexes discards their order.
  store.run("DELETE", "1", `{"q":{"_id":{"$gte":${DOCUMENTS}}},"limit":0}`);
  store.run("DROPINDEXES", '{"index":"n_1"}');
  store.run("CREATEINDEXES", '{"key":{"n":1},"name":"n_1"}');
}

test("a read returns the documents that existed when it began, and the next read uses the order that it built", () => {
  fillStore();
  for (const spec of [RANGE, SORTED, '{"filter":{"n":{"$lt":3}},"sort":{"n":-1}}']) {
    beforeRange();
    const expected = textOf(store.reply("MDB.FIND", "db", "c", spec));
    beforeRange();
    const [, text] = finished(begun(spec), (step) => {
      if (step === 2) insert(DOCUMENTS, -1);
      if (step === 4) store.run("DELETE", "1", '{"q":{"_id":0},"limit":1}');
      if (step === 6) insert(0, 0);
    });
    assert.equal(text, expected, spec);
    const [steps, now] = finished(begun(spec));
    assert.equal(steps, 1);
    assert.match(now, new RegExp(`_id:${DOCUMENTS},n:-1`));
  }
});

test("a write counts the cost of ordering before it sorts, and the index keeps what a rejected write has sorted", () => {
  const { collection, index } = filled();
  const effort = new EffortBudget();
  const attempt = () =>
    effort.withBudget(10 * STEP_ITEMS * 4, () => {
      for (const _ of ordering(collection, index, effort));
    });
  assert.throws(attempt, BudgetExceeded);
  assert.ok(!index.isOrdered && index.orderedTo >= STEP_ITEMS);
  const before = index.orderedTo;
  assert.throws(attempt, BudgetExceeded);
  assert.ok(index.orderedTo > before);
  assert.throws(attempt, BudgetExceeded);
  attempt();
  assert.ok(index.isOrdered);
});

const bytesOf = (id: number, n: number) => writeBson(readExtendedJson(`{"_id":${id},"n":[${n},${n + 1}]}`));

function filled() {
  const collection = new Collection();
  collection.specs = [{ name: "n", pattern: readExtendedJson('{"n":1}'), isUnique: false, isSparse: false }];
  for (let i = 0; i < 2 * DOCUMENTS; i++) collection.push(writeBson(readExtendedJson(document(i))));
  const index = collection.indexes[1];
  assert.ok(index !== undefined);
  return { collection, index };
}

test("an order that is built while documents change matches the final documents", () => {
  const random = new SeededRandom(seedOfRun());
  const { collection, index } = filled();
  let next = 2 * DOCUMENTS;
  /** The number of documents at the end without a removed one between them: `pop` removes only these. */
  let last = next;

  do {
    for (let i = 0; i < amount(5, 20); i++) {
      const numbers = [...collection.numbered()].map(([number]) => number);
      const at = random.below(numbers.length);
      const number = numbers[at] as number;
      const kind = random.below(5);

      if (kind === 0) {
        collection.push(bytesOf(next++, random.below(100)));
        last++;
      } else if (kind === 1 && last > 0) {
        collection.pop(1);
        last--;
      } else if (kind === 2) collection.set({ numbers: [number], documents: [bytesOf(next++, 5)] });
      else if (kind === 3) {
        collection.remove([number]);
        last = Math.min(last, numbers.length - 1 - at);
      } else collection.restore(collection.remove([number]));
    }
  } while (collection.orderSome(index));

  const entries = [...index.ordered.between([], [])].map(([key, number]) => JSON.stringify([key, number]));
  const expected = [...collection.numbered()].flatMap(([number, bytes]) =>
    index.keysOf(bytes).map(({ values }) => JSON.stringify([values, number])),
  );
  assert.deepEqual(entries.toSorted(), expected.toSorted());

  const sorted = [...index.ordered.between([], [])].map(([[key]]) =>
    Number((key as { value: number }).value),
  );
  assert.deepEqual(
    sorted,
    sorted.toSorted((a, b) => a - b),
  );
});
