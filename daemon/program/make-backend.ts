/** Creates the backend that -d names, and loads only its modules. */

import type { BackendSpecification } from "../options/database-list.js";
import { USAGE_KIND_DEFAULT, usageKindOf } from "../options/eviction-policy.js";
import { isSigned } from "../options/settings.js";
import type { DaemonOptions } from "./core.js";
import { firstOf, type MadeBackend, missingFace } from "./face.js";
import type { Metrics } from "./inspection/metrics.js";
import { FACES } from "./installed-faces.js";

/** Creates a backend. @param metrics  count the answers of databases that outlive the daemon, or null to count none */
export async function makeBackend(
  specification: BackendSpecification,
  options: DaemonOptions,
  metrics: Metrics | null,
): Promise<MadeBackend> {
  if (specification.kind === "memory") return await makeMemory(options);
  const made = await firstOf(FACES, ({ makeBackend }) => makeBackend?.(specification, options));
  if (made === null) throw missingFace(`-d ${specification.kind}`);
  if (metrics === null || made.outliving === null) return made;
  const { TimedBackend } = await import("./timed-backend.js");
  return { ...made, backend: new TimedBackend(made.backend, metrics, options.environment) };
}

async function makeMemory({ settings, environment }: DaemonOptions): Promise<MadeBackend> {
  const { MemoryBackend } = await import("../engine/backends/memory-backend.js");
  // A daemon without keys need not reach the same state as other daemons. Expired keys are therefore removed
  // immediately, whatever the dates of envelopes are.
  const past = isSigned(settings) ? settings.window.past : 0;
  const usage = usageKindOf(settings.maxmemoryPolicy) ?? USAGE_KIND_DEFAULT;
  const backend = new MemoryBackend(environment, past, usage);
  backend.database.unitStepsMax = settings.limits.maxUnitSteps;
  return { backend, outliving: null };
}
