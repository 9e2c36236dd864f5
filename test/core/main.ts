/**
 * `npm run core [-- NAME…]`: proves in a copy of the tree that faces and tools can be removed. First it
 * removes faces/ and tools/, compiles the rest, and runs the core's tests that need neither. Then, for each face and
 * tool in daemon/faces.ts (or each one named), it removes this one and those that import it, compiles the rest, and
 * starts the programs.
 */
import { spawnSync } from "node:child_process";
import {
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  renameSync,
  rmSync,
  symlinkSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { parseArgs } from "node:util";
import { testFiles } from "../support/chosen-files.js";
import { BUNDLES } from "../support/make-bundles.js";
import { buildRoot, ownFiles, repositoryRoot } from "../support/repository.js";
import { forgetSettings } from "../support/test-environment.js";
import { FACE_FOLDERS, FACE_LIST, planRemoval, type Removal } from "./removal.js";

/** The parts of the tree that are copied. */
const COPIED = /^((protocol|keys|client|daemon|faces|tools|test|bench|examples)\/|(package|tsconfig)\.json$)/;
/** Matches the tests of the core, as source files and as compiled files. */
const CORE_TEST = /^test\/(daemon|client|keys|protocol)\/.*\.test\.[jt]s$/;
/** The time after which a test file is considered hung. */
const FILE_MS_MAX = 300_000;
const LANES = 4;

const { values, positionals } = parseArgs({
  args: process.argv.slice(2),
  options: { help: { type: "boolean" } },
  allowPositionals: true,
});
if (values.help) {
  console.log("npm run core [-- NAME…]: removes faces and tools from a copy of the tree, and tests the rest");
  process.exit();
}
const failures: string[] = [];

const unknown = positionals.filter((name) => !FACE_FOLDERS.has(name));
if (unknown.length > 0) {
  console.error(
    `No face or tool named ${unknown.join(" or ")}. ${FACE_LIST} lists ${[...FACE_FOLDERS.keys()].join(", ")}.`,
  );
  process.exit(2);
}
forgetSettings();
const copy = mkdtempSync(join(tmpdir(), "dbsync-core-"));
try {
  copyTree();
  if (positionals.length === 0) without("faces/ and tools/", planRemoval([]), runCoreTests);
  for (const name of positionals.length > 0 ? positionals : FACE_FOLDERS.keys())
    without(name, planRemoval([FACE_FOLDERS.get(name) as string]), runSmokeTest);
} finally {
  rmSync(copy, { recursive: true });
}
for (const failure of failures) console.error(`FAILED: ${failure}`);
process.exitCode = failures.length === 0 ? 0 : 1;

/** Copies the tree and its build, so that the compiler checks only what a removal changes. */
function copyTree(): void {
  const files = ownFiles().filter((file) => COPIED.test(file));
  for (const file of files) cpSync(join(repositoryRoot, file), join(copy, file));
  cpSync(buildRoot, join(copy, "dist"), { recursive: true });
  rmSync(join(copy, "dist/bundles"), { recursive: true });
  symlinkSync(join(repositoryRoot, "node_modules"), join(copy, "node_modules"));
}

/** Removes folders, compiles and checks the rest, and restores the folders. */
function without(name: string, removal: Removal, check: (name: string, removal: Removal) => void): void {
  const { folders, blocking, dependents, lists } = removal;
  console.log(
    `\nWithout ${name}: removed ${folders.join(", ")}, and ${dependents.length} files of tests, benchmarks and examples.`,
  );

  if (blocking.length > 0) {
    const importers = [...new Set(blocking.map((each) => each.replace(/ .*/, "")))];
    failures.push(
      `${name} cannot be removed: ${blocking.length} imports of it remain in ${importers.join(", ")}`,
    );
    return;
  }

  const compiled = dependents.flatMap((file) => [file, `dist/${file.replace(/\.ts$/, ".js")}`]);
  const moved = [...folders, ...folders.map((folder) => `dist/${folder}`), ...compiled].filter((path) =>
    existsSync(join(copy, path)),
  );
  for (const path of moved) move(path, join("removed", path));
  for (const [file, text] of lists) writeFileSync(join(copy, file), text);

  try {
    if (!compile(name)) return;
    makePrograms();
    check(name, removal);
  } finally {
    for (const path of moved) move(join("removed", path), path);
    // A face's folder cannot replace one in which tests of that face were.
    rmSync(join(copy, "removed"), { recursive: true, force: true });
    for (const file of lists.keys()) cpSync(join(repositoryRoot, file), join(copy, file));
  }
}

function move(from: string, to: string): void {
  mkdirSync(dirname(join(copy, to)), { recursive: true });
  renameSync(join(copy, from), join(copy, to));
}

function compile(name: string): boolean {
  const tsc = join(repositoryRoot, "node_modules/typescript/bin/tsc");
  const isCompiled = run([tsc, "-p", copy]);
  if (!isCompiled) failures.push(`without ${name}, the rest cannot be compiled`);
  return isCompiled;
}

/** Makes files with the names of the bundles, which run the compiled files. */
function makePrograms(): void {
  const folder = join(copy, "dist/bundles");
  rmSync(folder, { recursive: true, force: true });
  mkdirSync(folder);
  for (const [name, file] of Object.entries(BUNDLES))
    if (existsSync(join(copy, "dist", file)))
      writeFileSync(join(folder, `${name}.js`), `#!/usr/bin/env node\nexport * from "../${file}";\n`, {
        mode: 0o755,
      });
}

/** Runs the tests of the core that need nothing that was removed. `without` has moved the others away. */
function runCoreTests(name: string, { dependents }: Removal): void {
  const root = join(copy, "dist");
  const files = testFiles(root).filter((file) => CORE_TEST.test(file));
  const paths = files.map((file) => join(root, file));
  if (!run([join(root, "test/run-files.js"), String(FILE_MS_MAX), String(LANES), ...paths]))
    failures.push(`without ${name}, tests of the core fail`);
  const others = dependents.filter((file) => CORE_TEST.test(file));
  console.log(`  ran ${files.length} test files of the core; ${others.length} more need what was removed`);
}

function runSmokeTest(name: string, { options }: Removal): void {
  if (run([join(copy, "dist/test/core/smoke.js"), ...options])) console.log("  compiled, started, answered");
  else failures.push(`without ${name}, a program does not start or answer`);
}

function run(args: readonly string[]): boolean {
  return spawnSync(process.execPath, args, { stdio: "inherit", cwd: copy }).status === 0;
}
