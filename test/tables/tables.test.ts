/** Tests that the generated parts of documents are up to date with the tables of options, limits and metrics. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { currentRows, FAMILY_ROWS_FILE, familyRows } from "./family-rows.js";
import { written } from "./tables.js";

for (const { file, current, expected } of written())
  test(`${file} is equal to the output of npm run tables`, () => {
    assert.equal(current, expected);
  });

test(`${FAMILY_ROWS_FILE} is equal to the output of npm run tables`, async () => {
  assert.ok(currentRows() === (await familyRows()), `${FAMILY_ROWS_FILE} is stale: run npm run tables`);
});
