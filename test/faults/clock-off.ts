/**
 * Runs dbsyncd with a clock that is off by CLOCK_OFF_MS milliseconds, as if its machine's were: from the start, and
 * each SIGUSR2 corrects it or sets it wrong again. With CLOCK_IS_RIGHT it starts correct.
 */
import { pathToFileURL } from "node:url";
import { programPaths } from "../support/programs.js";

const right = Date.now;
const off = Number(process.env["CLOCK_OFF_MS"] ?? 0);
let isOff = process.env["CLOCK_IS_RIGHT"] === undefined;

Date.now = () => right() + (isOff ? off : 0);
process.on("SIGUSR2", () => {
  isOff = !isOff;
});
await import(pathToFileURL(programPaths.dbsyncd).href);
