/**
 * Tests writes that one daemon acknowledged while it was disconnected, and that the snapshot of the other members
 * does not contain. The daemon stores the writes as dead letters, which can be written again.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import type { Entry } from "../../daemon/timeline/entries/entry.js";
import { runDbsync } from "../client/child.js";
import { startDaemon } from "../support/daemon-process.js";
import { buildRoot } from "../support/repository.js";
import { Trio } from "../support/trio.js";
import { makePastFolder, signPast } from "./past-folder.js";

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
const COMMANDS = 400;
const LOST = 20;
/** The timeout in milliseconds. It is long because the machine may be busy. */
const LEVEL_MS = 120_000;
const clockOff = join(buildRoot, "test", "system", "programs", "clock-off.js");

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

test("a daemon knows which of its writes are missing, although its members wrote in the same seconds", async () => {
  await using trio = await Trio.make(["--retain", "1"]);
  const keys = { signKey: [trio.app.file], rootKey: [trio.root.file], clusterName: "dbsync" };
  const until = Date.now() - 3 * DAY_MS;
  const sets = (name: string, count: number) =>
    Array.from({ length: count }, (_, i) => ["SET", `${name}:${i}`, String(i)]);
  const shared = signPast(trio.app, keys, { until, commands: sets("shared", COMMANDS) });

  // The daemon was disconnected for the last 20 of these minutes, and stopped hours before the members.
  const stopped = until - 3 * HOUR_MS;
  const members = signPast(trio.app, keys, { until: stopped + 100, commands: sets("members", LOST) });
  const own = signPast(trio.app, keys, { until: stopped + 200, commands: sets("own", LOST) });
  const byDate = (a: Entry, b: Entry) => a.envelope.at - b.envelope.at;
  const entries = [...shared, ...members].sort(byDate);
  for (const index of [0, 1]) await makePastFolder(trio.folder(index), { keys, retainMs: HOUR_MS, entries });

  const known = shared.filter(({ envelope: { at } }) => at <= stopped);
  const ownEntries = [...known, ...own].sort(byDate);
  await makePastFolder(trio.folder(2), { keys, retainMs: HOUR_MS, entries: ownEntries });

  await trio.startAll();
  await trio.level(LEVEL_MS);
  const { stdout, stderr } = await runDbsync(["dead-letters", "list", "--data", trio.folder(2), "--json"]);
  const lines = stdout.trimEnd().split("\n");
  const found = lines.map((line) => JSON.parse(line) as { readonly id: string; readonly reason: string });

  assert.deepEqual(
    new Set(found.map(({ id }) => id)),
    new Set(own.map(({ id }) => Buffer.from(id, "latin1").toString("hex"))),
    stderr,
  );
  assert.ok(
    found.every(({ reason }) => reason === "missing"),
    stdout,
  );
});
