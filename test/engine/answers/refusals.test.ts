import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { REFUSALS, type Refusal } from "../../../engine/answers/refusals.js";
import { repositoryRoot } from "../../support/repository.js";

test("docs/protocol-v2.md lists every refusal of version 2, and no other", () => {
  const document = readFileSync(join(repositoryRoot, "docs/protocol-v2.md"), "utf8");
  const [, section = ""] = document.split("\n## Refusals\n");
  const rows = (section.split("\n## ")[0] as string).split("\n").filter((line) => line.startsWith("|"));
  const expected = Object.entries<Refusal>(REFUSALS).flatMap(([code, { sentence, wire }]) =>
    wire === undefined ? [] : [`| \`${code}\` | ${sentence} | ${wire.effect} | ${wire.cure} |`],
  );
  assert.deepEqual(rows.slice(2), expected);
});
