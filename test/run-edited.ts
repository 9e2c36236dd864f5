/**
 * `npm run test:file -- test/daemon/store/scan.test.ts`: compiles only the files that were edited since the last build,
 * without a type check, and runs the test files whose path below test/ contains one of the words.
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { chosenFiles, testFiles } from "./support/chosen-files.js";
import { compileEdited } from "./support/compile-edited.js";
import { buildRoot } from "./support/repository.js";
import { forgetSettings } from "./support/test-environment.js";
import { usesBundles } from "./support/uses-bundles.js";

const tests = join(buildRoot, "test");

async function main(args: readonly string[]): Promise<void> {
  const edited = await compileEdited();
  if (edited.length > 0) console.log(`Compiled without a type check: ${edited.join(", ")}`);
  // A path may be complete, as a shell completes it.
  const words = args.map((arg) => arg.replace(/^(.*\/)?test\//, "").replace(/\.ts$/, ".js"));
  const files = words.length === 0 ? [] : chosenFiles(testFiles(tests), words);
  if (files.length === 0) {
    console.error("State the path of a test file: npm run test:file -- test/daemon/store/scan.test.ts");
    process.exitCode = 2;
    return;
  }
  const paths = files.map((file) => join(tests, file));
  if (edited.some((file) => !file.startsWith("test/")) && usesBundles(paths, tests)) await bundle();
  forgetSettings();
  for (const path of paths) {
    const { status } = spawnSync(process.execPath, ["--enable-source-maps", path], { stdio: "inherit" });
    if (status !== 0) process.exitCode = 1;
  }
}

async function bundle(): Promise<void> {
  const { makeBundles } = await import("./support/make-bundles.js");
  const { makeBrowserModule } = await import("./support/make-browser-module.js");
  await makeBundles();
  await makeBrowserModule();
}

await main(process.argv.slice(2));
