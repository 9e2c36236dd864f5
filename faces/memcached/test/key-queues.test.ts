/** Tests the queues of an item's competing changes. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { nextTurn } from "../../../test/support/until.js";
import { KeyQueues } from "../key-queues.js";

test("changes of a key run one after the other until one fails, and then all that wait run at the same time", async () => {
  const queues = new KeyQueues();
  const begun: number[] = [];
  const ends: ((isFailure: boolean) => void)[] = [];
  const change = (number: number, key = "k") =>
    queues.run(
      key,
      async () => {
        begun.push(number);
        return await new Promise<boolean>((resolve) => {
          ends[number] = resolve;
        });
      },
      (isFailure) => isFailure,
    );

  const ran = [0, 1, 2, 3].map((number) => change(number));
  const elsewhere = change(4, "other");
  await nextTurn();
  assert.deepEqual(begun, [0, 4]);

  ends[0]?.(false);
  await nextTurn();
  assert.deepEqual(begun, [0, 4, 1]);

  ends[1]?.(true);
  await nextTurn();
  assert.deepEqual(begun, [0, 4, 1, 2, 3]);

  // A later change does not wait for those that failed, and has a queue of its own.
  const later = [5, 6].map((number) => change(number));
  await nextTurn();
  for (const number of [2, 3]) ends[number]?.(false);
  await nextTurn();
  assert.deepEqual(begun, [0, 4, 1, 2, 3, 5]);

  for (const number of [4, 5]) ends[number]?.(false);
  await nextTurn();
  ends[6]?.(false);
  assert.deepEqual(await Promise.all(ran), [false, true, false, false]);
  assert.deepEqual(await Promise.all([...later, elsewhere]), [false, false, false]);
});

test("a change that throws does not prevent those that wait", async () => {
  const queues = new KeyQueues();
  const failed = queues.run(
    "k",
    async () => {
      throw new Error("it failed");
    },
    () => false,
  );
  const second = queues.run(
    "k",
    async () => 2,
    () => false,
  );
  await assert.rejects(failed, /it failed/);
  assert.equal(await second, 2);
});
