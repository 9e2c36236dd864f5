/** Documents contain the daemon's options, limits and metrics as in their tables. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { written } from "./tables.js";

for (const { file, now, due } of written())
  test(`${file} is as npm run tables makes it`, () => {
    assert.equal(now, due);
  });
