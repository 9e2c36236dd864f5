/** Tests that a data folder of another format is refused with one sentence, and that nothing in it changes. */
import assert from "node:assert/strict";
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { FORMAT_FILE } from "../../daemon/timeline/disk/timeline-folder.js";
import { runDaemon, startDaemon } from "../support/daemon-process.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { programPaths } from "../support/programs.js";
import { type Ended, run } from "../support/run-program.js";

const OTHERS: readonly (readonly [name: string, text: string | null, found: string])[] = [
  [
    "without a number",
    null,
    "has no format number, and this program reads only format 1. Nothing in it was changed.",
  ],
  [
    "with a greater number",
    "dbsync data folder 999\n",
    "has format 999, and this program reads only format 1.",
  ],
  [
    "with other text",
    "dbsync\n",
    "has a format number that cannot be read, and this program reads only format 1.",
  ],
];

let folder: string;
let files: readonly string[];
before(async () => {
  folder = mkdtempSync(join(tmpdir(), "dbsync-format-"));
  for (const name of ["app", "root"]) writeFileSync(join(folder, `${name}.pem`), makeKeyPair().pem);
  files = ["-s", join(folder, "app.pem"), "--root-key", join(folder, "root.pem")];
  await using daemon = await startDaemon([...files, "--data", join(folder, "data")]);
  daemon.kill("SIGKILL");
  await daemon.ended();
});
after(() => rmSync(folder, { recursive: true, force: true }));

for (const [name, text, found] of OTHERS)
  test(`a data folder ${name} is refused, and not changed`, async () => {
    const data = join(folder, "data");
    const format = join(data, "timeline", FORMAT_FILE);
    if (text === null) rmSync(format);
    else writeFileSync(format, text);
    const contents = contentsOf(data);
    const started = await runDaemon([...files, "--data", data]);
    assert.equal(started.code, 2, started.stdout + started.stderr);
    assertNames(started, found);
    assertNames(await dbsync("log", "verify", "--data", data, ...files), found);
    assertNames(await dbsync("backup", "--data", data, join(folder, "backup")), found);
    assert.deepEqual(contentsOf(data), contents);
  });

const dbsync = (...args: readonly string[]) => run(process.execPath, [programPaths.dbsync, ...args]);

function assertNames({ code, stdout, stderr }: Ended, found: string): void {
  assert.notEqual(code, 0);
  assert.ok((stdout + stderr).includes(`${join(folder, "data", "timeline")} ${found}`), stdout + stderr);
}

/** Returns the names and bytes of all files in a folder. */
const contentsOf = (path: string) =>
  readdirSync(path, { recursive: true, withFileTypes: true })
    .map((entry) => join(entry.parentPath, entry.name))
    .sort()
    .map((file) => [file, readIfFile(file)]);

function readIfFile(path: string): string | null {
  try {
    return readFileSync(path, "latin1");
  } catch (problem) {
    if ((problem as NodeJS.ErrnoException).code === "EISDIR") return null;
    throw problem;
  }
}
