/**
 * Tests real daemons that are missing entries that no other member retains. They adopt a snapshot of another member
 * and catch up.
 */
import assert from "node:assert/strict";
import { rmSync } from "node:fs";
import { test } from "node:test";
import { setTimeout as pause } from "node:timers/promises";
import type { ByteString } from "../../protocol/byte-string.js";
import { amount, some } from "../support/amount.js";
import { EnvelopeClient, makeKeyPair, type SignedEnvelope } from "../support/envelope-client.js";
import { Trio } from "../support/trio.js";
import { until } from "../support/until.js";
import { makePastFolder, signPast } from "./past-folder.js";

/** The timeout in milliseconds. It is long because the machine may be busy. */
const LEVEL_MS = 120_000;
const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** The number of concurrent envelopes. */
const AT_ONCE = 500;
/** A number of entries that exceeds the limit of a daemon. After writing them, the test only has to wait. */
const ENOUGH = amount(2500, 4000);
const TRICKLE = 10;
const POLL_MS = 100;
/** The smallest limits that a daemon accepts. */
const FORGETFUL = [
  ...["--max-timeline-bytes", "1MiB", "--snapshot-entries", "2000"],
  ...["--tail-seconds", "4s", "--window", "2s,1s"],
];

/**
 * Sends one envelope per command.
 * @returns the ids of the accepted envelopes; on a busy machine some arrive too late
 */
async function sendAll(
  client: EnvelopeClient,
  commands: readonly (readonly ByteString[])[],
): Promise<readonly (readonly ByteString[])[]> {
  const signed = commands.map((command) => client.sign([command]));
  client.raw.send(signed.map(({ frame }) => frame).join(""));
  const ids = new Set<ByteString>();
  for (let pending = commands.length; pending > 0; pending--) {
    const answer = await client.next();
    if (answer?.kind === "result") ids.add(answer.id);
  }
  return commands.filter((_, i) => ids.has((signed[i] as SignedEnvelope).id));
}

/** Writes until all daemons have pruned the first entries. @returns the keys of the answered writes */
async function writeUntilPruned(trio: Trio): Promise<ReadonlySet<ByteString>> {
  const answered = new Set<ByteString>();
  using client = await EnvelopeClient.open(trio.ports[0] as number, trio.app);
  const others = trio.ports.length - 1;
  const havePruned = async () =>
    (await trio.statuses()).every(({ pruned }) => pruned.length === others && pruned.every((to) => to > 0));

  let written = 0;
  const write = async () => {
    if (written >= ENOUGH) await pause(POLL_MS);
    const accepted = await sendAll(
      client,
      Array.from({ length: written < ENOUGH ? AT_ONCE : TRICKLE }, () => [
        "SET",
        `n:${written % 1000}`,
        `${written++} ${"x".repeat(500)}`,
      ]),
    );
    for (const [, key] of accepted) answered.add(key as ByteString);
  };

  await until("all daemons have pruned the first entries", havePruned, { pause: write });
  return answered;
}

const CLUSTERS = [
  [2, "two daemons in memory"],
  [3, "three daemons in memory"],
] as const;

for (const [count, name] of some(CLUSTERS))
  test(`${name} catch up after each restart, although they have pruned the first entries`, async (t) => {
    await using trio = await Trio.make(FORGETFUL, count, { isInMemory: true });
    await trio.startAll();
    await using client = trio.client();
    await client.send("SET first kept");

    await using root = trio.client([...trio.ports.keys()], { key: trio.root.privateKey });
    const added = makeKeyPair();
    await root.send(["KEY", "ADD", added.pem, "LABEL", "late", "RULES", "+@all", "-@admin", "~*"]);

    const answered = await writeUntilPruned(trio);
    await trio.level(LEVEL_MS);
    const keys = Number(await client.send("DBSIZE"));
    // The daemon has all answered writes, including the first write.
    assert.ok(keys > answered.size && keys <= 1001, `${keys} keys, ${answered.size} answered`);

    for (const index of trio.ports.keys()) {
      await trio.end(index, "SIGKILL");
      await client.send(`SET meanwhile:${index} kept`);
      await trio.start(index);
      t.diagnostic(`daemon ${index} has caught up after ${Math.round(await trio.level(LEVEL_MS))} ms`);

      await using reader = trio.client([index], { key: added.privateKey });
      const log = trio.daemon(index).log.map(({ msg }) => msg);
      assert.equal(await reader.send("GET first"), "kept", `daemon ${index} says:\n${log.join("\n")}`);
      assert.equal(await reader.send(`GET meanwhile:${index}`), "kept");
      assert.equal(await reader.send("DBSIZE"), String(keys + 1 + index));
    }
  });

test("a daemon with --data and --retain restores a lost folder from a member's snapshot, and keeps it after SIGKILL", async () => {
  await using trio = await Trio.make(["--retain", "1"]);
  const keys = { signKey: [trio.app.file], rootKey: [trio.root.file], clusterName: "dbsync" };
  const commands = Array.from({ length: 400 }, (_, i) => ["SET", `n:${i % 300}`, String(i)]);
  const entries = signPast(trio.app, keys, { until: Date.now() - 3 * DAY_MS, commands });
  const past = { keys, retainMs: HOUR_MS, entries };
  for (const index of [0, 1]) await makePastFolder(trio.folder(index), past);

  await trio.startAll();
  await trio.level(LEVEL_MS);
  // Members report the date of their pruning every two seconds.
  await trio.until("both other daemons have pruned the same entries", async () => {
    const { pruned } = await trio.status(0);
    return (pruned[0] as number) > 0 && pruned[0] === pruned[1];
  });

  const isTakenOver = ({ msg }: { readonly msg: string }) => /snapshot was adopted/.test(msg);
  await trio.daemon(2).logged(isTakenOver);
  assert.equal(trio.daemon(2).log.filter(isTakenOver).length, 1);

  await using client = trio.client();
  await client.send("SET again 1", { replicated: 3 });
  await trio.end(2, "SIGKILL");
  await trio.start(2);
  await trio.level(LEVEL_MS);
  await using reader = trio.client([2]);
  assert.equal(await reader.send("DBSIZE"), "301");
  assert.equal(await reader.send("GET n:0"), "300");
  assert.equal(await reader.send("GET n:299"), "299");

  await trio.end(2, "SIGTERM");
  rmSync(trio.folder(2), { recursive: true });
  await trio.start(2);
  await trio.level(LEVEL_MS);
  await using again = trio.client([2]);
  assert.equal(await again.send("DBSIZE"), "301");
});
