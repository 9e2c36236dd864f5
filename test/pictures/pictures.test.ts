/** Tests that pictures are small and used in a page, and that reducing the colours of a picture does not damage it. */
import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ownFiles, repositoryRoot } from "../support/repository.js";
import { inFewColours } from "./small-png.js";
import { terminalPicture } from "./terminal-picture.js";

const BYTES_MAX = 150_000;
const folder = join(repositoryRoot, "docs/pictures");

test("every picture is small, and a document shows it", () => {
  const documents = ownFiles().filter((file) => file.endsWith(".md"));
  const texts = documents.map((file) => readFileSync(join(repositoryRoot, file), "utf8")).join("\n");
  for (const name of readdirSync(folder)) {
    assert.ok(statSync(join(folder, name)).size <= BYTES_MAX, name);
    assert.ok(texts.includes(`pictures/${name})`), `no document shows ${name}`);
  }
});

test("recordings of terminals are plain text of at most 80 columns", () => {
  const names = readdirSync(folder).filter((file) => file.endsWith(".txt"));
  assert.deepEqual(names.sort(), ["doctor.txt", "repl.txt", "status-watch.txt", "top.txt"]);
  for (const name of names) {
    const text = readFileSync(join(folder, name), "utf8");
    assert.doesNotMatch(text, /\x1b/, name);
    for (const line of text.split("\n")) assert.ok(line.length <= 80, `${name}: ${line}`);
  }
});

test("pictures of pages have a palette, and a truncated picture is rejected", () => {
  for (const name of readdirSync(folder).filter((file) => file.endsWith(".png"))) {
    const png = readFileSync(join(folder, name));
    assert.equal(png[25], 3, "indexed");
    assert.throws(() => inFewColours(png.subarray(0, 100)), "a truncated picture is rejected");
  }
});

test("the picture of a terminal contains its text, each line in its colour", () => {
  const svg = terminalPicture("two < three", "\x1b[31mFAIL & more\x1b[0m\x1b[K\r\nplain\r\n");
  assert.match(svg, /<title>two &lt; three<\/title>/);
  assert.match(svg, /fill="#ff8a80" xml:space="preserve">FAIL &amp; more<\/text>/);
  assert.match(svg, /fill="#c8d0d9" xml:space="preserve">plain<\/text>/);
});
