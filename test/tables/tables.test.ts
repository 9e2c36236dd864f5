/** Tests that the generated parts of documents are up to date with the tables of options, limits and metrics. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { assertGenerated } from "../support/generated-page.js";
import { currentRows, FAMILY_ROWS_FILE, familyRows } from "./family-rows.js";
import { written } from "./tables.js";

for (const { file, current, expected } of written())
  test(`${file} is equal to the output of npm run tables`, () => {
    assertGenerated({ file, current, expected, command: "npm run tables" });
  });

test(`${FAMILY_ROWS_FILE} is equal to the output of npm run tables`, async () => {
  assertGenerated({
    file: FAMILY_ROWS_FILE,
    current: currentRows(),
    expected: familyRows(),
    command: "npm run tables",
  });
});

test(`${FAMILY_ROWS_FILE} contains the rows of all families in a build without faces`, () => {
  assert.equal(familyRows({}), currentRows());
});
