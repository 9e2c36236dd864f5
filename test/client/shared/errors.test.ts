/** Compares the table of errors with the list in README.md, in both directions. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { DbsyncError, ERROR_CODES } from "../../../client/shared/errors.js";
import { REFUSAL_CURES } from "../../../client/shared/refusal-cures.js";
import { STAGES } from "../../../client/shared/sentences.js";
import { formatTable } from "../../../net/terminal/text-table.js";
import { repositoryRoot } from "../../support/repository.js";

const readme = readFileSync(join(repositoryRoot, "client/README.md"), "utf8");

function listed(heading: string): string[] {
  const section = readme.split(`## ${heading}\n`)[1]?.split("\n## ")[0] ?? "";
  return [...section.matchAll(/^\| `([a-z\d-]+)` *\|/gm)].map((match) => match[1] as string).sort();
}

test("README.md lists every error code, and no others", () => {
  assert.deepEqual(listed("Errors"), [...ERROR_CODES].sort());
});

test("README.md lists every stage, and no others", () => {
  assert.deepEqual(listed("Stages"), Object.keys(STAGES).sort());
});

test("every refusal of the protocol has a remedy, which the error contains", () => {
  const protocol = readFileSync(join(repositoryRoot, "docs/protocol-v2.md"), "utf8");
  const section = protocol.split("## Refusals\n")[1]?.split("\n## ")[0] ?? "";
  const codes = [...section.matchAll(/^\| `([a-z-]+)` \|/gm)].map((match) => match[1] as string);
  assert.deepEqual(Object.keys(REFUSAL_CURES).sort(), codes.sort());
  for (const code of [...codes, "not-of-this-version"]) {
    const detail = `${code}: No.`;
    const outcome = { address: "a:1", status: "failed", stage: "refused", detail, ms: 1 } as const;
    const { message } = new DbsyncError("all-failed", "", {
      outcomes: [{ ...outcome, effect: "not-applied" }],
    });
    assert.ok(message.includes(`(${detail}); ${REFUSAL_CURES[code] ?? STAGES.refused.cure} [`), message);
  }
});

test("control characters from a daemon are escaped in sentences and tables", () => {
  const detail = "no\u001b[2J";
  const outcome = {
    address: "a:1",
    status: "failed",
    stage: "refused",
    detail,
    effect: "not-applied",
    ms: 1,
  } as const;
  assert.match(new DbsyncError("refused", "", { outcomes: [outcome] }).message, /\(no\?\[2J\)/);
  assert.equal(formatTable([["LABEL"], [detail]]), "LABEL\nno\\x1b[2J\n");
});
