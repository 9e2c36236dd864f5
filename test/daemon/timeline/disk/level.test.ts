/** Tests that a folder stops growing if as many entries are removed as are added: LMDB's file reuses their space. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { DiskStorage } from "../../../../daemon/timeline/disk/disk-storage.js";
import { DATA_FILE } from "../../../../daemon/timeline/disk/lmdb-file.js";
import { timelineFolder } from "../../../../daemon/timeline/disk/lmdb-reader.js";
import { writeOrderKey } from "../../../../daemon/timeline/entries/entry.js";
import { amount } from "../../../support/amount.js";
import { SeededRandom, seedOfRun } from "../../../support/seeded-random.js";
import { failingLog } from "../support/failing-log.js";

const ENTRIES = 200;
/**
 * The number of rounds for which an entry stays, and the number of rounds after which the file has its final length.
 */
const [KEPT, LEVEL] = [5, 20];
const ROUNDS = amount(3 * LEVEL, 10 * LEVEL);
/** Maximum length: some entries fill part of a page, some several pages, so that removals leave gaps of all sizes. */
const BYTES_MAX = 10_000;
/** Maximum growth. Without reuse, the file would be at least three times as long. */
const GROWTH_MAX = 1.5;

test("if entries of all lengths are added and removed, LMDB's file keeps its length", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-level-"));
  const storage = new DiskStorage(folder, "never", failingLog);
  try {
    const random = new SeededRandom(seedOfRun());
    const kept: Buffer[][] = [];
    let level = 0;
    for (let round = 0; round < ROUNDS; round++) {
      const orderKeys = Array.from({ length: ENTRIES }, (_, i) =>
        writeOrderKey({ at: round * ENTRIES + i, seq: 0, id: "i".repeat(32) }),
      );
      storage.put(orderKeys.map((orderKey) => [orderKey, Buffer.alloc(1 + random.below(BYTES_MAX), "x")]));
      kept.push(orderKeys);
      if (kept.length > KEPT) storage.remove(kept.shift() ?? []);
      await storage.settled();
      if (round === LEVEL) level = statSync(join(timelineFolder(folder), DATA_FILE)).size;
    }
    const { size } = statSync(join(timelineFolder(folder), DATA_FILE));
    assert.ok(size <= GROWTH_MAX * level, `${level} bytes after ${LEVEL} rounds, ${size} after ${ROUNDS}`);
  } finally {
    await storage.close();
    rmSync(folder, { recursive: true });
  }
});
