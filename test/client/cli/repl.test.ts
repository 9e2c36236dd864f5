/** What a terminal's session offers: completion and history. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { completeCommand } from "../../../client/cli/shared/command-names.js";
import {
  historyFile,
  MAX_HISTORY_LINES,
  readHistory,
  writeHistory,
} from "../../../client/cli/shared/history-file.js";

test("completion offers names in the case they were begun in, and nothing behind a name", () => {
  assert.deepEqual(completeCommand("GETE"), [["GETEX "], "GETE"]);
  assert.deepEqual(completeCommand("gete"), [["getex "], "gete"]);
  assert.deepEqual(completeCommand("nope"), [[], "nope"]);
  assert.deepEqual(completeCommand("GET k"), [[], "GET k"]);
  assert.ok(completeCommand("")[0].length > 50);
});

test("the history survives, newest first, bounded, readable by its owner alone", () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-history-"));
  try {
    const file = historyFile({ XDG_STATE_HOME: folder }, "history");
    assert.equal(file, join(folder, "dbsync", "history"));
    assert.deepEqual(readHistory(file), []);
    writeHistory(file, ["newest", "older"]);
    assert.deepEqual(readHistory(file), ["newest", "older"]);
    assert.equal(statSync(file).mode & 0o777, 0o600);
    writeHistory(
      file,
      Array.from({ length: MAX_HISTORY_LINES + 5 }, (_, line) => `line ${line}`),
    );
    assert.equal(readHistory(file).length, MAX_HISTORY_LINES);
    assert.equal(readHistory(file)[0], "line 0");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("a history that cannot be kept is no error", () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-history-"));
  try {
    writeFileSync(join(folder, "dbsync"), "a file where the folder should be");
    writeHistory(historyFile({ XDG_STATE_HOME: folder }, "history"), ["line"]);
  } finally {
    rmSync(folder, { recursive: true });
  }
});
