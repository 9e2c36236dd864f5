/** Tests backups that are restored as a data folder, or that cannot be written. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { openFolderView } from "../../../../daemon/timeline/disk/folder-view.js";
import { restoreFolder } from "../../../../tools/backup/file/restored-backup.js";
import { scratchFolder } from "../../../support/scratch-folder.js";
import { backUp, PastScene } from "./past-scene.js";

const log = { info() {}, error: () => {}, warn: () => {} };

test("a restore whose folder cannot be written fails with an explanation, and leaves no files", async () => {
  const folder = scratchFolder("restored");
  const scene = new PastScene();
  scene.write(scene.app, 1, ["SET k v"]);
  const file = join(folder, "all.dbsync");
  backUp(scene.storage, file);
  const restore = (data: string) => restoreFolder(data, file, null, log);
  writeFileSync(join(folder, "file"), "");
  const data = join(folder, "file/data");
  await assert.rejects(restore(data), {
    name: "NotRestored",
    message: `--data ${data} cannot be written (ENOTDIR: a part of its path is not a folder). The partial file was removed. Free space there, or choose another path, and run the command again`,
  });
  assert.deepEqual(readdirSync(folder).sort(), ["all.dbsync", "file"]);
  await restore(join(folder, "data"));
  assert.ok(existsSync(join(folder, "data/timeline")));
});

test("a restored folder has all marks of its backup, such as the member lists that check decisions", async () => {
  const folder = scratchFolder("restored-marks");
  const scene = new PastScene();
  scene.write(scene.app, 1, ["SET k v"]);

  const marks = [
    ["genesis", "g"],
    ["lists", "l"],
    ["watermark", "1"],
  ] as const;
  scene.storage.put(
    [],
    marks.map(([name, value]) => [name, Buffer.from(value)]),
  );

  const [file, data] = [join(folder, "all.dbsync"), join(folder, "data")];
  backUp(scene.storage, file);
  await restoreFolder(data, file, null, log);

  const view = await openFolderView(join(data, "timeline"), () => assert.fail());
  for (const [name, value] of marks) assert.equal(String(view.mark(name)), value);
  view.close();
});
