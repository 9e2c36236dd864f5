/** Tests collections in snapshots: documents of all types, indexes, and bytes that no collection has written. */
import "../../../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { test } from "node:test";
import {
  DamagedSnapshot,
  SnapshotReader,
  SnapshotWriter,
} from "../../../../../daemon/timeline/snapshots/snapshot-stream.js";
import { bytesOf } from "../../../../../protocol/byte-string.js";
import { finish } from "../../../../../protocol/steps.js";
import { SeededRandom } from "../../../../../test/support/seeded-random.js";
import type { Bson } from "../../../store/values/bson.js";
import { writeBson } from "../../../store/values/bson-writer.js";
import { COLLECTION_KIND, Collection } from "../../../store/values/collection.js";
import { randomDocument } from "./random-bson.js";

const hash = (bytes: Buffer) => bytesOf(createHash("sha256").update(bytes).digest());

function framesOf(collection: Collection): Buffer[] {
  const writer = new SnapshotWriter(hash);
  const frames = [writer.head];
  for (const _ of collection.write(writer)) frames.push(writer.takeFrame());
  return [...frames, writer.takeFrame()];
}

function read(frames: readonly Buffer[], size: number): Collection {
  const reader = new SnapshotReader(frames, hash);
  reader.head();
  return finish(COLLECTION_KIND.read(reader, size, "collection")) as Collection;
}

test("a collection is read as it was written, with its indexes", () => {
  const collection = new Collection();
  const pattern = new Map([["a", 1]]);
  const spec = { name: "a_1", pattern, isUnique: true, isSparse: false };
  collection.specs = [spec, { ...spec, name: "invalid", invalid: "documents had equal values" }];
  for (let i = 0; i < 100; i++)
    collection.push(
      writeBson(
        new Map<string, Bson>([
          ["_id", i],
          ["v", randomDocument(new SeededRandom(1, i))],
        ]),
      ),
    );

  const again = read(framesOf(collection), 100);
  assert.deepEqual([...again.documents()], [...collection.documents()]);
  assert.deepEqual(again.specs, collection.specs);
});

test("bytes that are not a document count as damaged", () => {
  const collection = new Collection();
  collection.push("no BSON");
  assert.throws(() => read(framesOf(collection), 1), DamagedSnapshot);
});
