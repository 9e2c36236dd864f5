/**
 * Tests a write that one daemon acknowledged while it was disconnected, and that the snapshot of the other members
 * does not contain. The daemon stores the write as a dead letter, which can be written again.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runDbsync } from "../client/child.js";
import { startDaemon } from "../support/daemon-process.js";
import { buildRoot } from "../support/repository.js";
import { makePastFolder, signPast } from "./past-folder.js";
import { Trio } from "./trio.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const COMMANDS = 400;
/** The timeout in milliseconds. It is long because the machine may be busy. */
const LEVEL_MS = 120_000;
const clockOff = join(buildRoot, "test", "faults", "clock-off.js");

test("a disconnected daemon's write becomes a dead letter when it adopts a snapshot, survives SIGKILL, and is written again", async () => {
  await using trio = await Trio.make(["--retain", "1"]);
  const keys = { signKey: [trio.app.file], rootKey: [trio.root.file], clusterName: "dbsync" };
  const commands = Array.from({ length: COMMANDS }, (_, i) => ["SET", `n:${i % 300}`, String(i)]);
  const entries = signPast(trio.app, keys, { until: Date.now() - 3 * DAY_MS, commands });
  for (const index of [0, 1]) await makePastFolder(trio.folder(index), { keys, retainMs: HOUR_MS, entries });
  // The write is more than a day older than the other members' entries. No sum in a snapshot covers both, so it is
  // certain that the snapshot does not contain the write.
  const own = ["-p", String(trio.ports[2]), "-s", trio.app.file, "--root-key", trio.root.file];
  const env = { CLOCK_OFF_MS: String(-4 * DAY_MS - 4 * HOUR_MS) };
  const alone = await startDaemon([...own, "--data", trio.folder(2)], { program: clockOff, env });
  {
    await using client = trio.client([2]);
    assert.equal(await client.send("INCR visits"), "1");
  }
  await alone.stop();
  await trio.startAll();
  await trio.level(LEVEL_MS);
  await using client = trio.client();
  assert.equal(await client.send("GET visits", { policy: "all-equal" }), null);
  await trio.end(2, "SIGKILL");
  const dbsync = (task: string, ...words: string[]) =>
    runDbsync(["dead-letters", task, ...words, "--data", trio.folder(2), "--json"]);
  const { stdout, stderr } = await dbsync("list");
  const [deadLetter, ...others] = stdout
    .trimEnd()
    .split("\n")
    .map((line) => JSON.parse(line));
  assert.deepEqual(others, [], stderr);
  assert.deepEqual(
    [deadLetter.state, deadLetter.reason, deadLetter.envelope.count],
    ["waiting", "missing", 1],
  );
  await trio.start(2);
  await trio.until("the daemon counts the dead letter", async () => (await trio.status(2)).deadLetters === 1);
  const key = join(trio.folder(2), "app.pem");
  writeFileSync(key, trio.app.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const written = await dbsync("write-again", "--all", "-k", key, "-s", trio.servers.join(","));
  assert.equal(written.code, 0, written.stdout + written.stderr);
  await trio.level(LEVEL_MS);
  assert.equal(await client.send("GET visits", { policy: "all-equal" }), "1");
  await trio.until("no dead letter waits", async () => (await trio.status(2)).deadLetters === 0);
});
