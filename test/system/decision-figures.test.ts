/**
 * Tests that real daemons report their decisions in the same way in TIMELINE STATUS, INFO, the metrics and
 * `dbsync status`: the keeper, what was decided, and what waits, in total and by signing key.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { pairsOf } from "../../protocol/figures/info-figures.js";
import { runDbsync } from "../client/child.js";
import { PATIENT } from "../support/active-cluster.js";
import { ScratchFolder } from "../support/scratch-folder.js";
import { Trio } from "../support/trio.js";
import { fieldsOf } from "./status.js";

const LOCKS = 5;

test("daemons report the keeper, the decided units, and the units that wait by signing key", async () => {
  await using trio = await Trio.start(["--admin", "0", ...PATIENT]);
  using folder = new ScratchFolder();
  await trio.list();
  await trio.untilNoneIsLate();
  await using client = trio.client();
  for (let lock = 0; lock < LOCKS; lock++)
    assert.equal(await client.call(["SET", `lock:${lock}`, "me", "NX"], { policy: "majority" }), "OK");

  const reports = () =>
    Promise.all(
      trio.runningIndices.map(async (index) => {
        await using own = trio.client([index], { key: trio.root.privateKey });
        return {
          status: fieldsOf(await own.call(["TIMELINE", "STATUS"])),
          info: String(await own.call(["INFO", "dbsync"])),
          metrics: await metricsOf(trio, index),
        };
      }),
    );
  await trio.until("all daemons report the decisions", async () =>
    (await reports()).every(({ status }) => Number(status.get("decided-units")) === LOCKS),
  );
  const all = await reports();
  assert.equal(all.filter(({ status }) => Number(status.get("is-keeper")) === 1).length, 1, "one keeper");
  assert.equal(new Set(all.map(({ status }) => String(status.get("keeper")))).size, 1);
  for (const { status, info, metrics } of all) {
    const number = (name: string) => Number(status.get(name));
    assert.ok(number("decided-slots") >= LOCKS && number("decided-at") > Date.now() - 60_000);
    assert.deepEqual([number("waiting-envelopes"), status.get("waiting-keys")], [0, []]);
    const pairs = new Map(pairsOf(/^dbsync_decisions:(.*)$/m.exec(info)?.[1]?.trim() ?? ""));
    assert.deepEqual(
      ["keeper", "slots", "units", "waiting"].map((name) => pairs.get(name)),
      ["is-keeper", "decided-slots", "decided-units", "waiting-envelopes"].map(number),
    );
    assert.ok((pairs.get("age") ?? -1) >= 0);
    assert.equal(metrics.get("dbsyncd_decision_keeper"), number("is-keeper"));
    assert.equal(metrics.get("dbsyncd_decision_slots_total"), number("decided-slots"));
    assert.equal(metrics.get("dbsyncd_decision_units_total"), LOCKS);
    assert.equal(metrics.get("dbsyncd_decision_last_seconds"), number("decided-at") / 1000);
  }

  const key = folder.privateKey(trio.root);
  const { stdout: output } = await runDbsync(["status", "-k", key, "-s", trio.servers.join()]);
  assert.match(output, /^DECISIONS OF +KEEPER +SLOTS +UNITS +LAST +UNDECIDED +OF KEYS +BLOCKED BY$/m);

  // Two of three members are suspended, so that nothing is decided, and the envelopes wait.
  for (const index of [1, 2]) trio.daemon(index).kill("SIGSTOP");
  await using alone = trio.client([0], { timeout: 20_000 });
  const calls = Array.from({ length: 3 }, (_, lock) =>
    alone.call(["SET", `late:${lock}`, "me", "NX"], { policy: "majority" }).then(String, String),
  );
  await using admin = trio.client([0], { key: trio.root.privateKey });
  await trio.until("the envelopes wait", async () => {
    const status = fieldsOf(await admin.call(["TIMELINE", "STATUS"]));
    const keys = status.get("waiting-keys");
    const [first] = Array.isArray(keys) ? keys.map(fieldsOf) : [];
    return (
      Number(status.get("waiting-envelopes")) === 3 &&
      Number(first?.get("envelopes")) === 3 &&
      String(first?.get("key")).length === 64
    );
  });
  for (const index of [1, 2]) trio.daemon(index).kill("SIGCONT");
  await Promise.all(calls);
});

async function metricsOf(trio: Trio, index: number): Promise<ReadonlyMap<string, number>> {
  const port = await trio.daemon(index).portOf("/healthz and /metrics");
  const text = await (await fetch(`http://127.0.0.1:${port}/metrics`)).text();
  return new Map(
    [...text.matchAll(/^(dbsyncd_decision_\w+) (\S+)$/gm)].map(([, name = "", value]) => [
      name,
      Number(value),
    ]),
  );
}
