/**
 * Tests real daemons, some of which run a future release in which INCR has another meaning, while clients write.
 * Nothing changes before the switch to the new semantics version. After the switch, the daemon that was not upgraded
 * stores new entries and reports the unknown version. Once this daemon is upgraded, its data is equal to that of the
 * other daemons.
 */
import assert from "node:assert/strict";
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { test } from "node:test";
import { runDbsync } from "../client/child.js";
import { buildRoot } from "../support/repository.js";
import { Trio } from "../support/trio.js";

const earlier = { program: join(buildRoot, "test/system/programs/earlier-release.js") };
const next = { program: join(buildRoot, "test/system/programs/next-release.js") };

test("daemons are upgraded one by one under load, and then switch to another meaning of a command", async () => {
  await using trio = await Trio.make(["--admin", "0"]);
  await Promise.all([0, 1, 2].map((index) => trio.start(index, earlier)));
  for (const index of [0, 1, 2])
    await trio.until("the daemon is live", async () => (await trio.status(index)).state === "live");
  await using client = trio.client();
  await using root = trio.client([0, 1], { key: trio.root.privateKey, policy: "all" });

  let written = 0;
  let isOver = false;
  const writer = (async () => {
    while (!isOver) {
      await client.send("INCR n");
      written++;
    }
  })();
  writer.catch(() => {});

  await assert.rejects(
    root.call("CLUSTER SEMANTICS 2"),
    /knows only semantics version 1, not 2: upgrade all daemons first/,
  );

  for (const index of [0, 1]) {
    await trio.end(index, "SIGTERM");
    await trio.start(index, next);
    await trio.until("the daemon is live again", async () => (await trio.status(index)).state === "live");
  }

  const [early] = (await numbers(trio, [2])) as [string];
  assert.ok(Number(early) <= written + 1, "INCR still adds one");
  await assertDoctorShowsSwitch(trio, [0, 1]);

  const outdated = trio.client([2], { key: trio.root.privateKey });
  await assert.rejects(
    outdated.call("CLUSTER SEMANTICS 2"),
    /knows only semantics version 1, not 2: upgrade all daemons first/,
  );
  assert.equal(await root.call("CLUSTER SEMANTICS 2"), "OK");

  const before = written;
  await trio.until(
    "the outdated daemon stops applying entries",
    async () => (await trio.status(2)).standstill !== null,
  );
  const { standstill } = await trio.status(2);
  assert.match(
    String(standstill),
    /^semantics version 2 applies from .*, but this release knows only version 1: upgrade it$/,
  );
  await assertRefuses(trio, outdated);
  await trio.until("the other daemons accept writes", async () => written > before + 20);

  await trio.end(2, "SIGKILL");
  await trio.start(2, earlier);
  await trio.until(
    "the outdated daemon still reports the unknown version",
    async () => (await trio.status(2)).standstill === standstill,
  );

  isOver = true;
  await writer;
  const same = async () =>
    (await trio.statuses()).every(({ entries }, _, [first]) => entries === first?.entries);
  await trio.until("the outdated daemon stores all entries of the other daemons", same);

  await trio.end(2, "SIGTERM");
  await trio.start(2, next);
  await trio.until(
    "the daemon has caught up",
    async () => new Set(await numbers(trio, [0, 1, 2])).size === 1,
  );

  const [number] = (await numbers(trio, [0])).map(Number) as [number];
  assert.ok(number > written && (number - written) % 9 === 0, `${number} of ${written}`);

  await using upgraded = trio.client([2]);
  assert.equal(await upgraded.call("INCR n", { replicated: 3 }), number + 10);
  // The write is on each disk. Shortly afterwards it is in each state.
  const sum = String(number + 10);
  await trio.until("all daemons return the new value", async () =>
    (await numbers(trio, [0, 1, 2])).every((one) => one === sum),
  );
});

/** Returns the value of the counter on each daemon. */
async function numbers(trio: Trio, indices: readonly number[]): Promise<string[]> {
  const read = async (index: number) => {
    await using client = trio.client([index]);
    return String(await client.call("GET n"));
  };
  return await Promise.all(indices.map(read));
}

async function assertRefuses(trio: Trio, root: ReturnType<Trio["client"]>): Promise<void> {
  await using client = trio.client([2]);
  await assert.rejects(client.call("GET n"), /semantics-unknown: semantics version 2/);
  await assert.rejects(client.send("SET other 1"), /semantics-unknown/);
  await assert.rejects(root.call("TIMELINE LOG"), /semantics-unknown/);
  const port = await trio.daemon(2).portOf("/healthz and /metrics");
  const health = await fetch(`http://127.0.0.1:${port}/healthz`);
  assert.deepEqual([health.status, /outdated/.test(await health.text())], [503, true]);
  const line = await trio
    .daemon(2)
    .logged(({ msg }) => /semantics version that this release does not know/.test(msg));
  assert.equal(line.level, "error");
}

/** Asserts that doctor shows how to switch the given daemons, which all know the next number. */
async function assertDoctorShowsSwitch(trio: Trio, indices: readonly number[]): Promise<void> {
  const key = `${trio.root.file}.private`;
  writeFileSync(key, trio.root.privateKey.export({ type: "pkcs8", format: "pem" }), { mode: 0o600 });
  const servers = indices.map((index) => `127.0.0.1:${trio.ports[index]}`).join();
  const { stdout } = await runDbsync(["doctor", "-s", servers, "-k", key]);
  const shown =
    /have version 1 of the semantics; all daemons support 2, .* --policy all CLUSTER SEMANTICS 2$/m;
  assert.match(stdout, shown);
}
