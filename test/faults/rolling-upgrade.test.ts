/**
 * Tests real daemons, some of which run a future release with another INCR: nothing changes until the switch; the
 * daemon that was not upgraded stores new entries, reports what it does not know, and is equal once it is upgraded.
 * Clients write all the time.
 */
import assert from "node:assert/strict";
import { join } from "node:path";
import { test } from "node:test";
import { buildRoot } from "../support/repository.js";
import { Trio } from "./trio.js";

const earlier = { program: join(buildRoot, "test/faults/earlier-release.js") };
const next = { program: join(buildRoot, "test/faults/next-release.js") };

test("daemons are upgraded one by one, then the meaning of one command, under load", async () => {
  await using trio = await Trio.make(["--admin", "0"]);
  await Promise.all([0, 1, 2].map((index) => trio.start(index, earlier)));
  for (const index of [0, 1, 2])
    await trio.until("it is live", async () => (await trio.status(index)).state === "live");
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
  await assert.rejects(root.call("CLUSTER SEMANTICS 2"), /by version 1, not 2: upgrade all daemons first/);
  for (const index of [0, 1]) {
    await trio.end(index, "SIGTERM");
    await trio.start(index, next);
    await trio.until("it is back", async () => (await trio.status(index)).state === "live");
  }
  const [early] = (await numbers(trio, [2])) as [string];
  assert.ok(Number(early) <= written + 1, "nothing means anything else yet");
  const left = trio.client([2], { key: trio.root.privateKey });
  await assert.rejects(left.call("CLUSTER SEMANTICS 2"), /by version 1, not 2: upgrade all daemons first/);
  assert.equal(await root.call("CLUSTER SEMANTICS 2"), "OK");
  const before = written;
  await trio.until("it stands still", async () => (await trio.status(2)).standstill !== null);
  const { standstill } = await trio.status(2);
  assert.match(
    String(standstill),
    /^commands mean version 2 from .* on, and this release knows version 1: upgrade it$/,
  );
  await assertRefuses(trio, left);
  await trio.until("others are written to", async () => written > before + 20);
  await trio.end(2, "SIGKILL");
  await trio.start(2, earlier);
  await trio.until("it still does", async () => (await trio.status(2)).standstill === standstill);
  isOver = true;
  await writer;
  const same = async () =>
    (await trio.statuses()).every(({ entries }, _, [first]) => entries === first?.entries);
  await trio.until("it keeps what the others hold", same);
  await trio.end(2, "SIGTERM");
  await trio.start(2, next);
  await trio.until("it is level", async () => new Set(await numbers(trio, [0, 1, 2])).size === 1);
  const [number] = (await numbers(trio, [0])).map(Number) as [number];
  assert.ok(number > written && (number - written) % 9 === 0, `${number} of ${written}`);
  await using own = trio.client([2]);
  assert.equal(await own.call("INCR n", { replicated: 3 }), number + 10);
  // On each disk, and a moment later in each state.
  const sum = String(number + 10);
  await trio.until("all read it", async () => (await numbers(trio, [0, 1, 2])).every((one) => one === sum));
});

/** Returns the value that each of some daemons reads. */
async function numbers(trio: Trio, indices: readonly number[]): Promise<string[]> {
  const read = async (index: number) => {
    await using client = trio.client([index]);
    return String(await client.call("GET n"));
  };
  return await Promise.all(indices.map(read));
}

async function assertRefuses(trio: Trio, root: ReturnType<Trio["client"]>): Promise<void> {
  await using client = trio.client([2]);
  await assert.rejects(client.call("GET n"), /semantics-unknown: commands mean version 2/);
  await assert.rejects(client.send("SET other 1"), /semantics-unknown/);
  await assert.rejects(root.call("TIMELINE LOG"), /semantics-unknown/);
  const { port } = await trio.daemon(2).logged(({ msg }) => msg === "serving /healthz and /metrics");
  const health = await fetch(`http://127.0.0.1:${port}/healthz`);
  assert.deepEqual([health.status, /outdated/.test(await health.text())], [503, true]);
  const line = await trio
    .daemon(2)
    .logged(({ msg }) => /semantics version that this release does not know/.test(msg));
  assert.equal(line.level, "error");
}
