/** Tests that a daemon reads its configuration once at a time, however many SIGHUPs it receives. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { setImmediate as nextTurn } from "node:timers/promises";
import { SighupHandler } from "../../../../daemon/net/process/sighup.js";

/** A reload that the test ends. */
class HeldReload {
  begun = 0;
  #end: () => void = () => {};

  readonly reload = (): Promise<void> => {
    this.begun += 1;
    return new Promise((resolve) => {
      this.#end = resolve;
    });
  };

  async end(): Promise<void> {
    this.#end();
    await nextTurn();
  }
}

const hangUp = () => process.emit("SIGHUP", "SIGHUP");

test("a reload begins only after the one before, and one answers all signals that it missed", async () => {
  const held = new HeldReload();
  new SighupHandler().handle(held.reload);
  assert.equal(held.begun, 0);

  hangUp();
  await nextTurn();
  assert.equal(held.begun, 1);

  hangUp();
  hangUp();
  await nextTurn();
  assert.equal(held.begun, 1);

  await held.end();
  await nextTurn();
  assert.equal(held.begun, 2);
  await held.end();
  await nextTurn();
  assert.equal(held.begun, 2);

  hangUp();
  await nextTurn();
  assert.equal(held.begun, 3);
  await held.end();
});

test("a signal before the daemon can reload causes one reload", async () => {
  const held = new HeldReload();
  const handler = new SighupHandler();
  hangUp();
  hangUp();
  handler.handle(held.reload);
  await nextTurn();
  assert.equal(held.begun, 1);
  await held.end();
  await nextTurn();
  assert.equal(held.begun, 1);
});

test("the signals of one turn cause one reload, even if each reload takes no turn", async () => {
  let reloads = 0;
  new SighupHandler().handle(async () => void (reloads += 1));
  for (let i = 0; i < 5; i++) {
    hangUp();
    await Promise.resolve();
  }
  assert.equal(reloads, 0);
  await nextTurn();
  await nextTurn();
  assert.equal(reloads, 1);
});
