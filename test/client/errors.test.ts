/** The table of errors and the README's list of them are the same, both ways. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { ERROR_CODES, STAGES } from "../../client/errors.js";
import { repositoryRoot } from "../support/repository.js";

const readme = readFileSync(join(repositoryRoot, "client/README.md"), "utf8");

function listed(heading: string): string[] {
  const section = readme.split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^\| `([a-z-]+)` *\|/gm)].map((match) => match[1] as string).sort();
}

test("every code of an error is in README.md, and none that does not exist", () => {
  assert.deepEqual(listed("Errors"), [...ERROR_CODES].sort());
});

test("every stage is in README.md, and none that does not exist", () => {
  assert.deepEqual(listed("Stages"), Object.keys(STAGES).sort());
});
