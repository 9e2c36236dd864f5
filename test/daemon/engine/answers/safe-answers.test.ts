/** Tests when an answer to a read is safe, with a state whose disk the test controls. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { whenSafe } from "../../../../daemon/engine/answers/safe-answers.js";

const lost = (reason: string) => `lost: ${reason}`;

test("an answer is returned immediately if nothing that it shows waits for the disk", async () => {
  const state = { flushing: null, undone: 0 };
  assert.equal(whenSafe(state, "read", lost), "read");
  assert.equal(await whenSafe(state, Promise.resolve("read"), lost), "read");
});

test("an answer waits for the disk as it is when the read is complete", async () => {
  let resolve: () => void = () => {};
  const promise = new Promise<void>((yes) => (resolve = yes));
  const state: { flushing: Promise<void> | null; undone: number } = { flushing: null, undone: 0 };
  let answer = "";
  const safe = Promise.resolve(whenSafe(state, Promise.resolve("read"), lost)).then((one) => (answer = one));
  state.flushing = promise;
  await new Promise((next) => setImmediate(next));
  assert.equal(answer, "");
  resolve();
  assert.equal(await safe, "read");
});

test("a read that saw a state that was undone before it was complete is lost", async () => {
  const state: { flushing: Promise<void> | null; undone: number } = { flushing: null, undone: 0 };
  let resolve: (answer: string) => void = () => {};
  const promise = new Promise<string>((yes) => (resolve = yes));
  const safe = whenSafe(state, promise, lost);
  state.undone++;
  resolve("read");
  assert.match(await safe, /^lost: the disk has failed/);
  assert.equal(await whenSafe(state, Promise.resolve("a later read"), lost), "a later read");
  state.flushing = Promise.reject(new Error("full"));
  assert.equal(await whenSafe(state, "read", lost), "lost: full");
});
