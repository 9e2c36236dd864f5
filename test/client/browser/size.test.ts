/** Tests which modules each visitor of a page loads, and when. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { gzipSync } from "node:zlib";
import { browserFolder } from "../../support/make-browser-module.js";
import { repositoryRoot } from "../../support/repository.js";

/** The maximum compressed size, in bytes, of the first module of a page, and of all modules for the first call. */
const FIRST_BYTES_MAX = 20 * 1024;
const CALLING_BYTES_MAX = 26.6 * 1024;

const files = readdirSync(browserFolder);
const textOf = (name: string) => {
  const file = files.find((each) => each.replace(/-[\da-f]{8}\.js$|\.js$/, "") === name);
  return readFileSync(join(browserFolder, file ?? name), "utf8");
};
const gzipped = (name: string) => gzipSync(textOf(name), { level: 9 }).length;
const IMPORTED = /\b(?:from|import)\s*["']([^"']+)["']/g;

test("the module that a page loads first is small and has no imports, and the modules for a call are small", () => {
  assert.equal([...textOf("dbsync").matchAll(IMPORTED)].length, 0);
  assert.ok(gzipped("dbsync") <= FIRST_BYTES_MAX, `${gzipped("dbsync")} bytes`);
  const calling = gzipped("dbsync") + gzipped("dbsync-core");
  assert.ok(calling <= CALLING_BYTES_MAX, `${calling} bytes`);
});

test("the modules import only each other, use only features that browsers have, and work together", async () => {
  assert.equal(files.length, 4);
  for (const file of files) {
    const text = readFileSync(join(browserFolder, file), "utf8");
    for (const [, imported = ""] of text.matchAll(IMPORTED))
      assert.ok(files.includes(imported.slice(2)), imported);
    for (const [, loaded = ""] of text.matchAll(/\bimport\("([^"]+)"\)/g))
      assert.ok(files.includes(loaded.slice(2)), loaded);
    assert.equal(/\b(?:process|require)[.(]|node:/.test(text), false, file);
    const { inner } = (await import(join(browserFolder, file))) as { inner: readonly unknown[] };
    assert.ok(
      inner.every((shared) => shared !== undefined),
      file,
    );
  }
});

test("docs/browsers.md names the size of each module", () => {
  const page = readFileSync(join(repositoryRoot, "docs/browsers.md"), "utf8");
  const rows = [...page.matchAll(/^\| `(dbsync[a-z-]*?)(?:-…)?\.js` \|[^|]*\|[^|]*\| (\d+) KiB \|$/gm)];
  assert.equal(rows.length, 4);
  for (const [, name = "", kib] of rows) assert.equal(Number(kib), Math.ceil(gzipped(name) / 1024), name);
});
