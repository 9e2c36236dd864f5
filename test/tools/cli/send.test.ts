/** Tests what a terminal (a pty, by script(1)) shows while a command waits. */
import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
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
