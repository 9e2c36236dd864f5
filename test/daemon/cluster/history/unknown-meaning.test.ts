/** Tests a folder and a backup with a semantics version that this release does not know. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { DATABASES_DEFAULT } from "../../../../daemon/store/database.js";
import { restoredKeys } from "../../../../tools/backup/file/restored-backup.js";
import { Verification } from "../../../../tools/history/verification/timeline-verification.js";
import { AT, backUp, PastScene } from "./past-scene.js";

const folder = mkdtempSync(join(tmpdir(), "dbsync-meaning-"));
after(() => rmSync(folder, { recursive: true }));

const SENTENCE = /semantics version 2 applies from \S+, but this release knows only version 1: upgrade it/;

function sceneOf(): PastScene {
  const scene = new PastScene();
  scene.write(scene.app, 1, ["SET k before"]);
  scene.write(scene.root, 2, ["CLUSTER SEMANTICS 2"]);
  scene.write(scene.app, 3, ["SET k behind"]);
  return scene;
}

test("dbsync log verify reports the unknown version, and checks nothing", () => {
  const { storage, signers } = sceneOf();
  const run = () => new Verification(storage, null, signers, () => {}).run();
  assert.throws(run, (problem: Error) => problem.name === "NotChecked" && SENTENCE.test(problem.message));
});

test("a restore supports dates before the unknown version, and fails for later dates", () => {
  const { storage, signers } = sceneOf();
  const file = join(folder, "all.dbsync");
  backUp(storage, file);

  const keysAt = (at: number | null) => [
    ...restoredKeys({
      file,
      at,
      db: 0,
      isWanted: () => true,
      signers,
      databases: DATABASES_DEFAULT,
      onNotice: () => {},
    }),
  ];

  assert.deepEqual(
    keysAt(AT + 1).map(({ key }) => key),
    ["k"],
  );
  for (const at of [null, AT + 3, AT + 2])
    assert.throws(
      () => keysAt(at),
      (problem: Error) => problem.name === "NotRestored" && SENTENCE.test(problem.message),
    );
});
