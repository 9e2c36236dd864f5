/** Tests the log: its content after a kill, a power failure and damage, and how its two files alternate. */
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
import { crc32 } from "node:zlib";
import { InlineWrites } from "../../../../daemon/timeline/disk/file-writes.js";
import { LOG_END_FILE, MARKER_BYTES, recordBytes } from "../../../../daemon/timeline/disk/log-record.js";
import {
  readLog,
  WriteAheadLog,
  type WriteAheadLogOptions,
} from "../../../../daemon/timeline/disk/write-ahead-log.js";
import { writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import type { StorageOperation } from "../../../../daemon/timeline/entries/storage.js";
import { amount } from "../../../support/amount.js";
import { until } from "../../../support/until.js";

const marker = randomBytes(MARKER_BYTES);
/** The number of earlier groups, which LMDB already has. */
const MOVED = 40;
const MIB = 1024 * 1024;

const put = (number: number, bytes = 30): readonly StorageOperation[] => [
  {
    kind: "put",
    orderKey: writeOrderKey({ at: number, seq: 0, id: "i".repeat(32) }),
    value: Buffer.alloc(bytes, number),
  },
];

/** Bytes of a group of `put`. */
const EACH = recordBytes(put(MOVED));

/** The microseconds that an inline write may take: with 0, threads make all writes; with 1e9, the event loop does. */
const INLINE_MICROS = [0, 1e9];

/** Runs a test once for each way of writing. */
async function withLog(
  safety: WriteAheadLogOptions["safety"],
  use: (log: WriteAheadLog, folder: string) => Promise<void>,
): Promise<void> {
  for (const micros of safety === "written-to-disk" ? INLINE_MICROS : [0]) {
    const folder = mkdtempSync(join(tmpdir(), "dbsync-log-"));
    const log = new WriteAheadLog({ folder, marker, last: MOVED, safety, inline: new InlineWrites(micros) });
    try {
      await use(log, folder);
    } finally {
      await log.close(true);
      rmSync(folder, { recursive: true, force: true });
    }
  }
}

function remains(folder: string, moved = MOVED) {
  const { groups, lost } = readLog(folder, { marker, sequence: moved });
  return { numbers: groups.map(({ sequence }) => sequence), lost };
}

const range = (from: number, to: number): number[] =>
  Array.from({ length: to - from + 1 }, (_, i) => from + i);

/** Flips a bit in the middle of a group. */
function damage(folder: string, number: number, name = "log-1"): void {
  const bytes = readFileSync(join(folder, name));
  const { groups } = readLog(folder, { marker, sequence: MOVED });
  const [operation] = groups.find(({ sequence }) => sequence === number)?.operations ?? [];
  assert.ok(operation?.kind === "put");
  bytes[bytes.indexOf(operation.orderKey) + 3]! ^= 4;
  writeFileSync(join(folder, name), bytes);
}

test("the log returns the written groups, numbered after the groups that LMDB has", () =>
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
    await until("zeros are written ahead", () => log.bytes > 100 * EACH);
    assert.equal(log.bytes, statSync(join(folder, "log-1")).size);
  }));

test("zeros that are written ahead overwrite no group, however long the group is", async () => {
  for (const bytes of [1, 100, 1000, 300_000, 3 * MIB])
    await withLog("written-to-disk", async (log, folder) => {
      let written = (await log.write(put(41))).bytes;
      // These groups are written while the zeros are being written.
      for (const number of range(42, 45)) written += (await log.write(put(number, bytes))).bytes;
      await until("the last zeros are written", () => log.bytes > written);
      assert.deepEqual(remains(folder), { numbers: range(41, 45), lost: 0 }, `${bytes} bytes`);
    });
});

/**
 * Simulates a restart of the machine, after which only synced data is promised.
 * @param end  the content of the log-end file on the disk
 */
function failPower(folder: string, end = readFileSync(join(folder, LOG_END_FILE))): void {
  end.fill(7, 16);
  end.writeUInt32BE(crc32(end.subarray(4)), 0);
  writeFileSync(join(folder, LOG_END_FILE), end);
}

