import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { repositoryRoot } from "../../support/repository.js";
import { differences } from "./differences.js";

test("docs/protocol.md lists every difference from the original that the vectors show, and no other", () => {
  const document = readFileSync(join(repositoryRoot, "docs/protocol.md"), "utf8");
  const [, section = ""] = document.split("## Differences from the original");
  const rows = section.split("\n").filter((line) => line.startsWith("|"));
  const expected = differences.map(({ original, ours, php }) => `| ${original} | ${ours} | ${php} |`);
  assert.deepEqual(rows.slice(2), expected);
});
