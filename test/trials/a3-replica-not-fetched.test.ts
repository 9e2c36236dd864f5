/**
 * Trial A3. A daemon with --json-replica that cannot fetch the other server's documents at its start is not ready,
 * and removes nothing there when it can reach that server at last, whatever its own clients wrote earlier.
 */
import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { Original } from "../listeners/json/original.js";
import { startDaemon } from "../support/daemon-process.js";
import { freePort } from "../support/free-port.js";
import { Gate } from "./gate.js";
import { JsonLine } from "./json-line.js";
import { pause, until, within } from "./scene.js";

const ENTRIES = 100;
/** Milliseconds that a write of the second daemon's client may take while the first server is away. */
const WRITE_MS = 8_000;

async function count(port: number): Promise<number> {
  using line = await JsonLine.open(port);
  return Number((await line.ask({ action: "count", document: "users" }))["count"]);
}

async function healthOf(port: number): Promise<number> {
  return (await fetch(`http://127.0.0.1:${port}/healthz`)).status;
}

const troubles: Readonly<Record<string, (gate: Gate) => void>> = {
  "refuses connections": (gate) => gate.shut(),
  "accepts connections and says nothing": (gate) => gate.hold(),
};

describe("a server of --json-replica that, at the other daemon's start,", () => {
  for (const [trouble, cause] of Object.entries(troubles)) {
    test(`${trouble} keeps its documents`, { timeout: 300_000 }, async () => {
      const ports = [await freePort(), await freePort(), await freePort()] as const;
      const [first, second, admin] = ports;
      await using _first = await Original.start(first, []);
      using source = await JsonLine.open(first);
      await source.ask({ action: "create", document: "users" });
      const data = Array.from({ length: ENTRIES }, (_, number) => ({ name: `user ${number}` }));
      await source.ask({ action: "insert", document: "users", data });
      assert.equal(await count(first), ENTRIES);

      await using gate = await Gate.open(() => first);
      cause(gate);
      const replica = ["--json-replica", gate.address, "--json-replica-timeout", "1s"];
      await using _second = await startDaemon([
        "--json",
        String(second),
        ...replica,
        "--admin",
        String(admin),
      ]);
      // A daemon may serve its clients, refuse them, or not listen yet.
      const writing = (async () => {
        using line = await JsonLine.open(second);
        await line.ask({ action: "create", document: "users" });
        await line.ask({ action: "insert", document: "users", data: [{ name: "late" }] });
      })().catch(() => {});
      await within(WRITE_MS, writing);
      const health = await healthOf(admin).catch(() => 0);

      gate.release();
      await within(WRITE_MS, writing);
      const arrives = until("the documents arrive", async () => (await count(second)) >= ENTRIES, 30_000);
      await arrives.catch(() => {});
      await pause(1_000);
      const [kept, here] = [await count(first), await count(second)];
      assert.ok(
        kept >= ENTRIES,
        `the first server has ${kept} of ${ENTRIES} entries, the second one ${here}`,
      );
      assert.ok(here >= ENTRIES, `the second daemon has ${here} of ${ENTRIES} entries`);
      assert.notEqual(health, 200, "a daemon that has not fetched the documents is not ready");
    });
  }
});
