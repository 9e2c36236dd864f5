/** Tests the marks of a data folder of which a byte is damaged. */
import assert from "node:assert/strict";
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { CRC_BYTES, writeCheckedMark } from "../../../daemon/timeline/disk/checked-mark.js";
import { DiskStorage } from "../../../daemon/timeline/disk/disk-storage.js";
import { openFolderView } from "../../../daemon/timeline/disk/folder-view.js";
import { DamagedFile } from "../../../daemon/timeline/disk/lmdb-file.js";
import type { MarkName } from "../../../daemon/timeline/entries/storage.js";
import { writePromisesMark } from "../../../daemon/timeline/entries/stored-promises.js";
import type { TimelineLogger } from "../../../daemon/timeline/entries/timeline-logger.js";
import { StoredVotes } from "../../../daemon/timeline/stored-votes.js";
import type { TimelineParts } from "../../../daemon/timeline/timeline-environment.js";
import { NO_PROMISES, writeStoredPromises } from "../../../protocol/members/decision-messages.js";
import { amount } from "../../support/amount.js";
import { scratchFolder } from "../../support/scratch-folder.js";
import { failingLog } from "./support/failing-log.js";

const ballot = { list: 1, listHash: "l".repeat(32), round: 7, member: "m".repeat(32), attempt: 0 };
const PROMISES = writeStoredPromises({ ...NO_PROMISES, promised: ballot });
/** The distance between the damaged bytes. */
const STEP = amount(9, 1);

/** Opens the folder like a daemon. @returns the promises, and the number of errors that were logged */
async function open(folder: string): Promise<{ promises: Buffer | null; errors: number }> {
  let errors = 0;
  const log = { error: () => void errors++, warn: () => {} } as Partial<TimelineLogger> as TimelineLogger;
  const storage = new DiskStorage(folder, "always", log);
  try {
    const parts = { storage, log, hash: () => "i".repeat(32) };
    const { promises } = new StoredVotes(parts as Partial<TimelineParts> as TimelineParts);
    return { promises, errors };
  } finally {
    await storage.close();
  }
}

/** Writes a mark to a new folder. @returns the folder, its file, and where the value of the mark is in it */
async function folderWith(
  name: MarkName,
  bytes: Buffer,
): Promise<{ folder: string; file: string; value: Buffer }> {
  const folder = scratchFolder("damaged-marks");
  const storage = new DiskStorage(folder, "always", failingLog);
  storage.put([], [[name, bytes]]);
  await storage.close();
  return {
    folder,
    file: join(folder, "timeline", "data.mdb"),
    value: writeCheckedMark(Buffer.from(name), bytes),
  };
}

/** Flips a bit in a byte of a value, in all copies of its page. */
function damage(file: string, intact: Buffer, value: Buffer, at: number): void {
  const damaged = Buffer.from(intact);
  for (let start = damaged.indexOf(value); start >= 0; start = damaged.indexOf(value))
    damaged[start + at] = (damaged[start + at] as number) ^ 0x20;
  assert.ok(!damaged.equals(intact));
  writeFileSync(file, damaged);
}

test("a damaged byte in the stored promises is logged, and they are lost", async () => {
  const mark = writePromisesMark(PROMISES);
  const { folder, file, value } = await folderWith("decisions", mark);
  assert.deepEqual(await open(folder), { promises: PROMISES, errors: 0 });
  const intact = readFileSync(file);
  for (let at = CRC_BYTES; at < value.length; at += STEP) {
    damage(file, intact, value, at);
    assert.deepEqual(await open(folder), { promises: null, errors: 1 }, `byte ${at}`);
  }
});

for (const name of ["watermark", "pruned", "members", "snapshots"] as const)
  test(`a daemon does not start with a damaged byte in the mark ${name}, and reports it`, async () => {
    const { folder, file, value } = await folderWith(name, Buffer.from("1700000000000"));
    const intact = readFileSync(file);
    for (let at = 0; at < value.length; at += STEP) {
      damage(file, intact, value, at);
      const isNamed = (problem: unknown) =>
        problem instanceof DamagedFile && problem.message === `${file} is damaged: the mark ${name}`;
      assert.throws(() => new DiskStorage(folder, "always", failingLog), isNamed);
      await assert.rejects(
        openFolderView(join(folder, "timeline"), () => {}),
        isNamed,
      );
    }
    writeFileSync(file, intact);
    const storage = new DiskStorage(folder, "always", failingLog);
    assert.equal(storage.readMark(name)?.toString(), "1700000000000");
    await storage.close();
  });
