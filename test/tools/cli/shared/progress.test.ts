/** Tests the progress of subcommands without a terminal. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { showProgress } from "../../../../tools/cli/shared/progress.js";

test("without a terminal, progress is a line every ten seconds if it has changed", ({ mock }) => {
  mock.timers.enable({ apis: ["setInterval"] });
  const lines: string[] = [];
  const isTerminal = process.stderr.isTTY;
  process.stderr.isTTY = false;
  mock.method(process.stderr, "write", (text: string) => lines.push(text) > 0);
  try {
    let done = 0;
    using progress = showProgress(() => `${done} of 9 keys`);
    const after = (milliseconds: number, count: number) => {
      done = count;
      mock.timers.tick(milliseconds);
      return lines.splice(0);
    };
    assert.deepEqual(after(9_999, 1), []);
    assert.deepEqual(after(1, 2), ["dbsync: 2 of 9 keys\n"]);
    assert.deepEqual(after(20_000, 2), []);
    assert.deepEqual(after(10_000, 3), ["dbsync: 3 of 9 keys\n"]);
    progress[Symbol.dispose]();
    assert.deepEqual(after(20_000, 4), []);
  } finally {
    process.stderr.isTTY = isTerminal;
    mock.restoreAll();
  }
});
