/** Creates a daemon's memory limit from its settings. */

import { totalmem } from "node:os";
import type { Logger } from "pino";
import type { Environment } from "../../net/process/clock-and-randomness.js";
import type { Limits } from "../../options/limits.js";
import { hasTimeline, isOwnMemory, type Settings } from "../../options/settings.js";
import type { Backend } from "../backends/backend.js";
import type { MemoryBackend } from "../backends/memory-backend.js";
import { WorkingMemory, type WorkingMemoryLimits } from "../backends/working-memory.js";
import { HeapGauge } from "./memory-gauge.js";
import { MemoryLimit } from "./memory-limit.js";

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
  const isEvicted = isOwnMemory(settings) && !hasTimeline(settings);
  const database = isEvicted ? (backend as MemoryBackend).database : null;
  const working = new WorkingMemory(environment, workingMemoryLimits(limits));
  for (const one of backends as readonly (Backend & { workingMemory?: WorkingMemory })[])
    if (one.workingMemory !== undefined) one.workingMemory = working;
  return new MemoryLimit({ bytes, policy }, database, gauge, environment, working);
}

const TOO_SMALL =
  "V8's heap is smaller than --maxmemory requires, so the daemon would crash first: start it with the environment variable";

/** The part of the memory that queries may use. */
const PART = 1 / 4;
/** The least default, with which one query may hold half as much. */
const BYTES_MIN = 64 * 1024 * 1024;

/** The size of the working memory of queries, if --work-memory does not state it. */
export function workingMemoryLimits({ workMemory, workWait, maxmemory }: Limits): WorkingMemoryLimits {
  return { bytes: workMemory > 0 ? workMemory : defaultBytes(maxmemory), wait: workWait };
}

/** @param maxmemory  the limit in bytes, or 0 if there is none */
function defaultBytes(maxmemory: number): number {
  // Objects of queries are in the heap. The memory of a container may be less than the machine's.
  const sizes = [totalmem(), process.constrainedMemory(), new HeapGauge().heapMax, maxmemory];
  const least = sizes.reduce((min, size) => (size > 0 && size < min ? size : min), Number.POSITIVE_INFINITY);
  return Math.max(BYTES_MIN, Math.floor(least * PART));
}
