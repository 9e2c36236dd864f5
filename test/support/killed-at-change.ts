/**
 * Kills its own process with SIGKILL before the KILLED_AT-th change of the file system. A program that is started with
 * `--import` of this module ends there. What it has written before remains, even if it is not synced to the disk.
 */
import fs from "node:fs";
import { syncBuiltinESMExports } from "node:module";

/** The functions whose calls are counted as changes. */
const CHANGES = [
  "fsyncSync",
  "linkSync",
  "mkdirSync",
  "renameSync",
  "rmSync",
  "unlinkSync",
  "writeFileSync",
  "writeSync",
] as const;

const killedAt = Number(process.env["KILLED_AT"]);
let changes = 0;

for (const name of CHANGES) {
  const change = fs[name] as (...argv: unknown[]) => unknown;
  const counted = (...argv: unknown[]): unknown => {
    if (++changes === killedAt) process.kill(process.pid, "SIGKILL");
    return change.apply(fs, argv);
  };
  Object.assign(fs, { [name]: counted });
}
syncBuiltinESMExports();