const SAFETIES = ["written-to-disk", "synced", "written"] as const;

test("a group whose write a kill has interrupted is dropped silently, wherever its bytes end", () =>
  withLog("written-to-disk", async (log, folder) => {
    for (const number of range(41, 43)) await log.write(put(number));
    const end = readFileSync(join(folder, LOG_END_FILE));
    await log.write(put(44));
    writeFileSync(join(folder, LOG_END_FILE), end);
    const path = join(folder, "log-1");
    for (let length = 4 * EACH - 1; length >= 3 * EACH; length--) {
      truncateSync(path, length);
      assert.deepEqual(remains(folder), { numbers: range(41, 43), lost: 0 }, `${length} bytes`);
    }
  }));

for (const safety of SAFETIES)
  test(`if the end of the log is missing after a kill, the lost groups are counted: ${safety}`, () =>
    withLog(safety, async (log, folder) => {
      for (const number of range(41, 46)) await log.write(put(number));
      const path = join(folder, "log-1");
      const bytes = readFileSync(path).subarray(0, 6 * EACH);
      for (let length = bytes.length; length >= 0; length -= amount(5, 1)) {
        const complete = Math.floor(length / EACH);
        const expected = { numbers: range(41, 40 + complete), lost: 6 - complete };
        writeFileSync(path, bytes.subarray(0, length));
        assert.deepEqual(remains(folder), expected, `${length} bytes left`);
        writeFileSync(path, Buffer.from(bytes).fill(0, length));
        assert.deepEqual(remains(folder), expected, `${length} bytes that are not zero`);
      }
      for (const name of ["log-1", "log-2"]) rmSync(join(folder, name));
      assert.deepEqual(remains(folder), { numbers: [], lost: 6 });
      assert.deepEqual(remains(folder, 44), { numbers: [], lost: 2 }, "LMDB has the earlier groups");
      assert.deepEqual(remains(folder, 46), { numbers: [], lost: 0 });
    }));

test("after a power failure only synced groups count as lost", async () => {
  /** For each setting, the last group that must survive. Groups 41 to 50 are written; groups up to 45 are synced. */
  const promised = { "written-to-disk": 50, synced: 45, written: MOVED };
  for (const safety of SAFETIES)
    await withLog(safety, async (log, folder) => {
      const begun = readFileSync(join(folder, LOG_END_FILE));
      for (const number of range(41, 45)) await log.write(put(number));
      await log.sync();
      for (const number of range(46, 50)) await log.write(put(number));

      const path = join(folder, "log-1");
      const bytes = readFileSync(path).subarray(0, 10 * EACH);
      failPower(folder);
      for (let complete = 10; complete >= 0; complete--) {
        writeFileSync(path, bytes.subarray(0, EACH * complete));
        const last = 40 + complete;
        const lost = Math.max(0, promised[safety] - last);
        assert.deepEqual(remains(folder), { numbers: range(41, last), lost }, `${safety}, up to ${last}`);
        const { unsynced } = readLog(folder, { marker, sequence: MOVED });
        assert.equal(unsynced, 50 - Math.max(last, promised[safety]), `${safety}, up to ${last}`);
      }

      // If the operating system had not written the log-end file yet, this file is older than the log.
      failPower(folder, begun);
      writeFileSync(path, bytes);
      assert.deepEqual(remains(folder), { numbers: range(41, 50), lost: 0 }, safety);
    });
});

test("if unsynced pages of a log are missing after a power failure, the groups after these pages are ignored", () =>
  withLog("written", async (log, folder) => {
    for (const number of range(41, 50)) await log.write(put(number));
    damage(folder, 46);
    assert.deepEqual(remains(folder), { numbers: [...range(41, 45), ...range(47, 50)], lost: 1 });
    failPower(folder);
    assert.deepEqual(remains(folder), { numbers: range(41, 45), lost: 0 });
  }));

