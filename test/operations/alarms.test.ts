/** Every alarm has a line in docs/operations.md that says what to do: each rule for Prometheus, and all that `dbsync status` finds wrong. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../support/repository.js";

const read = (path: string) => readFileSync(join(repositoryRoot, path), "utf8");
const rows = read("docs/operations.md")
  .split("\n")
  .filter((line) => line.startsWith("| "));

test("each rule of alerts.yml has its row", () => {
  const names = [...read("examples/production/alerts.yml").matchAll(/- alert: (\w+)/g)].map(
    ([, name]) => name,
  );
  assert.ok(names.length > 10);
  for (const name of names)
    assert.ok(
      rows.some((row) => row.startsWith(`| ${name} |`)),
      name,
    );
});

/** The longest part of a sentence in which nothing is put. */
const fixedPart = (text: string) =>
  text.split(/\$\{[^}]*\}/).sort((one, other) => other.length - one.length)[0] as string;

test("each sentence of dbsync status on what is bad has its row", () => {
  const source = read("client/cli/status/timeline-problems.ts");
  const sentences = [...source.matchAll(/\b(?:bad|passing)\(\s*(?:`([^`]*)`|"([^"]*)")/g)].map(
    ([, one, other]) => fixedPart(one ?? other ?? "").trim(),
  );
  assert.ok(sentences.length > 20);
  for (const sentence of sentences)
    assert.ok(
      rows.some((row) => row.includes(sentence)),
      sentence,
    );
});
