/** Tests that the background work of all components shares the turns of the event loop. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BackgroundWork } from "../../../../daemon/net/process/background-work.js";

/** An event loop with a clock that the steps advance. */
class SimulatedLoop {
  now = 0;
  readonly deferred: (() => void)[] = [];
  readonly work = new BackgroundWork({
    uptime: () => this.now,
    defer: (run) => void this.deferred.push(run),
  });
  /** The names of the steps that the current turn has run. */
  readonly ran: string[] = [];

  /** Adds a step that takes `ms` milliseconds. @param action  called at the end of the step */
  addStep(name: string, ms: number, action: () => void = () => {}): void {
    this.work.soon(() => {
      this.ran.push(name);
      this.now += ms;
      action();
    });
  }

  /** Runs one turn. @returns the names of the steps that it ran */
  runTurn(): readonly string[] {
    for (const run of this.deferred.splice(0)) run();
    return this.ran.splice(0);
  }
}

test("short steps share a turn, and a long step ends the turn", () => {
  const loop = new SimulatedLoop();
  for (const [name, ms] of [
    ["a", 0],
    ["b", 1],
    ["c", 5],
    ["d", 0],
    ["e", 0],
  ] as const)
    loop.addStep(name, ms);
  assert.deepEqual(loop.runTurn(), ["a", "b", "c"]);
  assert.deepEqual(loop.runTurn(), ["d", "e"]);
  assert.deepEqual(loop.deferred, []);
});

test("a step that another step adds runs in a later turn, after all steps that were added earlier", () => {
  const loop = new SimulatedLoop();
  loop.addStep("a", 5, () => loop.addStep("again", 0));
  loop.addStep("b", 0);
  assert.deepEqual(loop.runTurn(), ["a"]);
  assert.deepEqual(loop.runTurn(), ["b", "again"]);
  loop.addStep("c", 0, () => loop.addStep("then", 0));
  assert.deepEqual(loop.runTurn(), ["c"]);
  assert.deepEqual(loop.runTurn(), ["then"]);
});

test("long work ends a turn, and continues after the steps that were already waiting", () => {
  const loop = new SimulatedLoop();
  loop.work.add(
    (function* () {
      for (const name of ["one", "two", "three"]) {
        loop.ran.push(name);
        loop.now += 1;
        yield;
      }
    })(),
  );
  loop.addStep("a", 0);
  assert.deepEqual(loop.runTurn(), ["one", "two"]);
  assert.deepEqual(loop.runTurn(), ["a", "three"]);
  assert.deepEqual(loop.runTurn(), []);
});

test("clear discards waiting steps, and work that is waiting for a promise", async () => {
  const loop = new SimulatedLoop();
  loop.work.add(
    (function* () {
      loop.ran.push("one");
      yield Promise.resolve();
      loop.ran.push("two");
    })(),
  );
  assert.deepEqual(loop.runTurn(), ["one"]);
  loop.addStep("a", 0);
  loop.work.clear();
  await Promise.resolve();
  assert.deepEqual(loop.runTurn(), []);
  loop.addStep("b", 0);
  assert.deepEqual(loop.runTurn(), ["b"]);
});
