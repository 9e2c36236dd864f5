/** Tests what a terminal (a pty, by script(1)) shows while a command waits. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { commands } from "../../../daemon/store/command-table.js";
import { WAITING_COMMANDS, waitingNote } from "../../../tools/cli/send.js";
import { programPaths } from "../../support/programs.js";
import { run } from "../../support/run-program.js";
import { startCluster } from "./cluster.js";

test("a command that waits until it is final shows a line with the states of the daemons on a terminal, and clears it", async () => {
  const folder = mkdtempSync(join(tmpdir(), "dbsync-waiting-"));
  try {
    await using cluster = await startCluster(1, [
      ...["--data", join(folder, "data"), "--window", "1s,500ms", "--tail-seconds", "5s"],
    ]);
    const send = [process.execPath, programPaths.dbsync, "send", "-k", join(cluster.folder, "app.pem")];
    const command = [...send, "-s", cluster.daemons.servers, "--stable", "SET", "k", "v"].join(" ");
    const line = `stty cols 120; exec ${command}`;
    const { code, stdout } = await run("script", ["-qefc", line, "/dev/null"], { env: { TERM: "xterm" } });
    assert.equal(code, 0, stdout);
    assert.match(
      stdout,
      /waiting until the write is final \(about 35 s\): \d+ s; 127\.0\.0\.1:\d+ live, connected with no other daemon/,
    );
    assert.match(stdout, /\r\x1b\[K[^\r]*OK\r\n$/, "the line is cleared before the answer");
    const piped = await cluster.run(["send", "-k", "app.pem", "--replicated", "1", "SET", "k", "v"]);
    assert.deepEqual([piped.stdout, piped.stderr], ["OK\n", ""], "the line is not written to a pipe");
  } finally {
    rmSync(folder, { recursive: true });
  }
});

test("an empty list is not nil, and a command that did not wait for data says so", async () => {
  await using cluster = await startCluster(1);
  const send = async (...command: string[]) => {
    const { stdout, stderr } = await cluster.run(["send", "-k", "app.pem", ...command]);
    return [stdout, stderr.split(":")[2] ?? ""];
  };
  assert.deepEqual(await send("LRANGE", "none", "0", "-1"), ["(empty array)\n", ""]);
  assert.deepEqual(await send("--json", "LRANGE", "none", "0", "-1"), ['{"value":[]}\n', ""]);
  assert.deepEqual(await send("GET", "none"), ["(nil)\n", ""]);
  await send("RPUSH", "list", "a", "\u00e9");
  assert.deepEqual(await send("LRANGE", "list", "0", "-1"), ["a\n\u00e9\n", ""]);
  assert.deepEqual(await send("BLPOP", "none", "0"), ["(nil)\n", " BLPOP did not wait for data"]);
  assert.deepEqual(await send("BLPOP", "list", "0"), ["list\na\n", ""]);
});

test("the note about waiting knows all commands that wait, and for how long", () => {
  const waiting = commands.filter(({ waitsFor }) => waitsFor !== undefined);
  assert.deepEqual([...WAITING_COMMANDS].sort(), waiting.map(({ name }) => name).sort());
  const isNoted = (line: string) => waitingNote(line.split(" "), 100) !== null;
  for (const line of ["blpop q 0", "BLPOP q 1", "BLMPOP 1 1 q LEFT", "XREAD BLOCK 0 STREAMS s 0"])
    assert.ok(isNoted(line), line);
  for (const line of [
    "BLPOP q 0.05",
    "BLMPOP 0.05 1 q LEFT",
    "XREAD STREAMS s 0",
    "XREAD BLOCK 50 STREAMS s 0",
    "GET k",
  ])
    assert.ok(!isNoted(line), line);
});
