/** Tests that waiting work shares the turns of the event loop. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { BackgroundWork } from "../../../../daemon/net/process/background-work.js";

class Loop {
  now = 0;
  readonly deferred: (() => void)[] = [];
  readonly turns = new BackgroundWork({
    uptime: () => this.now,
    defer: (run) => void this.deferred.push(run),
  });
  readonly done: string[] = [];

  /** Adds a step that takes `ms` milliseconds. @param then  the step's action */
  step(name: string, ms: number, then: () => void = () => {}): void {
    this.turns.soon(() => {
      this.done.push(name);
      this.now += ms;
      then();
    });
  }

  /** Runs one turn. @returns the steps that it ran */
  turn(): readonly string[] {
    for (const run of this.deferred.splice(0)) run();
    return this.done.splice(0);
  }
}

test("short steps share a turn, and a long step ends the turn", () => {
  const loop = new Loop();
  for (const [name, ms] of [
    ["a", 0],
    ["b", 1],
    ["c", 5],
    ["d", 0],
    ["e", 0],
  ] as const)
    loop.step(name, ms);
  assert.deepEqual(loop.turn(), ["a", "b", "c"]);
  assert.deepEqual(loop.turn(), ["d", "e"]);
  assert.deepEqual(loop.deferred, []);
});

test("a step that another step adds runs in a later turn, after all steps that were added earlier", () => {
  const loop = new Loop();
  loop.step("a", 5, () => loop.step("again", 0));
  loop.step("b", 0);
  assert.deepEqual(loop.turn(), ["a"]);
  assert.deepEqual(loop.turn(), ["b", "again"]);
  loop.step("c", 0, () => loop.step("then", 0));
  assert.deepEqual(loop.turn(), ["c"]);
  assert.deepEqual(loop.turn(), ["then"]);
});

test("long work ends a turn, and continues after the steps that were already waiting", () => {
  const loop = new Loop();
  loop.turns.add(
    (function* () {
      for (const name of ["one", "two", "three"]) {
        loop.done.push(name);
        loop.now += 1;
        yield;
      }
    })(),
  );
  loop.step("a", 0);
  assert.deepEqual(loop.turn(), ["one", "two"]);
  assert.deepEqual(loop.turn(), ["a", "three"]);
  assert.deepEqual(loop.turn(), []);
});

test("clear discards waiting steps, and work that is waiting for a promise", async () => {
  const loop = new Loop();
  loop.turns.add(
    (function* () {
      loop.done.push("one");
      yield Promise.resolve();
      loop.done.push("two");
    })(),
  );
  assert.deepEqual(loop.turn(), ["one"]);
  loop.step("a", 0);
  loop.turns.clear();
  await Promise.resolve();
  assert.deepEqual(loop.turn(), []);
  loop.step("b", 0);
  assert.deepEqual(loop.turn(), ["b"]);
});
