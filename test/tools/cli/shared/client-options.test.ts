/** Tests the line that names the current folder's dbsync.ini after a failure. */
import assert from "node:assert/strict";
import { realpathSync } from "node:fs";
import { join } from "node:path";
import { type TestContext, test } from "node:test";
import { defaultsFor } from "../../../../tools/cli/shared/client-options.js";
import { ScratchFolder } from "../../../support/scratch-folder.js";

/** The variables that would name servers, a key or a profile instead. */
const VARIABLES = ["DBSYNC_SERVERS", "DBSYNC_SIGNKEY", "DBSYNC_PROFILE", "DBSYNC_CLUSTER", "XDG_CONFIG_HOME"];

/** Makes a folder the current one, whose home folder has no settings either. @returns its path */
function enter(t: TestContext, folder: ScratchFolder): string {
  const [before, variables] = [process.cwd(), { ...process.env }];
  for (const name of VARIABLES) delete process.env[name];
  process.env["HOME"] = folder.path;
  process.chdir(folder.path);
  t.after(() => {
    process.chdir(before);
    for (const name of [...VARIABLES, "HOME"]) {
      const value = variables[name];
      if (value === undefined) delete process.env[name];
      else process.env[name] = value;
    }
  });
  return realpathSync(folder.path);
}

/** Returns what the listeners that `act` adds print at the end of a process with each exit code. */
function linesAtExit(t: TestContext, codes: readonly number[], act: () => void): string[][] {
  const before = new Set(process.listeners("exit"));
  act();
  const added = process.listeners("exit").filter((listener) => !before.has(listener));
  const lines: string[] = [];
  const { mock } = t.mock.method(process.stderr, "write", (text: string) => lines.push(text) > 0);
  const printed = codes.map((code) => {
    for (const listener of added) listener.call(process, code);
    return lines.splice(0);
  });
  mock.restore();
  for (const listener of added) process.removeListener("exit", listener);
  return printed;
}

test("a failure names the current folder's dbsync.ini once, unless the servers come from another source", (t) => {
  using folder = new ScratchFolder();
  const path = enter(t, folder);
  const noLine = (flags: { servers?: string }) =>
    assert.deepEqual(
      linesAtExit(t, [1], () => defaultsFor(flags)),
      [[]],
    );

  // The servers are the default ones.
  noLine({});
  folder.file("dbsync.ini", "dbsync.servers = 10.0.0.9:1111\n");
  noLine({ servers: "10.0.0.8:1111" });
  process.env["DBSYNC_SERVERS"] = "10.0.0.8:1111";
  noLine({});
  delete process.env["DBSYNC_SERVERS"];

  // The module remembers that it has named the file, as for the rest of a process.
  const readTwice = () => {
    assert.equal(defaultsFor({}).servers[0]?.text, "10.0.0.9:1111");
    defaultsFor({});
  };
  const line = `dbsync: using the servers of ${join(path, "dbsync.ini")}\n`;
  assert.deepEqual(linesAtExit(t, [0, 1], readTwice), [[], [line]]);
});
