/** Daemons whose live memory, or turns and CPU time, can be asked for at any time. */
import { join } from "node:path";
import { createInterface } from "node:readline";
import { buildRoot } from "../test/support/repository.js";
import type { MemoryProbe } from "./memory-probe.js";
import { type Server, startDaemon } from "./processes.js";
import type { TurnProbe } from "./turn-probe.js";

const preloaded = (name: string) => ["--import", join(buildRoot, `bench/${name}.js`)];

export function startProbed(args: readonly string[]): Promise<Server> {
  return startDaemon(args, ["--expose-gc", ...preloaded("memory-probe")]);
}

/** Of a daemon that was started so. */
export function probeOf(server: Server): Promise<MemoryProbe> {
  return asked(server, "probe");
}

export function startTimed(args: readonly string[]): Promise<Server> {
  return startDaemon(args, preloaded("turn-probe"));
}

/** Of a daemon that was started so: since the last time that this was asked. */
export function turnsOf(server: Server): Promise<TurnProbe> {
  return asked(server, "turns");
}

function asked<Answer>({ process: child }: Server, name: string): Promise<Answer> {
  const lines = createInterface({ input: child.stdout as NodeJS.ReadableStream });
  return new Promise((resolve) => {
    lines.on("line", (line) => {
      const { [name]: answer } = JSON.parse(line) as Record<string, Answer | undefined>;
      if (answer === undefined) return;
      lines.close();
      resolve(answer);
    });
    child.kill("SIGUSR2");
  });
}
