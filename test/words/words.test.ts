/**
 * Tests that comments and pages avoid the words that docs/glossary.md replaces. The limits may only be lowered. Lower a
 * limit when its texts have improved.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { texts } from "../modules/imports.js";
import { ownFiles, repositoryRoot } from "../support/repository.js";
import { type Count, countComments, countPage, rateOf } from "./words.js";

/** The maximum number of replaced words per 1,000 words of comments, by folder. The goal is 3 for all folders. */
const COMMENTS_MAX: Readonly<Record<string, number>> = {
  bench: 1,
  client: 1,
  "daemon/cluster": 2,
  "daemon/engine": 1,
  "daemon/listener": 1,
  "daemon/net": 1,
  "daemon/options": 1,
  "daemon/program": 1,
  "daemon/store": 1,
  "daemon/timeline": 1,
  examples: 1,
  keys: 1,
  faces: 2,
  protocol: 1,
  test: 1,
  tools: 2,
};

/**
 * The groups of pages: their files, and the maximum number of replaced words per 1,000. The goal is 2 for all groups.
 */
const PAGES: Readonly<Record<string, { readonly files: RegExp; readonly max: number }>> = {
  "user pages": {
    files: /^(README|install|SECURITY|CHANGELOG)\.md$|^docs\/(?!glossary)[^/]+\.md$/,
    max: 0.4,
  },
  "decision pages": { files: /^docs\/decisions\//, max: 0.4 },
  "pages for developers": { files: /^CONTRIBUTING\.md$|^(?!docs\/)[^/]+\/.*\.md$/, max: 2 },
};

const LINES_SHOWN = 20;

function assertRate(what: string, counts: readonly Count[], max: number): void {
  const rate = rateOf(counts);
  const lines = counts.flatMap(({ findings }) => findings.map(({ text }) => text));
  assert.ok(
    rate <= max,
    `${what}: ${rate.toFixed(2)} replaced words per 1,000 (see docs/glossary.md), maximum ${max}:\n${lines.slice(0, LINES_SHOWN).join("\n")}`,
  );
}

test("the test counts words in prose and not in code", () => {
  const page = "Nobody `tell` [who](tell.md)\n```sh\ntell\n```\nlet in";
  assert.deepEqual(
    countPage("p.md", page).findings.map(({ text }) => text),
    ["p.md:1: Nobody, who", "p.md:5: let in"],
  );
  const source = '/** Told\n * anew. */\nconst tell = "who"; // behind\ncall("// told");\n';
  assert.deepEqual(
    countComments("a.ts", source).findings.map(({ text }) => text),
    ["a.ts:1: Told", "a.ts:2: anew", "a.ts:3: behind"],
  );
});

for (const [folder, max] of Object.entries(COMMENTS_MAX))
  test(`comments of ${folder} use the words of the glossary`, () => {
    const files = [...texts].filter(([file]) => file.startsWith(`${folder}/`));
    assert.notEqual(files.length, 0);
    assertRate(
      `comments of ${folder}/`,
      files.map(([file, source]) => countComments(file, source)),
      max,
    );
  });

for (const [name, { files, max }] of Object.entries(PAGES))
  test(`${name} use the words of the glossary`, () => {
    const pages = ownFiles().filter((file) => files.test(file));
    assert.notEqual(pages.length, 0);
    const counts = pages.map((file) => countPage(file, readFileSync(join(repositoryRoot, file), "utf8")));
    assertRate(name, counts, max);
  });

/** The first sentence of a page for certain readers. */
const READERS = /^(?:This (?:page|folder) is for|(?:Read|Follow) this page if|Look up a term here, whether) /;

test("each page in docs says in its first line for whom it is", () => {
  const pages = ownFiles().filter((file) =>
    /^(?:install|docs\/(?:api\/|\w+\/README|[^/]+)[^/]*)\.md$/.test(file),
  );
  assert.ok(pages.length > 40, pages.join());
  const others = pages.filter((file) => {
    const lines = readFileSync(join(repositoryRoot, file), "utf8").split("\n");
    const first = lines.find((line) => line !== "" && !/^(?:#|<!--)/.test(line)) ?? "";
    return !READERS.test(first) && !/This page is for /.test(first);
  });
  assert.deepEqual(others, []);
});
