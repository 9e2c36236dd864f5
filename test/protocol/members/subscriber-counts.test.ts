/** Tests reports of subscribers: packed counts are unpacked unchanged, and other bytes are rejected. */
import assert from "node:assert/strict";
import { test } from "node:test";
import {
  COUNTS_MAX,
  countBytes,
  REPORTED_NAME_BYTES_MAX,
  readSubscriberCounts,
  type SubscriberCount,
  writeSubscriberCounts,
} from "../../../protocol/members/subscriber-counts.js";

const counts: readonly SubscriberCount[] = [
  { kind: "channel", name: "news", count: 1 },
  { kind: "pattern", name: "\x00\xff*", count: 2 ** 32 - 1 },
  { kind: "shard", name: "", count: 0 },
  { kind: "channel", name: "x".repeat(REPORTED_NAME_BYTES_MAX), count: 7 },
];

test("counts are unpacked as they were packed, in the documented form", () => {
  const packed = writeSubscriberCounts(counts);
  assert.deepEqual(readSubscriberCounts(packed), counts);
  assert.equal(
    packed.length,
    counts.reduce((sum, count) => sum + countBytes(count), 0),
  );
  assert.equal(packed.subarray(0, 11).toString("latin1"), "\x00\x00\x00\x00\x01\x00\x04news");
  assert.deepEqual(readSubscriberCounts(Buffer.alloc(0)), []);
});

test("a count above 32 bits is reported as the highest one", () => {
  const [read] =
    readSubscriberCounts(writeSubscriberCounts([{ kind: "shard", name: "n", count: 2 ** 40 }])) ?? [];
  assert.equal(read?.count, 2 ** 32 - 1);
});

test("other bytes, unknown kinds, long names and too many counts are rejected", () => {
  const packed = writeSubscriberCounts(counts);
  for (const length of [1, 6, 10, packed.length - 1])
    assert.equal(readSubscriberCounts(packed.subarray(0, length)), null, `${length} bytes`);
  const unknown = Buffer.from(packed);
  unknown[0] = 3;
  assert.equal(readSubscriberCounts(unknown), null);
  const name = "x".repeat(REPORTED_NAME_BYTES_MAX + 1);
  assert.equal(readSubscriberCounts(writeSubscriberCounts([{ kind: "channel", name, count: 1 }])), null);
  const many = (count: number) =>
    writeSubscriberCounts(Array(count).fill({ kind: "channel", name: "n", count: 1 }));
  assert.equal(readSubscriberCounts(many(COUNTS_MAX))?.length, COUNTS_MAX);
  assert.equal(readSubscriberCounts(many(COUNTS_MAX + 1)), null);
});
