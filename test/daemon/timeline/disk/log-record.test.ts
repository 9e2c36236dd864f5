/** Tests records of the log: the reader returns the written records and accepts nothing else as a record. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import { test } from "node:test";
import {
  type LogRecord,
  MARKER_BYTES,
  readRecords,
  recordBytes,
  writeRecord,
} from "../../../../daemon/timeline/disk/log-record.js";
import { writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import type { StorageOperation } from "../../../../daemon/timeline/entries/storage.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { randomOrderKey } from "../support/storage-cases.js";

const seed = seedOfRun();
const marker = randomBytes(MARKER_BYTES);

function randomOperation(random: SeededRandom): StorageOperation {
  const orderKey = writeOrderKey(randomOrderKey(random));
  const value = Buffer.alloc(random.below(300), random.below(256));
  if (random.chance(0.5)) return { kind: "put", orderKey, value };
  if (random.chance(0.5)) return { kind: "remove", orderKey };
  return { kind: "mark", name: random.oneOf(["watermark", "snapshots"]), value };
}

function randomRecord(random: SeededRandom, sequence: number): LogRecord {
  const operations = Array.from({ length: random.below(5) }, () => randomOperation(random));
  return { sequence, safe: random.below(sequence), operations };
}

function bytesOfRecord(record: LogRecord, withMarker = marker): Buffer {
  const bytes = Buffer.alloc(recordBytes(record.operations), 0xee);
  writeRecord(bytes, withMarker, record);
  return bytes;
}

test(`records are read as they were written, whatever bytes are between them (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 1);
  const records = Array.from({ length: 200 }, (_, i) => randomRecord(random, 2 ** 33 + i));
  const pieces = records.flatMap((record) => [
    Buffer.alloc(random.oneOf([0, 0, 7, 40]), random.below(256)),
    bytesOfRecord(record),
  ]);
  assert.deepEqual([...readRecords(Buffer.concat(pieces), marker)], records);
});

test(`a record with one changed bit is skipped, and the records around it are read (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 2);
  const [before, record, after] = [1, 2, 3].map((sequence) => randomRecord(random, sequence));
  const [first, middle, last] = [before, record, after].map((one) => bytesOfRecord(one as LogRecord));
  for (let i = 0; i < (middle as Buffer).length; i++) {
    const damaged = Buffer.from(middle as Buffer);
    damaged[i] = (damaged[i] as number) ^ (1 << random.below(8));
    const bytes = Buffer.concat([first as Buffer, damaged, last as Buffer]);
    assert.deepEqual([...readRecords(bytes, marker)], [before, after], `byte ${i}`);
  }
});

test(`a truncated record is skipped (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 3);
  const bytes = bytesOfRecord({ ...randomRecord(random, 9), operations: [randomOperation(random)] });
  for (let length = 0; length < bytes.length; length++)
    assert.deepEqual([...readRecords(bytes.subarray(0, length), marker)], []);
});

test("a value that looks like a record of a different start of the daemon is skipped", () => {
  const orderKey = writeOrderKey({ at: 1, seq: 0, id: "i".repeat(32) });
  const forged = bytesOfRecord(
    { sequence: 8, safe: 7, operations: [{ kind: "remove", orderKey }] },
    randomBytes(MARKER_BYTES),
  );
  const record: LogRecord = { sequence: 7, safe: 6, operations: [{ kind: "put", orderKey, value: forged }] };
  const bytes = bytesOfRecord(record);
  assert.deepEqual([...readRecords(bytes, marker)], [record]);
  bytes[MARKER_BYTES]! ^= 1;
  assert.deepEqual([...readRecords(bytes, marker)], []);
});
