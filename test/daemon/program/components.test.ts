/** Tests the order in which components are started, stopped and reconfigured. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { realEnvironment } from "../../../daemon/net/process/clock-and-randomness.js";
import type { Settings } from "../../../daemon/options/settings.js";
import { Components } from "../../../daemon/program/components.js";
import type { Health } from "../../../daemon/program/inspection/inspected-daemon.js";

const settings = {} as Settings;
const health: Health = { version: "", state: "live", backends: [] };

function makeComponents(): Components {
  return new Components({ settings, health, condition: { state: "live", reason: "" } }, realEnvironment);
}

test("components start one after the other in the order of registration, and stop in reverse order", async () => {
  const components = makeComponents();
  const events: string[] = [];
  const note = (event: string) =>
    new Promise<void>((resolve) => setImmediate(() => resolve(void events.push(event))));
  for (const name of ["a", "b", "c"])
    components.add({
      service: { start: () => note(`${name} started`), stop: () => note(`${name} stopped`) },
    });
  await components.start();
  await components.stop();
  assert.deepEqual(events, ["a started", "b started", "c started", "c stopped", "b stopped", "a stopped"]);
});

test("settings that one component refuses change no component", async () => {
  const components = makeComponents();
  const applied: string[] = [];
  let problem: Error | null = new Error("no such certificate");
  components.add({ reload: () => () => void applied.push("users") });
  components.add({
    reload() {
      if (problem !== null) throw problem;
      return () => void applied.push("certificate");
    },
  });
  await assert.rejects(components.reload(settings), problem);
  assert.deepEqual(applied, []);
  problem = null;
  await components.reload(settings);
  assert.deepEqual(applied, ["users", "certificate"]);
});

test("the figures of a component are reported once it is registered", () => {
  const components = makeComponents();
  const { figures } = components;
  assert.equal(figures.members(), null);
  components.add({ figures: { members: () => 2 } });
  assert.equal(figures.members(), 2);
  assert.equal(figures.health(), health);
});
