/** Tests that the page explains terms in the words of the glossary. */
import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { TERMS, termsIn } from "../../../../tools/admin/dashboard/terms.js";
import { repositoryRoot } from "../../../support/repository.js";

test("the glossary contains each explanation of the page", () => {
  const glossary = readFileSync(join(repositoryRoot, "docs/glossary.md"), "utf8").replaceAll("`", "");
  for (const [term, meaning] of Object.entries(TERMS))
    assert.ok(glossary.includes(`| ${term} | ${meaning}`), term);
});

test("a text gets the explanations of the terms that it contains, also in the plural", () => {
  assert.equal(termsIn("3 envelopes were refused"), `Envelope: ${TERMS.envelope}.`);
  assert.equal(
    termsIn("a unit of dead letters"),
    `Dead letter: ${TERMS["dead letter"]}. Unit: ${TERMS.unit}.`,
  );
  assert.equal(termsIn("the community"), "");
});
