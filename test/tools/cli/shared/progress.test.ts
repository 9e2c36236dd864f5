/** Tests the progress of subcommands on a terminal and without one. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { showProgress, showProgressText } from "../../../../tools/cli/shared/progress.js";

test("without a terminal, progress is a line every ten seconds if it has changed", ({ mock }) => {
  mock.timers.enable({ apis: ["setInterval"] });
  const lines: string[] = [];
  const isTerminal = process.stderr.isTTY;
  process.stderr.isTTY = false;
  mock.method(process.stderr, "write", (text: string) => lines.push(text) > 0);
  try {
    let done = 0;
    using progress = showProgress(() => `${done} of 9 keys`);
    /** Sets the count, and returns what is printed in the given time. */
    const tickWith = (count: number, milliseconds: number) => {
      done = count;
      mock.timers.tick(milliseconds);
      return lines.splice(0);
    };

    assert.deepEqual(tickWith(1, 9_999), []);
    assert.deepEqual(tickWith(2, 1), ["dbsync: 2 of 9 keys\n"]);
    assert.deepEqual(tickWith(2, 20_000), []);
    assert.deepEqual(tickWith(3, 10_000), ["dbsync: 3 of 9 keys\n"]);
    progress[Symbol.dispose]();
    assert.deepEqual(tickWith(4, 20_000), []);
  } finally {
    process.stderr.isTTY = isTerminal;
    mock.restoreAll();
  }
});

test("showProgressText overwrites the line of a terminal, and without a terminal prints each new text once", ({
  mock,
}) => {
  const lines: string[] = [];
  const isTerminal = process.stderr.isTTY;
  mock.method(process.stderr, "write", (text: string) => lines.push(text) > 0);
  mock.method(performance, "now", () => 0);

  const written = (isTTY: boolean) => {
    process.stderr.isTTY = isTTY;
    const progress = showProgressText();
    // Control characters, such as the line feed, are printed as escapes.
    for (const text of ["a", "a", "b\n"]) progress.show(text);
    progress[Symbol.dispose]();
    return lines.splice(0);
  };
  try {
    const cleared = "\r\x1b[K";
    assert.deepEqual(
      written(true),
      ["waiting 0 s: a", "waiting 0 s: a", "waiting 0 s: b\\n", ""].map((text) => cleared + text),
    );
    assert.deepEqual(written(false), ["dbsync: waiting: a\n", "dbsync: waiting: b\\n\n"]);
  } finally {
    process.stderr.isTTY = isTerminal;
    mock.restoreAll();
  }
});
