/**
 * A daemon with --json-replica cannot fetch the other server's documents at its start. It is not ready, and
 * when it reaches the other server it removes nothing there, even if its own clients have already written.
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
/** The maximum duration in milliseconds of a write to the second daemon while the first server is unreachable. */
const WRITE_MS = 8_000;
/** A removal on the second daemon reaches the first server within this duration in milliseconds. */
const REMOVAL_MS = 1_000;

async function count(port: number): Promise<number> {
  using line = await RawClient.open(port);
  return Number(JSON.parse(await ask(line, { action: "count", document: "users" }))["count"]);
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

describe("a server of --json-replica keeps its documents if it", () => {
  for (const [trouble, cause] of Object.entries(troubles)) {
    test(`${trouble} when the other daemon starts`, { timeout: 300_000 }, async () => {
      const ports = [await freePort(), await freePort(), await freePort()] as const;
      const [first, second, admin] = ports;
      await using _first = await Original.start(first, []);
      using source = await RawClient.open(first);
      await ask(source, { action: "create", document: "users" });
      const data = Array.from({ length: ENTRIES }, (_, number) => ({ name: `user ${number}` }));
      await ask(source, { action: "insert", document: "users", data });
      assert.equal(await count(first), ENTRIES);

      await using gate = await CuttablePort.open(() => first);
      cause(gate);
      const replica = ["--json-replica", gate.address, "--json-replica-timeout", "1s"];
      await using _second = await startDaemon([
        "--json",
        String(second),
        ...replica,
        "--admin",
        String(admin),
      ]);
      // The daemon may serve its clients, refuse them, or not listen yet.
      const writing = (async () => {
        using line = await RawClient.open(second);
        await ask(line, { action: "create", document: "users" });
        await ask(line, { action: "insert", document: "users", data: [{ name: "late" }] });
      })().catch(() => {});
      await within(WRITE_MS, writing);
      const health = await healthOf(admin).catch(() => 0);

      gate.release();
      await within(WRITE_MS, writing);
      const arrives = until("the documents arrive", async () => (await count(second)) >= ENTRIES, {
        ms: 30_000,
        mayFail: true,
      });
      await arrives.catch(() => {});
      await pause(REMOVAL_MS);
      const [inFirst, inSecond] = [await count(first), await count(second)];
      assert.ok(
        inFirst >= ENTRIES,
        `the first server has ${inFirst} of ${ENTRIES} entries, the second one ${inSecond}`,
      );
      assert.ok(inSecond >= ENTRIES, `the second daemon has ${inSecond} of ${ENTRIES} entries`);
      assert.notEqual(health, 200, "a daemon that has not fetched the documents is not ready");
    });
  }
});
