/** Collections in snapshots: the indexes that were created, and the documents, all as BSON bytes. */

import {
  DamagedSnapshot,
  type SnapshotReader,
  type SnapshotWriter,
} from "../../../../daemon/timeline/snapshots/snapshot-stream.js";
import type { Steps } from "../../../../protocol/steps.js";
import { BsonFault } from "../values/bson.js";
import { readBson } from "../values/bson-reader.js";
import { Collection } from "../values/collection.js";
import { type IndexSpec, indexBytes, indexOfBytes } from "../values/collection-index.js";

/** Writes a collection. @param fullFrame  yields the bytes written so far as a frame, once they fill one */
export function* writeCollection(
  writer: SnapshotWriter,
  collection: Collection,
  fullFrame: (writer: SnapshotWriter) => Generator<Buffer>,
): Generator<Buffer> {
  writer.number(collection.specs.length);
  for (const spec of collection.specs) writer.bytes(indexBytes(spec));
  for (const document of collection.documents()) {
    writer.bytes(document);
    yield* fullFrame(writer);
  }
}

/** Reads a collection. @param size  the number of documents @param documentsAStep  the number to read in one step */
export function* readCollection(
  reader: SnapshotReader,
  size: number,
  documentsAStep: number,
): Steps<Collection> {
  const specs: IndexSpec[] = [];
  for (let left = reader.number(); left > 0; left--) specs.push(readSpec(reader));
  const collection = new Collection();
  collection.specs = specs;
  for (let count = 1; count <= size; count++) {
    const bytes = reader.bytes();
    checked(bytes);
    collection.push(bytes);
    if (count % documentsAStep === 0) yield;
  }
  return collection;
}

function readSpec(reader: SnapshotReader): IndexSpec {
  const bytes = reader.bytes();
  checked(bytes);
  const spec = indexOfBytes(bytes);
  if (spec === undefined) throw new DamagedSnapshot("a collection's index is invalid");
  return spec;
}

function checked(bytes: string): void {
  try {
    readBson(bytes);
  } catch (fault) {
    if (fault instanceof BsonFault) throw new DamagedSnapshot(`a collection's document: ${fault.message}`);
    throw fault;
  }
}
