/** Tests that LMDB never writes more bytes in a commit than were calculated before it. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { open } from "lmdb";
import { BINARY } from "../../../../daemon/timeline/disk/lmdb-reader.js";
import { commitBytesMax, emptyShape, sizesIn } from "../../../../daemon/timeline/disk/lmdb-tree.js";
import { writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import type { StorageOperation } from "../../../../daemon/timeline/entries/storage.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";

const COMMITS = amount(60, 400);
const OPERATIONS_MAX = 1024;
/** Maximum lengths of values: of many in a page, of one or two in a page, and of many pages. */
const VALUE_BYTES_MAX = [100, 2000, 2100, 20_000] as const;
/** Dates of entries: few, so that many are replaced, or many, so that most are new. */
const DATES = [500, 1_000_000] as const;
const PAGE_BYTES = 4096;

/** Returns the bytes that this process has passed to the system for writing. */
const writtenBytes = (): number => Number(/^wchar: (\d+)$/m.exec(readFileSync("/proc/self/io", "utf8"))?.[1]);

test("LMDB writes at most the calculated bytes in a commit, of any entries", {
  skip: process.platform === "linux" ? false : "the system does not count the bytes of a process",
}, () => {
  const seed = seedOfRun();
  console.log(`seed ${seed}`);
  const folder = mkdtempSync(join(tmpdir(), "dbsync-commit-"));
  const root = open<Buffer, Buffer>({ path: folder, noSubdir: false, noSync: true, maxDbs: 4, ...BINARY });
  try {
    const entries = root.openDB("entries", BINARY);
    const marks = root.openDB("marks", BINARY);
    for (let commit = 0; commit < COMMITS; commit++) {
      const operations = randomOperations(new SeededRandom(seed, commit), commit);
      const max = commitBytesMax(operations, sizesIn(entries).shape);
      const before = writtenBytes();
      root.transactionSync(() => {
        for (const operation of operations) {
          if (operation.kind === "put") entries.put(operation.orderKey, operation.value);
          else if (operation.kind === "remove") entries.remove(operation.orderKey);
          else marks.put(Buffer.from(operation.name), operation.value);
        }
      });
      const written = writtenBytes() - before;
      assert.ok(
        written <= max,
        `commit ${commit} of ${operations.length} operations: ${written} bytes instead of ${max}`,
      );
    }
  } finally {
    void root.close();
    rmSync(folder, { recursive: true });
  }
});

test("a commit of a few short entries needs less than a megabyte", () => {
  const operations = Array.from({ length: 20 }, (_, at) => put(at, 200));
  assert.ok(commitBytesMax(operations, emptyShape(PAGE_BYTES)) < 1024 * 1024);
});

function randomOperations(random: SeededRandom, commit: number): StorageOperation[] {
  const valueBytesMax = VALUE_BYTES_MAX[random.below(VALUE_BYTES_MAX.length)] as number;
  const dates = DATES[random.below(DATES.length)] as number;
  const isAscending = random.below(3) === 0;
  const isRemoving = random.below(4) === 0;
  const length = 1 + random.below(random.below(2) === 0 ? 10 : OPERATIONS_MAX);
  return Array.from({ length }, (_, index) => {
    const at = isAscending ? commit * OPERATIONS_MAX + index : random.below(dates);
    if (random.below(10) === 0)
      return {
        kind: "mark",
        name: `mark ${random.below(20)}`,
        value: Buffer.alloc(random.below(valueBytesMax)),
      };
    if (isRemoving || random.below(4) === 0) return { kind: "remove", orderKey: put(at, 0).orderKey };
    return put(at, random.below(valueBytesMax));
  });
}

const put = (at: number, bytes: number) => ({
  kind: "put" as const,
  orderKey: writeOrderKey({ at, seq: 0, id: "i".repeat(32) }),
  value: Buffer.alloc(bytes),
});
