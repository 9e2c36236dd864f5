/** Tests the stream: entries by id, from both ends, and the operations that undo needs. DBSYNC_SEED replays a run. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { amount } from "../../../../../../test/support/amount.js";
import { SeededRandom, seedOfRun } from "../../../../../../test/support/seeded-random.js";
import { Stream } from "../../../../store/values/streams/stream.js";
import {
  STREAM_ID_MAX,
  type StreamEntry,
  streamId,
  streamIdOfText,
  streamIdText,
} from "../../../../store/values/streams/stream-id.js";

const seed = seedOfRun();
const STEPS = amount(1200, 3000);

const everything = (stream: Stream) => [...stream.range(0n, STREAM_ID_MAX)];

/** Returns a random entry: most entries have the same names, and some have many fields. */
function randomEntry(random: SeededRandom, id: bigint): StreamEntry {
  const names = random.chance(0.8) ? ["a", "b"] : ["x", "a", "y"].slice(0, random.between(1, 3));
  return { id, fields: names.flatMap((name) => [name, String(random.below(1000))]) };
}

test(`a stream agrees with a sorted array, and reverts its changes (seed ${seed})`, () => {
  const random = new SeededRandom(seed);
  let stream = new Stream();
  let model: StreamEntry[] = [];
  let next = 1n;

  for (let step = 0; step < STEPS; step++) {
    const kind = random.below(100);
    const before = model;
    let takeBack = () => {};

    if (kind < 60 || model.length === 0) {
      const added = Array.from({ length: random.between(1, 40) }, () => {
        next += BigInt(random.between(1, 3));
        return randomEntry(random, next);
      });
      for (const entry of added) stream.push(entry);
      model = [...model, ...added];
      takeBack = () => {
        for (const _ of added) stream.pop();
      };
    } else if (kind < 85) {
      const removed = random.shuffled(model).slice(0, random.between(1, 200));
      for (const { id } of removed) stream.delete(id);
      model = model.filter((entry) => !removed.includes(entry));
      takeBack = () => {
        for (const entry of removed.toReversed()) stream.insert(entry);
      };
    } else {
      const count = random.below(model.length + 1);
      const blocks = stream.takeFirst(count);
      model = model.slice(count);
      takeBack = () => stream.prepend(blocks);
    }

    if (random.chance(0.4)) {
      takeBack();
      model = before;
    }

    if (model.length > 2000) stream = new Stream();
    if (model.length > 2000) model = [];
    if (step % 20 === 0) stream = compared(stream, model, random);
  }
});

/** Compares a stream with its model. @returns the stream or a copy of it */
function compared(stream: Stream, model: readonly StreamEntry[], random: SeededRandom): Stream {
  assert.equal(stream.size, model.length);
  assert.equal(stream.firstId, model[0]?.id);
  assert.equal(stream.topId, model.at(-1)?.id);
  assert.deepEqual(everything(stream), model);

  const top = Number(model.at(-1)?.id ?? 0n) + 2;
  for (let i = 0; i < 5; i++) {
    const [from, to] = [BigInt(random.below(top)), BigInt(random.below(top))];
    const within = model.filter(({ id }) => from <= id && id <= to);
    assert.deepEqual([...stream.range(from, to)], within);
    assert.deepEqual([...stream.reverseRange(from, to)], within.toReversed());
    assert.equal(stream.countBefore(from), model.filter(({ id }) => id < from).length);
    assert.deepEqual(
      stream.get(from),
      model.find(({ id }) => id === from),
    );
  }
  if (random.chance(0.5)) return stream;

  const copy = stream.clone();
  stream.push({ id: STREAM_ID_MAX, fields: ["a", "b"] });
  if (model[0] !== undefined) stream.delete(model[0].id);
  assert.deepEqual(everything(copy), model, "a copy shares nothing with its stream");
  return copy;
}

test("sealed entries are unchanged: ids of any width, values of any length, several names", () => {
  const most = 2n ** 64n - 1n;
  const lengths = [0, 1, 127, 128, 300, 16_383, 16_384, 40_000];
  const starts = [
    streamId(0n, 1n),
    streamId(5n, most - 200n),
    streamId(2n ** 40n, 0n),
    streamId(most - 300n, 0n),
  ];
  const steps = [1n, streamId(1n, 0n), streamId(1n, 7n), 2n ** 57n];

  for (const start of starts)
    for (const step of steps) {
      if (start + 100n * step > STREAM_ID_MAX) continue;

      const model = Array.from({ length: 100 }, (_, i): StreamEntry => {
        const value = "\xff".repeat(i < 2 ? lengths[i + 4]! : (lengths[i % 5] as number));
        return {
          id: start + BigInt(i) * step,
          fields: i % 7 === 0 ? ["a", value, "b", `${i}`] : ["a", value],
        };
      });

      const stream = new Stream();
      for (const entry of model) stream.push(entry);
      const copy = stream.clone();
      assert.deepEqual(everything(stream), model);

      const [middle] = model.splice(30, 1);
      stream.delete(middle!.id);
      assert.deepEqual(everything(stream), model);
      assert.deepEqual(copy.get(middle!.id), middle);
      stream.insert(middle!);
      assert.deepEqual(everything(stream), everything(copy));
    }
});

test("a block of short values is sealed when the next block begins, but a block of long values is not", () => {
  for (const [length, isSealed] of [
    [10, true],
    [2000, false],
  ] as const) {
    const stream = new Stream();
    for (let i = 1; i <= 65; i++) stream.push({ id: BigInt(i), fields: ["name", "v".repeat(length)] });
    const blocks = stream.takeFirst(65);
    assert.deepEqual(
      blocks.map((block) => block.isSealed),
      [isSealed, false],
    );
  }
});

test("an entry can have more fields than a call can have arguments", () => {
  const fields = Array.from({ length: 400_000 }, (_, i) => String(i));
  const stream = new Stream();
  for (const id of [1n, 2n, 3n]) stream.push({ id, fields });
  stream.delete(2n);
  stream.insert({ id: 2n, fields });
  const [first] = stream.takeFirst(1);
  stream.prepend([first!]);
  assert.deepEqual(
    everything(stream).map((entry) => [entry.id, entry.fields.length, entry.fields.at(-1)]),
    [1n, 2n, 3n].map((id) => [id, fields.length, fields.at(-1)]),
  );
});

test("ids are ordered by time and number, including the limits", () => {
  const most = 2n ** 64n - 1n;
  const ids = [
    streamId(0n, 1n),
    streamId(1n, 0n),
    streamId(1n, most),
    streamId(2n, 0n),
    streamId(most, most),
  ];
  assert.deepEqual(
    ids.toSorted((a, b) => (a < b ? -1 : 1)),
    ids,
  );
  assert.deepEqual(ids.map(streamIdText), [
    ...["0-1", "1-0", "1-18446744073709551615", "2-0"],
    "18446744073709551615-18446744073709551615",
  ]);
  assert.deepEqual(ids.map(streamIdText).map(streamIdOfText), ids);
  assert.equal(streamId(1n, most) + 1n, streamId(2n, 0n));
  assert.equal(ids.at(-1), STREAM_ID_MAX);
});
