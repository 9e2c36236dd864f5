/** Tests WebAssembly modules whose loops call a check in each iteration. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { withLoopChecks } from "../../../scripts/load-lua.js";
import { compiled, instantiated } from "../../../scripts/lua/lua-exports.js";

const HEAD = [0, 0x61, 0x73, 0x6d, 1, 0, 0, 0];
const section = (id: number, content: readonly number[]) => [id, content.length, ...content];
const text = (name: string) => [name.length, ...Buffer.from(name)];

/** Returns a module that imports `env.asked`, and exports `run` with these instructions and one global variable. */
const moduleOf = (instructions: readonly number[]) => {
  const body = [0, ...instructions, 0x0b];
  return Uint8Array.from([
    ...HEAD,
    ...section(1, [2, 0x60, 0, 1, 0x7c, 0x60, 0, 0]),
    ...section(2, [1, ...text("env"), ...text("asked"), 0, 0]),
    ...section(3, [1, 1]),
    ...section(6, [1, 0x7f, 1, 0x41, 0, 0x0b]),
    ...section(7, [1, ...text("run"), 0, 1]),
    ...section(10, [1, body.length, ...body]),
  ]);
};

function run(bytes: Uint8Array, asked: () => number): void {
  (instantiated(compiled(bytes), { env: { asked } }) as { run(): void }).run();
}

test("an endless loop calls the check repeatedly, and ends when the check throws", () => {
  let times = 0;
  const endless = moduleOf([0x03, 0x40, 0x0c, 0, 0x0b]);
  const asked = () => {
    times++;
    if (times === 3) throw new Error("enough");
    return 0;
  };
  assert.throws(() => run(withLoopChecks(endless, "asked"), asked), /enough/);
  assert.equal(times, 3);
});

test("code without loops stays unchanged", () => {
  let times = 0;
  // The code has a number that looks like the opcode of a loop, a number of several bytes, and a branch table.
  const plain = moduleOf([0x41, 3, 0x1a, 0x42, 0x83, 0x03, 0x1a, 0x02, 0x40, 0x41, 0, 0x0e, 1, 0, 0, 0x0b]);
  run(withLoopChecks(plain, "asked"), () => ++times);
  assert.equal(times, 0);
});

test("a module that cannot be parsed, or does not import the function, is refused", () => {
  assert.throws(() => withLoopChecks(moduleOf([0xfd, 0]), "asked"), /unknown WebAssembly instruction: 253/);
  assert.throws(() => withLoopChecks(moduleOf([]), "another"), /does not import/);
  assert.throws(() => withLoopChecks(moduleOf([0x01, 0x01]).subarray(0, -2), "asked"), /too early/);
});
