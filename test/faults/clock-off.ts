/**
 * dbsyncd with a clock that can be off by CLOCK_OFF_MS milliseconds, as its machine's would be: at once, and each SIGUSR2
 * sets it right or wrong again. With CLOCK_IS_RIGHT it begins right.
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
