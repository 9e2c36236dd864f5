/**
 * Checks the list of the files to read first in docs/architecture.md: the files exist, and their number and lines are
 * what the page says and no more than a day's reading.
 */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../support/repository.js";
import { texts } from "./imports.js";

const FILE = /`([\w/-]+\/[\w-]+\.ts)`/g;
/** Matches the sentences that state how many files and lines there are. */
const SIZE = /(\d+) files(?: and| with|,) ([\d,]+) lines/g;
/** The maxima for a daemon without peers, and for all. */
const MAXIMA = [
  { files: 25, lines: 7_800 },
  { files: 35, lines: 13_000 },
];
/** The share by which the stated number of lines may differ from the actual one. */
const TOLERANCE = 0.03;

const filesIn = (text: string): string[] => [...text.matchAll(FILE)].map(([, file]) => file as string);

/** The rows of the page's tables; the sentence after them names what they leave out. */
const [, after = ""] = readFileSync(join(repositoryRoot, "docs/architecture.md"), "utf8").split(
  "\n## The files to read first\n",
);
const [page = ""] = after.split("\n## ");
const rows = page.split("\n").filter((line) => line.startsWith("| "));
const listed = filesIn(rows.join("\n"));

test("the files to read first are as many, and as long, as docs/architecture.md says", () => {
  const stated = [...page.matchAll(SIZE)].map(([, files, lines]) => ({
    files: Number(files),
    lines: Number(lines?.replaceAll(",", "")),
  }));
  assert.equal(stated.length, MAXIMA.length);
  for (const [part, { files, lines }] of stated.entries()) {
    const maxima = MAXIMA[part] as (typeof MAXIMA)[number];
    const actual = listed.slice(0, files).reduce((sum, file) => sum + linesOf(file), 0);
    assert.ok(files <= maxima.files && actual <= maxima.lines, `${files} files have ${actual} lines`);
    assert.ok(Math.abs(actual - lines) <= TOLERANCE * actual, `write ${actual} lines instead of ${lines}`);
  }
  assert.equal(listed.length, stated.at(-1)?.files);
  assert.equal(new Set(listed).size, listed.length, "a file is listed twice");
  const first = page.slice(0, page.indexOf("**converge**"));
  assert.equal(filesIn(first).length, stated[0]?.files);
});

/** Returns the number of a file's lines that are to be read: not the empty ones, so that paragraphs cost nothing. */
function linesOf(file: string): number {
  const text = texts.get(file);
  assert.ok(text !== undefined, `${file} does not exist`);
  return text.split("\n").filter((line) => line !== "").length;
}
