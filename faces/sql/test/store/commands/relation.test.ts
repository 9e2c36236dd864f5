/** Compares the set of distinct rows with a list of all rows. */
import "../../../../../test/support/all-families.js";
import assert from "node:assert/strict";
import { test } from "node:test";
import { SeededRandom, seedOfRun } from "../../../../../test/support/seeded-random.js";
import { DistinctRows } from "../../../store/commands/relation.js";
import type { Scalar } from "../../../store/values/cell.js";

const seed = seedOfRun();
const VALUES: readonly Scalar[] = [null, 0, -0, 1, "", "0", "1", "null", true, false];

test(`a row is new if no equal row has been added before (seed ${seed})`, () => {
  const random = new SeededRandom(seed, 0);
  const alike = (one: readonly Scalar[], other: readonly Scalar[]) =>
    one.every((cell, i) => cell === other[i]);
  for (let width = 0; width < 5; width++) {
    const rows = new DistinctRows();
    const all: (readonly Scalar[])[] = [];
    for (let round = 0; round < 600; round++) {
      const row = Array.from({ length: width }, () => random.oneOf(VALUES));
      assert.equal(
        rows.add(row),
        !all.some((other) => alike(row, other)),
        `${JSON.stringify(row)}, seed ${seed}`,
      );
      all.push(row);
    }
  }
});