test("without a readable log-end file, the records alone show which groups are missing", () =>
  withLog("written-to-disk", async (log, folder) => {
    for (const number of range(41, 46)) await log.write(put(number));
    damage(folder, 43);
    for (const content of [Buffer.alloc(32), Buffer.alloc(5), null]) {
      const path = join(folder, LOG_END_FILE);
      if (content === null) rmSync(path);
      else writeFileSync(path, content);
      assert.deepEqual(remains(folder), { numbers: [41, 42, ...range(44, 46)], lost: 1 });
      assert.equal(readLog(folder, { marker, sequence: MOVED }).end, "damaged");
    }
  }));

test("a damaged group in the middle is reported, and the groups after it are used", () =>
  withLog("written-to-disk", async (log, folder) => {
    for (const number of range(41, 50)) await log.write(put(number));
    damage(folder, 44);
    assert.deepEqual(remains(folder), { numbers: [...range(41, 43), ...range(45, 50)], lost: 1 });
    damage(folder, 41);
    damage(folder, 45);
    assert.deepEqual(remains(folder), { numbers: [42, 43, ...range(46, 50)], lost: 3 });
    assert.deepEqual(
      remains(folder, 45),
      { numbers: range(46, 50), lost: 0 },
      "groups that LMDB has are not counted as missing",
    );
  }));

test("if an unsynced group is damaged after a power failure, all later groups are ignored", () =>
  withLog("synced", async (log, folder) => {
    for (const number of range(41, 43)) await log.write(put(number));
    await log.sync();
    for (const number of range(44, 50)) await log.write(put(number));
    failPower(folder);
    damage(folder, 46);
    assert.deepEqual(remains(folder), { numbers: range(41, 45), lost: 0 });
    damage(folder, 42);
    assert.deepEqual(remains(folder), { numbers: [41, 43, 44, 45], lost: 1 });
  }));

test("a file is reused once LMDB has all its groups, and not before", () =>
  withLog("written", async (log, folder) => {
    const sizes = () => ["log-1", "log-2"].map((name) => statSync(join(folder, name)).size);

    for (const number of range(41, 80)) await log.write(put(number, MIB));
    assert.ok((sizes()[0] as number) < 18 * MIB, "the log continues in the second file");
    assert.deepEqual(remains(folder), { numbers: range(41, 80), lost: 0 });

    // The last group of the first file is not in LMDB yet.
    log.moved(50);
    for (const number of range(81, 90)) await log.write(put(number, MIB));
    assert.deepEqual(remains(folder, 50), { numbers: range(51, 90), lost: 0 });

    log.moved(89);
    const before = sizes();
    for (const number of range(91, 100)) await log.write(put(number, MIB));
    assert.deepEqual(sizes(), before, "nothing has grown");
    assert.deepEqual(remains(folder, 89), { numbers: range(90, 100), lost: 0 });
    assert.equal(
      log.bytes,
      before.reduce((sum, size) => sum + size),
    );

    log.moved(100);
    const last = amount(140, 200);
    for (const number of range(101, last)) {
      await log.write(put(number, MIB));
      log.moved(number - 1);
    }
    assert.ok(log.bytes < 60 * MIB, `${log.bytes} bytes`);
    assert.deepEqual(remains(folder, last - 1), { numbers: [last], lost: 0 });
  }));

test("old groups in a file are not mistaken for new groups", () =>
  withLog("written-to-disk", async (log, folder) => {
    for (const number of range(41, 60)) await log.write(put(number, MIB));
    const next = mkdtempSync(join(tmpdir(), "dbsync-log-"));
    try {
      for (const name of ["log-1", "log-2"]) copyFileSync(join(folder, name), join(next, name));
      const other = randomBytes(MARKER_BYTES);
      const inline = new InlineWrites(0);
      const parts = { folder: next, marker: other, last: 60, safety: "written-to-disk", inline } as const;
      const again = new WriteAheadLog(parts);
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
