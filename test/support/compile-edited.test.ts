/** Tests that an edited file is compiled alone, and that the next build does not mistake this output for its own. */
import assert from "node:assert/strict";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  rmSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, test } from "node:test";
import { pathToFileURL } from "node:url";
import { buildRoot, repositoryRoot } from "./repository.js";

const root = mkdtempSync(join(tmpdir(), "dbsync-compile-edited-"));
after(() => rmSync(root, { recursive: true }));

const SETTINGS = { include: ["protocol"], exclude: ["protocol/other"] };
const BUILT = "export const a = 1;\n";

/** Makes a repository with one source file, whose output is up to date. */
async function makeRepository(): Promise<typeof import("./compile-edited.js")> {
  mkdirSync(join(root, "protocol"));
  mkdirSync(join(root, "dist/protocol"), { recursive: true });
  writeFileSync(join(root, "package.json"), '{ "name": "dbsyncd", "type": "module" }');
  writeFileSync(join(root, "tsconfig.json"), JSON.stringify(SETTINGS));
  symlinkSync(join(repositoryRoot, "node_modules"), join(root, "node_modules"));
  for (const file of ["compile-edited.js", "repository.js"])
    cpSync(join(buildRoot, "test/support", file), join(root, "dist/test/support", file));
  writeFileSync(join(root, "protocol/a.ts"), "export const a: number = 1;\n");
  writeFileSync(join(root, "dist/protocol/a.js"), BUILT);
  return import(pathToFileURL(join(root, "dist/test/support/compile-edited.js")).href);
}

const output = (file: string): string => readFileSync(join(root, "dist/protocol", file), "utf8");

/** Writes a source file that is one second newer than what was written before. */
function edit(file: string, text: string): void {
  writeFileSync(join(root, "protocol", file), text);
  const later = new Date(Date.now() + 1000);
  utimesSync(join(root, "protocol", file), later, later);
}

test("an edited file is compiled alone, and the next build restores its own output", async () => {
  const { compileEdited, restoreReplaced } = await makeRepository();
  assert.deepEqual(await compileEdited(), []);
  edit("a.ts", "export const a: number = 2;\n");
  edit("b.ts", "export const b: string = `b`;\n");
  assert.deepEqual(await compileEdited(), ["protocol/a.ts", "protocol/b.ts"]);
  assert.match(output("a.js"), /const a = 2;/);
  edit("a.ts", "export const a: number = 3;\n");
  await compileEdited();
  assert.match(output("a.js"), /const a = 3;/);
  // The type checker writes the outputs of edited files, but not of one whose edits were undone.
  writeFileSync(join(root, "dist/protocol/b.js"), "export const b = 'checked';\n");
  restoreReplaced();
  assert.equal(output("a.js"), BUILT);
  assert.equal(output("b.js"), "export const b = 'checked';\n");
  assert.equal(existsSync(join(root, "dist/.replaced")), false);
});
