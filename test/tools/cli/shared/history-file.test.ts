/** Tests a terminal session's completion and history. */
import assert from "node:assert/strict";
import { mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { test } from "node:test";
import { HISTORY_LINES_MAX, HistoryFile } from "../../../../tools/cli/shared/history-file.js";
import { completeCommand } from "../../../../tools/cli/shared/typed-commands.js";

test("completion offers names in the typed case, and nothing after a name", () => {
  assert.deepEqual(completeCommand("GETE"), [["GETEX "], "GETE"]);
  assert.deepEqual(completeCommand("gete"), [["getex "], "gete"]);
  assert.deepEqual(completeCommand("nope"), [[], "nope"]);
  assert.deepEqual(completeCommand("GET k"), [[], "GET k"]);
  assert.ok(completeCommand("")[0].length > 50);
});

test("each line is stored immediately, newest first, in a bounded file that only its owner can read", () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-history-"));
  try {
    const opened = () => new HistoryFile({ XDG_STATE_HOME: folder }, "history");
    const file = opened();
    assert.equal(file.path, join(folder, "dbsync", "history"));
    assert.deepEqual(file.lines, []);
    file.add("older");
    file.add("newest");
    // The history is not closed, as if the session had been killed.
    assert.deepEqual(opened().lines, ["newest", "older"]);
    assert.equal(statSync(file.path).mode & 0o777, 0o600);
    const many = Array.from({ length: 3 * HISTORY_LINES_MAX }, (_, line) => `line ${line}\n`);
    writeFileSync(file.path, many.join(""));
    const { lines } = opened();
    assert.equal(lines.length, HISTORY_LINES_MAX);
    assert.equal(lines[0], `line ${3 * HISTORY_LINES_MAX - 1}`);
    assert.equal(readFileSync(file.path, "utf8").split("\n").length - 1, HISTORY_LINES_MAX);
    assert.equal(statSync(file.path).mode & 0o777, 0o600);
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("other users cannot replace the history, whatever the umask", () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-history-"));
  const umask = process.umask(0);
  try {
    const file = new HistoryFile({ XDG_STATE_HOME: join(folder, "state") }, "history");
    file.add("line");
    const made = [join(folder, "state"), dirname(file.path), file.path];
    assert.deepEqual(
      made.map((path) => statSync(path).mode & 0o777),
      [0o700, 0o700, 0o600],
    );
  } finally {
    process.umask(umask);
    rmSync(folder, { recursive: true });
  }
});

test("a history that cannot be stored is not an error", () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-history-"));
  try {
    writeFileSync(join(folder, "dbsync"), "a file where the folder should be");
    new HistoryFile({ XDG_STATE_HOME: folder }, "history").add("line");
  } finally {
    rmSync(folder, { recursive: true });
  }
});
