/** Tests a timeline without a disk. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { writeOrderKey } from "../../../daemon/timeline/entries/entry.js";
import { MemoryStorage } from "../../../daemon/timeline/memory-storage.js";
import { storageCases } from "./support/storage-cases.js";

storageCases("the memory", (use) => use(new MemoryStorage()));

test("the storage retains no view of the buffers that it receives", () => {
  const storage = new MemoryStorage();
  const orderKey = writeOrderKey({ at: 1, seq: 0, id: "i".repeat(32) });
  const value = Buffer.from("value");
  storage.put([[orderKey, value]]);
  value.fill(0);
  assert.equal(storage.get(orderKey)?.toString(), "value");
});

test("the storage counts its bytes", () => {
  const storage = new MemoryStorage();
  const orderKey = writeOrderKey({ at: 1, seq: 0, id: "i".repeat(32) });
  storage.put([[orderKey, Buffer.alloc(100)]]);
  assert.ok(storage.bytes > 142 && storage.bytes < 200);
  storage.remove([orderKey]);
  assert.equal(storage.bytes, 0);
});
