/** Tests that the positions of a stack are those of the source files. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { pathToFileURL } from "node:url";
import { programPaths } from "./programs.js";
import { repositoryRoot } from "./repository.js";
import { withSourceLines } from "./source-lines.js";

/** Returns the line number in a text that contains the marker. */
const lineOf = (text: string, marker: string): number =>
  text.split("\n").findIndex((line) => line.includes(marker)) + 1;

const HERE = new Error("here");

test("a position in a compiled file becomes one in its source file", () => {
  const source = "test/support/source-lines.test.ts";
  const line = lineOf(readFileSync(join(repositoryRoot, source), "utf8"), "const HERE");
  const stack = withSourceLines(HERE.stack ?? "");
  assert.match(stack, new RegExp(`at .*${source}:${line}:`));
});

test("a position in a bundle becomes one in the source file", () => {
  const bundle = readFileSync(programPaths.dbsyncd, "utf8");
  const at = `${pathToFileURL(programPaths.dbsyncd)}:${lineOf(bundle, "await main(")}:7`;
  assert.match(withSourceLines(`at ${at}`), /^at daemon\/program\/main\.ts:\d+:\d+$/);
});

test("other positions stay", () => {
  const stack = "at node:internal/process:95:5\nat /nowhere/file.js:1:2";
  assert.equal(withSourceLines(stack), stack);
});
