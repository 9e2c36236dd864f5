/** Daemons whose live memory can be read at any time. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buildRoot } from "../test/support/repository.js";
import type { MemoryProbe } from "./memory-probe.js";
import { type Server, startDaemon } from "./processes.js";

const PROBE = join(buildRoot, "bench/memory-probe.js");

export function startProbed(args: readonly string[]): Promise<Server> {
  return startDaemon(args, ["--expose-gc", "--import", PROBE]);
}

/** Collects garbage in a daemon that `startProbed` started, and returns its memory. */
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
