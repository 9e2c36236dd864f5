/**
 * Tests calls that share a signature, with real daemons and an RSA key. The members decide on each of them separately,
 * also while a daemon is stopped, and what they store passes `dbsync log verify`.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { readDecision } from "../../protocol/version-2/decision-body.js";
import { readShared } from "../../protocol/version-2/shared-signature.js";
import { verifyFolder } from "../../tools/history/verification/timeline-verification.js";
import { double } from "../support/double.js";
import { makeKeyPair } from "../support/envelope-client.js";
import { Trio } from "../support/trio.js";
import { readFolder } from "./folder-contents.js";

const CALLS = 64;
const LEVEL_MS = 60_000;
const majority = { policy: "majority" } as const;

test("calls that share a signature are decided one by one, also while a daemon is stopped", async () => {
  await using trio = await Trio.start([], 3, { app: makeKeyPair("rsa") });
  await trio.list();
  await trio.untilNoneIsLate();
  await using client = trio.client();

  /** Acquires locks with both kinds of conditions. Each second one of the first ten already has an owner. */
  const acquireAll = async (name: string, meanwhile: () => Promise<unknown>): Promise<void> => {
    const locks = Array.from({ length: CALLS }, (_, index) => `${name}:${index}`);
    const isOwned = (index: number) => index < 10 && index % 2 === 0;
    const owned = locks.filter((_, index) => isOwned(index));
    await client.call(["MSET", ...owned.flatMap((key) => [key, "owner"])], majority);
    const answers = locks.map((key, index) =>
      index % 4 < 2
        ? client.call(["SET", key, "me", "NX"], majority)
        : client.call(["SET", key, "me"], { ...majority, if: [{ key, writer: null }] }),
    );
    const [decided] = await Promise.all([Promise.all(answers), meanwhile()]);
    assert.deepEqual(
      decided,
      locks.map((_, index) => (isOwned(index) ? null : "OK")),
    );
    assert.deepEqual(
      await client.call(["MGET", ...locks], majority),
      locks.map((_, index) => (isOwned(index) ? "owner" : "me")),
    );
  };

  await acquireAll("all", async () => {});
  await acquireAll("stopped", () => trio.end(2, "SIGKILL"));
  await acquireAll("two", async () => {});
  await trio.start(2);
  await trio.level(LEVEL_MS);
  await trio.endAll();

  const keys = { signKey: [trio.app.file], rootKey: [trio.root.file], clusterName: "dbsync" };
  const settings = double<Parameters<typeof verifyFolder>[0]>(keys);
  for (const index of trio.ports.keys()) {
    const { faults } = await verifyFolder(settings, trio.folder(index), () => {});
    assert.deepEqual(faults, []);
    const entries = [...(await readFolder(trio.folder(index))).values()];
    const shares = entries.filter((entry) => {
      const unit = entry?.envelope.decided?.signed ? readDecision(entry.body).unit : null;
      return unit !== null && readShared(unit.signature)?.count === CALLS;
    });
    assert.equal(shares.length, 3 * CALLS);
  }
});
