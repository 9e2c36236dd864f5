/** Checks that each mutant can be applied: `npm run mutants` tries only some of them for each commit. */
import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { buildRoot, repositoryRoot } from "../support/repository.js";
import { mutants } from "./table.js";

const sources = new Map<string, string>();

/** Returns the compiled text of a file, which is empty if there is no such file. */
function sourceOf(file: string): string {
  const path = join(buildRoot, file);
  const known = sources.get(file) ?? (existsSync(path) ? readFileSync(path, "utf8") : "");
  sources.set(file, known);
  return known;
}

test("each mutant replaces a text that occurs once in its file, as npm run build compiles it", () => {
  const counts = mutants.map(
    ({ name, file, find }) => [name, sourceOf(file).split(find).length - 1] as const,
  );
  assert.deepEqual(
    counts.filter(([, count]) => count !== 1),
    [],
  );
});

test("each mutant has a name of its own, and a test file that exists", () => {
  const names = mutants.map(({ name }) => name);
  assert.deepEqual(
    names.filter((name, index) => names.indexOf(name) !== index),
    [],
  );
  const files = mutants.flatMap(({ test: file }) => file ?? []);
  assert.deepEqual(
    files.filter((file) => !existsSync(join(buildRoot, file))),
    [],
  );
});

test("the mutants of a face, and those that a test of a face detects, are in faces/<face>/test/mutants.ts", () => {
  const folder = join(repositoryRoot, "test/mutants");
  for (const table of readdirSync(folder).filter((file) => /table\.ts$/.test(file)))
    assert.doesNotMatch(readFileSync(join(folder, table), "utf8"), /"faces\//, table);
});
