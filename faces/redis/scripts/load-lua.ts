/**
 * Finds the package that contains Lua and compiles it, when the first script runs. Compiling takes a few milliseconds.
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { withLoopChecks } from "./lua/loop-checks.js";
import { METER } from "./lua/lua-machine.js";
import { compiled } from "./lua/web-assembly.js";
import { ScriptEngine } from "./script-engine.js";

const FILE = "wasmoon-lua5.1/dist/liblua5.1.wasm";

/** @returns null if the package is not installed */
export function loadEngine(uptime: () => number): ScriptEngine | null {
  let path: string;
  try {
    path = createRequire(import.meta.url).resolve(FILE);
  } catch {
    return null;
  }
  return new ScriptEngine(compiled(withLoopChecks(readFileSync(path), METER)), uptime);
}
