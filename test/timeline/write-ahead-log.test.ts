/** The log: what is left of it after a kill, a power failure and damage, and how its two files take turns. */
import assert from "node:assert/strict";
import { randomBytes } from "node:crypto";
import {
  copyFileSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  statSync,
  truncateSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { writePlace } from "../../timeline/entry.js";
import { MARKER_BYTES } from "../../timeline/log-record.js";
import type { Operation } from "../../timeline/operation.js";
import { readLog, WriteAheadLog, type WriteAheadLogParts } from "../../timeline/write-ahead-log.js";

const marker = randomBytes(MARKER_BYTES);
/** LMDB has so many groups, of other times. */
const FILED = 40;
const MIB = 1024 * 1024;

const put = (number: number, bytes = 30): readonly Operation[] => [
  {
    kind: "put",
    place: writePlace({ at: number, seq: 0, id: "i".repeat(32) }),
    value: Buffer.alloc(bytes, number),
  },
];

async function withLog(
  safety: WriteAheadLogParts["safety"],
  use: (log: WriteAheadLog, folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-log-"));
  const log = new WriteAheadLog({ folder, marker, last: FILED, safety });
  try {
    await use(log, folder);
  } finally {
    await log.close(true);
    rmSync(folder, { recursive: true, force: true });
  }
}

function remains(folder: string, filed = FILED) {
  const { groups, lost } = readLog(folder, { marker, sequence: filed });
  return { numbers: groups.map(({ sequence }) => sequence), lost };
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Flips a bit in the middle of a group. */
function damage(folder: string, number: number, name = "log-1"): void {
  const bytes = readFileSync(join(folder, name));
  const { groups } = readLog(folder, { marker, sequence: FILED });
  const [operation] = groups.find(({ sequence }) => sequence === number)?.operations ?? [];
  assert.ok(operation?.kind === "put");
  bytes[bytes.indexOf(operation.place) + 3]! ^= 4;
  writeFileSync(join(folder, name), bytes);
}

test("what was written is there, numbered on from what LMDB has", () =>
  withLog("written-to-disk", async (log, folder) => {
    for (const number of range(41, 50)) {
      const { sequence, bytes } = await log.write(put(number));
      assert.equal(sequence, number);
      assert.ok(bytes > 30);
    }
    const { groups } = readLog(folder, { marker, sequence: 45 });
    assert.deepEqual(
      groups.map(({ operations }) => operations),
      range(46, 50).map((number) => put(number)),
    );
    assert.deepEqual(remains(folder, 50), { numbers: [], lost: 0 });
    assert.deepEqual(readLog(folder, { marker: randomBytes(MARKER_BYTES), sequence: 0 }).groups, []);
    assert.equal(log.bytes, statSync(join(folder, "log-1")).size);
  }));

test("a group that a kill has torn is cut off without a word, wherever it is torn", () =>
  withLog("written-to-disk", async (log, folder) => {
    for (const number of range(41, 43)) await log.write(put(number));
    const path = join(folder, "log-1");
    const { size } = statSync(path);
    const each = size / 3;
    for (let length = size; length >= 0; length--) {
      truncateSync(path, length);
      const whole = Math.floor(length / each);
      assert.deepEqual(remains(folder), { numbers: range(41, 40 + whole), lost: 0 }, `${length} bytes`);
    }
  }));

test("a group that is damaged in the middle is told, and those behind it are used", () =>
  withLog("written-to-disk", async (log, folder) => {
    for (const number of range(41, 50)) await log.write(put(number));
    damage(folder, 44);
    assert.deepEqual(remains(folder), { numbers: [...range(41, 43), ...range(45, 50)], lost: 1 });
    damage(folder, 41);
    damage(folder, 45);
    assert.deepEqual(remains(folder), { numbers: [42, 43, ...range(46, 50)], lost: 3 });
    assert.deepEqual(remains(folder, 45), { numbers: range(46, 50), lost: 0 }, "what LMDB has is not missed");
  }));

test("what no sync had reached may be missing after a power failure: then nothing behind it counts", () =>
  withLog("synced", async (log, folder) => {
    for (const number of range(41, 43)) await log.write(put(number));
    await log.sync();
    for (const number of range(44, 50)) await log.write(put(number));
    damage(folder, 46);
    assert.deepEqual(remains(folder), { numbers: range(41, 45), lost: 0 });
    damage(folder, 42);
    assert.deepEqual(remains(folder), { numbers: [41, 43, 44, 45], lost: 1 });
  }));

test("a file is begun anew once LMDB has all of it, and not before", () =>
  withLog("written", async (log, folder) => {
    const sizes = () => ["log-1", "log-2"].map((name) => statSync(join(folder, name)).size);
    for (const number of range(41, 80)) await log.write(put(number, MIB));
    assert.ok((sizes()[0] as number) < 18 * MIB, "the second one goes on");
    assert.deepEqual(remains(folder), { numbers: range(41, 80), lost: 0 });
    // The last of the first file's groups is not filed.
    log.filed(50);
    for (const number of range(81, 90)) await log.write(put(number, MIB));
    assert.deepEqual(remains(folder, 50), { numbers: range(51, 90), lost: 0 });
    log.filed(89);
    const before = sizes();
    for (const number of range(91, 100)) await log.write(put(number, MIB));
    assert.deepEqual(sizes(), before, "nothing has grown");
    assert.deepEqual(remains(folder, 89), { numbers: range(90, 100), lost: 0 });
    assert.equal(
      log.bytes,
      before.reduce((sum, size) => sum + size),
    );
    log.filed(100);
    for (const number of range(101, 200)) {
      await log.write(put(number, MIB));
      log.filed(number - 1);
    }
    assert.ok(log.bytes < 60 * MIB, `${log.bytes} bytes`);
    assert.deepEqual(remains(folder, 199), { numbers: [200], lost: 0 });
  }));

test("what a file still holds of before is not taken for what is new", () =>
  withLog("written-to-disk", async (log, folder) => {
    for (const number of range(41, 60)) await log.write(put(number, MIB));
    const next = mkdtempSync(join(tmpdir(), "dbsync-log-"));
    try {
      for (const name of ["log-1", "log-2"]) copyFileSync(join(folder, name), join(next, name));
      const other = randomBytes(MARKER_BYTES);
      const again = new WriteAheadLog({ folder: next, marker: other, last: 60, safety: "written-to-disk" });
      await again.write(put(61, 3 * MIB));
      const { groups, lost } = readLog(next, { marker: other, sequence: 60 });
      assert.deepEqual([groups.map(({ sequence }) => sequence), lost], [[61], 0]);
      await again.close(false);
      assert.deepEqual(
        ["log-1", "log-2"].map((name) => statSync(join(next, name)).size),
        [0, 0],
      );
    } finally {
      rmSync(next, { recursive: true, force: true });
    }
  }));
