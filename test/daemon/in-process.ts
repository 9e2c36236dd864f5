/** A listener and its pipeline in the test's own process, around backends that the test can reach. */
import { pino } from "pino";
import type { Backend } from "../../daemon/backends/backend.js";
import { type Environment, realEnvironment } from "../../daemon/environment.js";
import { loadVerifier } from "../../daemon/key-verifier.js";
import { LIMITS, type LimitName, type Limits } from "../../daemon/limits.js";
import { DbsyncV1Listener } from "../../daemon/listeners/dbsync-v1.js";
import { Pipeline } from "../../daemon/pipeline.js";
import type { LogLine } from "../support/daemon-process.js";

export const defaultLimits: Limits = Object.fromEntries(
  Object.entries(LIMITS).map(([name, row]) => [name, row.fallback]),
) as Record<LimitName, number>;

export interface InProcessOptions {
  readonly backends: readonly Backend[];
  readonly keys?: readonly string[];
  readonly limits?: Partial<Limits>;
  readonly closeAfterAnswer?: boolean;
  readonly environment?: Environment;
}

export interface InProcessDaemon extends AsyncDisposable {
  readonly port: number;
  readonly log: readonly LogLine[];
}

/** Starts backends and listener; both are stopped when it is disposed of. */
export async function startInProcess(options: InProcessOptions): Promise<InProcessDaemon> {
  const {
    backends,
    keys = [],
    limits = {},
    closeAfterAnswer = false,
    environment = realEnvironment,
  } = options;
  const lines: LogLine[] = [];
  const formatters = { level: (level: string) => ({ level }) };
  const log = pino(
    { level: "debug", base: null, formatters },
    { write: (line) => lines.push(JSON.parse(line)) },
  );
  const pipeline = new Pipeline({ backends, verifier: await loadVerifier(keys, log), environment });
  const listener = new DbsyncV1Listener({
    address: "127.0.0.1",
    port: 0,
    closeAfterAnswer,
    limits: { ...defaultLimits, ...limits },
    ...{ pipeline, environment, log },
  });
  for (const backend of backends) await backend.start();
  await listener.start();
  return {
    port: listener.address.port,
    log: lines,
    async [Symbol.asyncDispose]() {
      await listener.stop();
      for (const backend of backends) await backend.stop();
    },
  };
}
