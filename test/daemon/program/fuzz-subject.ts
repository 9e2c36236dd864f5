/** Runs dbsyncd with --expose-gc: on SIGUSR2 it collects garbage and prints the bytes that stay resident. */

import { pathToFileURL } from "node:url";
import { setFlagsFromString } from "node:v8";
import { programPaths } from "../../support/programs.js";

/**
 * V8's young generation grows from 8 to 32 MiB under load and keeps that size. It is empty after a collection, but
 * remains resident. A fixed size leaves only the daemon's own memory to measure.
 */
setFlagsFromString("--semi-space-growth-factor=1");

process.on("SIGUSR2", () => {
  globalThis.gc?.();
  globalThis.gc?.();
  const rss = process.memoryUsage.rss();
  process.stdout.write(`${JSON.stringify({ level: "info", msg: "memory", rss })}\n`);
});

await import(pathToFileURL(programPaths.dbsyncd).href);
