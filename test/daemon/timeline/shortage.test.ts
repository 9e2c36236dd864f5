/**
 * Tests that a daemon that runs out of memory during a command stops, instead of continuing without the command's
 * effect.
 */
import assert from "node:assert/strict";
import { test } from "node:test";
import { OutOfMemory } from "../../../daemon/store/keyspace/out-of-memory.js";
import { entry, Subject } from "./support/fold-subject.js";

/** Long enough that a string is changed in a separate buffer. */
const LONG = "x".repeat(70_000);

/** Errors of the engine and its library when memory is exhausted. */
const shortages: readonly Error[] = [
  new RangeError("Array buffer allocation failed"),
  Object.assign(new Error("Failed to allocate memory"), { code: "ERR_MEMORY_ALLOCATION_FAILED" }),
];

for (const problem of shortages) {
  test(`a fold breaks off if memory is exhausted: ${problem.message}`, (t) => {
    for (const fields of [{}, { multi: true }]) {
      const subject = new Subject();
      subject.merge(entry("a", 1, [["SET", "k", LONG]]));
      const failing = t.mock.method(Buffer, "allocUnsafeSlow", () => {
        throw problem;
      });
      assert.throws(() => subject.merge(entry("b", 2, ["SETRANGE k 5 y"], fields)), OutOfMemory);
      failing.mock.restore();
    }
  });
}

test("an operation that no engine supports is an error of the command, on all daemons", (t) => {
  const subject = new Subject();
  subject.merge(entry("a", 1, [["SET", "k", LONG]]));
  const fails = (): never => {
    throw new RangeError("Invalid string length");
  };
  t.mock.method(Buffer, "allocUnsafeSlow", fails, { times: 1 });
  assert.deepEqual(subject.replies(entry("b", 2, ["SETRANGE k 5 y"])), [
    '-"ERR internal error, and nothing was changed"',
  ]);
  assert.equal(subject.ask("GETRANGE k 5 5"), '"x"');
});
