/** Tests the memory of LCS while it yields. test/conformance/lcs.test.ts compares its ranges with redis-server's. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { commonLength, commonRanges } from "../../../../daemon/store/commands/longest-common-subsequence.js";
import { UNCOUNTED_EFFORT } from "../../../../daemon/store/keyspace/effort-budget.js";

const CONCURRENT = 8;
const LENGTH = 10_000;
/** Maximum memory of all tables. A table of all partial results would have 400 MB for each pair of strings. */
const BYTES_MAX = 16 * 1024 * 1024;

const texts = ["ab".repeat(LENGTH / 2), "abb".repeat(LENGTH / 3)] as const;

for (const compare of [commonLength, commonRanges])
  test(`${compare.name} of long strings needs little memory, and yields`, () => {
    const before = process.memoryUsage().arrayBuffers;
    const running = Array.from({ length: CONCURRENT }, () => compare(...texts, UNCOUNTED_EFFORT));
    for (let step = 0; step < 40; step++)
      for (const work of running) assert.equal(work.next().done, false, "all steps ran without a pause");
    const used = process.memoryUsage().arrayBuffers - before;
    assert.ok(used < BYTES_MAX, `${CONCURRENT} comparisons used ${used} bytes`);
  });

for (const compare of [commonLength, commonRanges])
  test(`${compare.name} of a long string and an empty one yields`, () => {
    const work = compare("a".repeat(10_000_000), "", UNCOUNTED_EFFORT);
    assert.equal(work.next().done, false, "all steps ran without a pause");
  });
