/** Pictures are small, each is used in a page, and reducing its colours leaves a picture intact. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ownFiles, repositoryRoot } from "../support/repository.js";
import { inFewColours } from "./small-png.js";
import { terminalPicture } from "./terminal-picture.js";

const BYTES_MOST = 150_000;
const folder = join(repositoryRoot, "docs/pictures");

test("every picture is small, and some document shows it", () => {
  const documents = ownFiles().filter((file) => file.endsWith(".md"));
  const texts = documents.map((file) => readFileSync(join(repositoryRoot, file), "utf8")).join("\n");
  for (const name of readdirSync(folder)) {
    assert.ok(statSync(join(folder, name)).size <= BYTES_MOST, name);
    assert.ok(texts.includes(`pictures/${name})`), `${name} is shown nowhere`);
  }
});

test("recordings of terminals are plain text, no wider than 80 columns", () => {
  const names = readdirSync(folder).filter((file) => file.endsWith(".txt"));
  assert.deepEqual(names.sort(), ["doctor.txt", "repl.txt", "status-watch.txt", "top.txt"]);
  for (const name of names) {
    const text = readFileSync(join(folder, name), "utf8");
    assert.doesNotMatch(text, /\x1b/, name);
    for (const line of text.split("\n")) assert.ok(line.length <= 80, `${name}: ${line}`);
  }
});

test("pictures of pages have a palette, and half a picture is none", () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".png"))) {
    const png = readFileSync(join(folder, name));
    assert.equal(png[25], 3, "indexed");
    assert.throws(() => inFewColours(png.subarray(0, 100)), "half a picture is none");
  }
});

test("a terminal's picture holds its letters, in the colour of their line", () => {
  const svg = terminalPicture("two < three", "\x1b[31mFAIL & more\x1b[0m\x1b[K\r\nplain\r\n");
  assert.match(svg, /<title>two &lt; three<\/title>/);
  assert.match(svg, /fill="#ff8a80" xml:space="preserve">FAIL &amp; more<\/text>/);
  assert.match(svg, /fill="#c8d0d9" xml:space="preserve">plain<\/text>/);
});
