/** Tests the check of a folder's format number. test/system/folder-format.test.ts tests it with real daemons. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import {
  checkFolderFormat,
  FORMAT_FILE,
  ForeignFolder,
  writeFolderFormat,
} from "../../../../daemon/timeline/disk/timeline-folder.js";

test("a new folder receives the number, and a folder with data but another number or none is refused", () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-format-"));
  const file = join(folder, FORMAT_FILE);
  try {
    assert.equal(checkFolderFormat(join(folder, "absent")), false);
    for (const name of ["lock", `${FORMAT_FILE}.partial`]) writeFileSync(join(folder, name), "");
    assert.equal(checkFolderFormat(folder), false, "a process was killed before it wrote the number");
    writeFolderFormat(folder);
    assert.equal(checkFolderFormat(folder), true);
    assert.deepEqual(readdirSync(folder).sort(), [FORMAT_FILE, "lock"]);
    for (const text of ["dbsync data folder 2\n", "dbsync data folder 01\n", "dbsync data folder 1", ""]) {
      writeFileSync(file, text);
      assert.throws(() => checkFolderFormat(folder), ForeignFolder, text);
    }
    rmSync(file);
    writeFileSync(join(folder, "log-1"), "");
    assert.throws(
      () => checkFolderFormat(folder),
      /has no format number, and this program reads only format 1/,
    );
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
});
