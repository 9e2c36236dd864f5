/** Tests that docs/api contains every export of the package with its current types. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import * as browser from "../../client/browser/public-api.js";
import * as client from "../../client/public-api.js";
import * as testing from "../../daemon/program/testing.js";
import { assertGenerated } from "../support/generated-page.js";
import { repositoryRoot } from "../support/repository.js";
import { apiPage, FOLDER, PAGES } from "./page.js";

const read = (file: string) => readFileSync(join(repositoryRoot, FOLDER, file), "utf8");

for (const page of PAGES)
  test(`${page.file} is the output of npm run api-pages`, () => {
    assertGenerated({
      file: `${FOLDER}/${page.file}`,
      current: read(page.file),
      expected: apiPage(page),
      command: "npm run api-pages",
    });
  });

test("each entry point of the package with types has a page, and there is no other page", () => {
  const manifest = readFileSync(join(repositoryRoot, "package.json"), "utf8");
  const { exports } = JSON.parse(manifest) as { exports: Record<string, unknown> };
  const types = JSON.stringify(exports).matchAll(/"\.\/dist\/types\/([^"]+)\.d\.ts"/g);
  // The `browser` condition names the same types as ./browser; the set removes the duplicate.
  const entries = new Set([...types].map(([, entry]) => entry));
  assert.deepEqual([...entries].sort(), PAGES.map(({ entry }) => entry).sort());
  assert.deepEqual(readdirSync(join(repositoryRoot, FOLDER)).sort(), PAGES.map(({ file }) => file).sort());
});

test("a page has a section for each function and class that a program can import", () => {
  for (const [file, module] of Object.entries({
    "client.md": client,
    "browser.md": browser,
    "testing.md": testing,
  })) {
    const [beforeTypes = ""] = read(file).split("## Types");
    const sections = [...beforeTypes.matchAll(/^### (\w+)$/gm)].map(([, name]) => name);
    assert.deepEqual(sections.sort(), Object.keys(module).sort(), file);
  }
});

test("each section begins with its declaration, and the list above links to it", () => {
  for (const { file } of PAGES) {
    const text = read(file);
    const linked = [...text.matchAll(/\[(\w+)\]\(#(\w+)\)/g)];
    for (const [, name = "", anchor] of linked) {
      assert.equal(anchor, name.toLowerCase());
      const [, section = ""] = text.split(`\n### ${name}\n`);
      assert.match(
        section,
        new RegExp(`^[^#]*?\`\`\`ts\\n(?:function|class|interface|type|const) ${name}\\b`),
        name,
      );
    }
    assert.equal(linked.length, text.match(/^### /gm)?.length, file);
  }
});
