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

test("the text for which a program waits replaces the line of a terminal, and is otherwise printed once", ({
  mock,
}) => {
  const lines: string[] = [];
  const isTerminal = process.stderr.isTTY;
  mock.method(process.stderr, "write", (text: string) => lines.push(text) > 0);
  mock.method(performance, "now", () => 0);

  const written = (isTTY: boolean) => {
    process.stderr.isTTY = isTTY;
    const progress = showProgressText();
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
