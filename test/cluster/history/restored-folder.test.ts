/** Tests backups that are restored as a data folder, or that cannot be written. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { restoreFolder } from "../../../cluster/history/restored-backup.js";
import { scratchFolder } from "../../support/scratch-folder.js";
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
