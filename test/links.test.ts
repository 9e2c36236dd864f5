/** Tests that documents name only what exists: pages, headings, decisions, tests and source files. */
import assert from "node:assert/strict";
import { existsSync, readdirSync } from "node:fs";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { documents, readDocument } from "./support/documents.js";
import { repositoryRoot } from "./support/repository.js";

/** Returns the anchors of a document's headings, to which links can lead. */
function anchorsOf(document: string): Set<string> {
  const headings = [...document.matchAll(/^#+ (.*)$/gm)].map(([, text = ""]) => text);
  return new Set(
    headings.map((text) =>
      text
        .toLowerCase()
        .replace(/[^\w\- ]/g, "")
        .replaceAll(" ", "-"),
    ),
  );
}

test("links between documents lead to existing files and headings", () => {
  for (const name of documents)
    for (const [, target = "", heading] of readDocument(name).matchAll(/\]\(([^)#:]*)(?:#([^)]*))?\)/g)) {
      const path = target === "" ? name : join(dirname(name), target);
      assert.ok(existsSync(join(repositoryRoot, path)), `${name} links to ${target}`);
      if (heading === undefined || !path.endsWith(".md")) continue;
      assert.ok(anchorsOf(readDocument(path)).has(heading), `${name} links to ${path}#${heading}`);
    }
});

test("the index of the decisions lists each page with its title", () => {
  const folder = join(repositoryRoot, "docs/decisions");
  const pages = readdirSync(folder).filter((name) => /^\d/.test(name));
  const rows = pages.sort().map((name) => {
    const [, number, title] = /^# (\d+)\. (.*)$/m.exec(readDocument(`docs/decisions/${name}`)) ?? [];
    return `| ${number} | [${title}](${name}) |`;
  });
  const index = readDocument("docs/decisions/README.md");
  assert.deepEqual(index.match(/^\| \d.*$/gm), rows);
});

test("SECURITY.md names only existing tests of each attacker", () => {
  const [, table = ""] = readDocument("SECURITY.md").split("| tested by |");
  const cells = [...table.matchAll(/^\| .* \| ((?:test|faces)\/[^|]*) \|$/gm)].map(([, cell = ""]) => cell);
  assert.ok(cells.length >= 10);
  for (const group of cells.flatMap((cell) => cell.split("; "))) {
    const [first = "", ...others] = group.split(", ");
    for (const path of [first, ...others.map((name) => join(dirname(first), name))])
      assert.ok(
        [path, `${path}.test.ts`].some((file) => existsSync(join(repositoryRoot, file))),
        `SECURITY.md names ${path}`,
      );
  }
});

test("docs/architecture.md names only existing files", () => {
  const named = [...readDocument("docs/architecture.md").matchAll(/`([\w/-]+\/[\w-]+\.ts)`/g)];
  const paths = named.map(([, path = ""]) => path);
  assert.ok(paths.length > 30);
  for (const path of paths) assert.ok(existsSync(join(repositoryRoot, path)), path);
});
