/** Tests that docs/recipes.md shows tested code: each block is a part of the file that is named above it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../../support/repository.js";

const LINES_MAX = 80;
const folder = join(repositoryRoot, "examples", "recipes");
const page = readFileSync(join(repositoryRoot, "docs", "recipes.md"), "utf8");
const withoutIndents = (text: string) => text.replace(/^ +/gm, "");
const textOf = (file: string) => readFileSync(join(folder, file), "utf8");

test("each block of the page is contained in the file that the page names", () => {
  let file = "";
  let blocks = 0;
  for (const [, named, block] of page.matchAll(
    /\]\(\.\.\/examples\/recipes\/([\w-]+\.ts)\)|^```ts\n([\s\S]*?)^```$/gm,
  )) {
    file = named ?? file;
    if (block === undefined) continue;
    blocks++;
    assert.ok(withoutIndents(textOf(file)).includes(withoutIndents(block)), `not in ${file}:\n${block}`);
  }
  assert.ok(blocks > 0);
});

test("the page names every recipe, and each recipe is short", () => {
  for (const file of readdirSync(folder)) {
    assert.ok(page.includes(`(../examples/recipes/${file})`), file);
    assert.ok(textOf(file).split("\n").length - 1 <= LINES_MAX, `${file} is long`);
  }
});
