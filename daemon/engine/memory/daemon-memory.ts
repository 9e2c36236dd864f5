/** Creates a daemon's memory limit from its settings. */
import type { Logger } from "pino";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import { hasTimeline, type Settings } from "../../options/settings.js";
import type { Backend } from "../backends/backend.js";
import { MemoryBackend } from "../backends/memory-backend.js";
import { WorkingMemory } from "../backends/working-memory.js";
import { HeapGauge } from "./memory-gauge.js";
import { MemoryLimit } from "./memory-limit.js";
import { workingMemoryLimits } from "./working-memory-size.js";

/**
 * The spare memory that V8 needs to avoid continual garbage collections, as a fraction of the memory of live objects.
 */
const V8_SPARE = 1 / 4;
const MIB = 1024 * 1024;

export function makeMemoryLimit(
  settings: Settings,
  backends: readonly Backend[],
  environment: Environment,
  log: Logger,
): MemoryLimit {
  const { maxmemoryPolicy: policy, limits } = settings;
  const { maxmemory: bytes } = limits;
  const gauge = new HeapGauge();
  const needed = bytes * (1 + V8_SPARE);
  if (needed > gauge.heapMax) {
    const facts = { maxmemory: bytes, heapLimit: gauge.heapMax };
    log.warn(facts, `${TOO_SMALL} NODE_OPTIONS=--max-old-space-size=${Math.ceil(needed / MIB)}`);
  }
  const [backend] = backends;
  // Do not evict the keys of a timeline, because they must be the same on all daemons.
  const database = backend instanceof MemoryBackend && !hasTimeline(settings) ? backend.database : null;
  const working = new WorkingMemory(environment, workingMemoryLimits(limits));
  for (const one of backends as readonly (Backend & { workingMemory?: WorkingMemory })[])
    if (one.workingMemory !== undefined) one.workingMemory = working;
  return new MemoryLimit({ bytes, policy }, database, gauge, environment, working);
}

const TOO_SMALL =
  "V8's heap is smaller than --maxmemory requires, so the daemon would crash first: start it with the environment variable";
