/**
 * Tests --json-replica when the original server is unreachable while the replica starts: the replica reports that it is
 * not ready, and deletes nothing from the original after it has connected, even if its own clients have written. While
 * the original is unreachable, the replica may serve or refuse clients, or not listen yet, so errors are ignored then.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Original } from "../../faces/json/test/original.js";
import { CuttablePort } from "../support/cuttable-port.js";
import { startDaemon } from "../support/daemon-process.js";
import { freePort } from "../support/free-port.js";
import { ask } from "../support/json-lines.js";
import { pause, within } from "../support/pause.js";
import { RawClient } from "../support/raw-client.js";
import { until } from "../support/until.js";

const ENTRIES = 100;
/** Milliseconds that a write to the replica gets to finish or fail. */
const WRITE_WAIT_MS = 8_000;
/** Milliseconds after which a deletion by the replica would have reached the original. */
const DELETION_MS = 1_000;

async function count(port: number): Promise<number> {
  using connection = await RawClient.open(port);
  return Number(JSON.parse(await ask(connection, { action: "count", document: "users" }))["count"]);
}

async function healthOf(port: number): Promise<number> {
  return (await fetch(`http://127.0.0.1:${port}/healthz`)).status;
}

const troubles: Readonly<Record<string, (gate: CuttablePort) => void>> = {
  "refuses connections": (gate) => {
    gate.isCut = true;
  },
  "accepts connections and sends nothing": (gate) => {
    gate.isHeld = true;
  },
};

describe("the original server of --json-replica keeps its entries if it", () => {
  for (const [trouble, cause] of Object.entries(troubles)) {
    test(`${trouble} while the replica starts`, { timeout: 300_000 }, async () => {
      const ports = [await freePort(), await freePort(), await freePort()] as const;
      const [originalPort, replicaPort, adminPort] = ports;
      await using _original = await Original.start(originalPort, []);
      using source = await RawClient.open(originalPort);
      await ask(source, { action: "create", document: "users" });
      const data = Array.from({ length: ENTRIES }, (_, number) => ({ name: `user ${number}` }));
      await ask(source, { action: "insert", document: "users", data });
      assert.equal(await count(originalPort), ENTRIES);

      await using gate = await CuttablePort.open(() => originalPort);
      cause(gate);
      const replicaOptions = ["--json-replica", gate.address, "--json-replica-timeout", "1s"];
      await using _replica = await startDaemon([
        "--json",
        String(replicaPort),
        ...replicaOptions,
        "--admin",
        String(adminPort),
      ]);
      const writing = (async () => {
        using connection = await RawClient.open(replicaPort);
        await ask(connection, { action: "create", document: "users" });
        await ask(connection, { action: "insert", document: "users", data: [{ name: "late" }] });
      })().catch(() => {});
      await within(WRITE_WAIT_MS, writing);
      const health = await healthOf(adminPort).catch(() => 0);

      gate.release();
      await within(WRITE_WAIT_MS, writing);
      const arrives = until("the entries arrive", async () => (await count(replicaPort)) >= ENTRIES, {
        ms: 30_000,
        mayFail: true,
      });
      await arrives.catch(() => {});
      await pause(DELETION_MS);
      const [inOriginal, inReplica] = [await count(originalPort), await count(replicaPort)];
      assert.ok(
        inOriginal >= ENTRIES,
        `the original has ${inOriginal} of ${ENTRIES} entries, the replica ${inReplica}`,
      );
      assert.ok(inReplica >= ENTRIES, `the replica has ${inReplica} of ${ENTRIES} entries`);
      assert.notEqual(health, 200, "a replica that has not fetched the entries is not ready");
    });
  }
});
