/** Tests that this version opens the data folders of earlier versions and returns their contents. */
import assert from "node:assert/strict";
import { chmodSync, cpSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { createClient } from "../../client/public-api.js";
import { ENDINGS, foldersPath, privateKeyIn, readAll, startWith } from "./folder-vectors.js";

const versions = readdirSync(foldersPath(), { withFileTypes: true }).filter((entry) => entry.isDirectory());
assert.ok(versions.length > 0, "test/vectors/folders contains folders");

for (const { name: version } of versions)
  for (const ending of ENDINGS)
    test(`a folder of ${version} whose daemon was ${ending} can be opened, written to and opened again`, async () => {
      const path = foldersPath(version);
      const expected = JSON.parse(readFileSync(join(path, `${ending}.json`), "utf8"));
      const folder = mkdtempSync(join(tmpdir(), "dbsync-folder-"));
      const key = privateKeyIn(path, "app");
      try {
        cpSync(join(path, ending), folder, { recursive: true });
        makePrivate(folder);
        {
          await using daemon = await startWith(folder, path);
          assert.deepEqual(await readAll(daemon, key), expected);
          await using client = createClient({ servers: [`127.0.0.1:${daemon.port}`], key });
          await client.call(["SET", "gone", "and back"]);
          await daemon.stop();
        }
        await using daemon = await startWith(folder, path);
        await using client = createClient({ servers: [`127.0.0.1:${daemon.port}`], key });
        assert.equal(await client.call(["GET", "gone"]), "and back");
        await client.call(["DEL", "gone"]);
        assert.deepEqual(await readAll(daemon, key), expected);
      } finally {
        rmSync(folder, { recursive: true, force: true });
      }
    });

/** Removes the permissions of other users, which Git does not record. */
function makePrivate(folder: string): void {
  chmodSync(folder, 0o700);
  for (const entry of readdirSync(folder, { withFileTypes: true })) {
    const path = join(folder, entry.name);
    if (entry.isDirectory()) makePrivate(path);
    else chmodSync(path, 0o600);
  }
}
