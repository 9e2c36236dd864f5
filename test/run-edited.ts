/**
 * `npm run test:file -- test/daemon/store/scan.test.ts`: compiles only the files that were edited since the last build,
 * without a type check, and runs the test files whose path contains one of the words. For a file of the
 * product, it runs the tests that are nearest to it.
 */
import { spawnSync } from "node:child_process";
import { existsSync } from "node:fs";
import { join, relative, resolve } from "node:path";
import { chosenFiles, isOfTests, testFiles } from "./support/chosen-files.js";
import { compileEdited } from "./support/compile-edited.js";
import { importersOf, nearestTests } from "./support/nearest-tests.js";
import { buildRoot, repositoryRoot } from "./support/repository.js";
import { forgetSettings } from "./support/test-environment.js";
import { TextLikeness } from "./support/text-likeness.js";
import { usesBundles } from "./support/uses-bundles.js";

/** The number of tests that run for a file of the product. */
const NEAREST = 8;

async function main(args: readonly string[]): Promise<void> {
  const edited = await compileEdited();
  if (edited.length > 0) console.log(`Compiled without a type check: ${edited.join(", ")}`);
  const files = filesOf(args);
  if (files.length === 0) {
    console.error(
      "State the path of a test file, or of a source file: npm run test:file -- test/daemon/store/scan.test.ts",
    );
    process.exitCode = 2;
    return;
  }

  const paths = files.map((file) => join(buildRoot, file));
  console.log(`Running ${files.join(", ")}`);
  if (edited.some((file) => !isOfTests(file)) && usesBundles(paths, buildRoot)) await bundle();
  forgetSettings();
  for (const path of paths) {
    const { status } = spawnSync(process.execPath, ["--enable-source-maps", path], { stdio: "inherit" });
    if (status !== 0) process.exitCode = 1;
  }
}

/** Returns the test files that the arguments name, and those nearest to the sources that they name. */
function filesOf(args: readonly string[]): string[] {
  const words = args.map((arg) => relative(repositoryRoot, resolve(arg)).replace(/\.ts$/, ".js"));
  const sources = words.filter((word) => !isOfTests(word) && existsSync(join(buildRoot, word)));
  const named = words.filter((word) => !sources.includes(word));
  const chosen = named.length === 0 ? [] : chosenFiles(testFiles(buildRoot), named);
  return [...new Set([...chosen, ...nearest(sources)])];
}

/** Returns the tests that are nearest to source files. @param sources  paths of compiled files */
function nearest(sources: readonly string[]): string[] {
  if (sources.length === 0) return [];
  const importers = importersOf(buildRoot);
  const likeness = new TextLikeness(buildRoot, [...new Set([...importers.values()].flat())]);
  return sources.flatMap((source) =>
    nearestTests(source, importers, (one, test) => likeness.of(one, test)).slice(0, NEAREST),
  );
}

async function bundle(): Promise<void> {
  const { makeBundles } = await import("./support/make-bundles.js");
  const { makeBrowserModule } = await import("./support/make-browser-module.js");
  await makeBundles();
  await makeBrowserModule();
}

await main(process.argv.slice(2));
