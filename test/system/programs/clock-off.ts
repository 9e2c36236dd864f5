/**
 * Runs dbsyncd with a clock that is wrong by CLOCK_OFF_MS milliseconds, like a machine with a wrong clock. Each
 * SIGUSR2 corrects the clock or makes it wrong again. SIGWINCH corrects it: two SIGUSR2 may arrive as one on a busy
 * machine. With CLOCK_IS_RIGHT the clock is correct at the start.
 */
import { pathToFileURL } from "node:url";
import { programPaths } from "../../support/programs.js";

const right = Date.now;
const off = Number(process.env["CLOCK_OFF_MS"] ?? 0);
let isOff = process.env["CLOCK_IS_RIGHT"] === undefined;

Date.now = () => right() + (isOff ? off : 0);
process.on("SIGUSR2", () => {
  isOff = !isOff;
});
process.on("SIGWINCH", () => {
  isOff = false;
});
await import(pathToFileURL(programPaths.dbsyncd).href);
