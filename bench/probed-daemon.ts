/** Starts daemons with a probe, through which a benchmark can read their memory usage or other figures at any time. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buildRoot } from "../test/support/repository.js";
import type { MemoryProbe } from "./memory-probe.js";
import { type Server, startDaemon } from "./processes.js";

const PROBE = join(buildRoot, "bench/memory-probe.js");

export function startProbed(args: readonly string[]): Promise<Server> {
  return startDaemon(args, ["--expose-gc", "--import", PROBE]);
}

/**
 * Returns the figures from a daemon's probe. For a daemon from `startProbed`, they are its memory usage after a garbage
 * collection.
 */
export function probeOf<Figures = MemoryProbe>({ process: child }: Server): Promise<Figures> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  return new Promise((resolve) => {
    lines.on("line", (line) => {
      const { probe } = JSON.parse(line) as { readonly probe?: Figures };
      if (probe === undefined) return;
      lines.close();
      resolve(probe);
    });
    child.kill("SIGUSR2");
  });
}
