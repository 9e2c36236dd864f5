/** Starts daemons with a probe, through which a benchmark can read their memory usage at any time. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buildRoot } from "../test/support/repository.js";
import type { MemoryProbe } from "./memory-probe.js";
import { type FaceServer, type Server, startFace } from "./processes.js";

const PROBE = join(buildRoot, "bench/memory-probe.js");

/** Starts a daemon with --resp and a probe. */
export const startProbed = (...args: readonly string[]): Promise<FaceServer> =>
  startFace("resp", args, ["--expose-gc", "--import", PROBE]);

/** Returns the memory usage of a daemon from `startProbed` after a garbage collection. */
export function probeOf({ process: child }: Server): Promise<MemoryProbe> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  return new Promise((resolve) => {
    lines.on("line", (line) => {
      const { probe } = JSON.parse(line) as { readonly probe?: MemoryProbe };
      if (probe === undefined) return;
      lines.close();
      resolve(probe);
    });
    child.kill("SIGUSR2");
  });
}
