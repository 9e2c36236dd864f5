/** Makes a daemon's memory limit from its settings. */
import type { Logger } from "pino";
import type { Environment } from "../../net/process/environment.js";
import { hasTimeline, type Settings } from "../../options/settings.js";
import type { Backend } from "../backends/backend.js";
import { MemoryBackend } from "../backends/memory.js";
import { HeapGauge } from "./memory-gauge.js";
import { MemoryLimit } from "./memory-limit.js";

/** The memory that V8 needs in addition to live objects, as a share of them, to avoid collecting all the time. */
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
  const wanted = bytes * (1 + V8_SPARE);
  if (wanted > gauge.most) {
    const facts = { maxmemory: bytes, heapLimit: gauge.most };
    log.warn(facts, `${TOO_SMALL} NODE_OPTIONS=--max-old-space-size=${Math.ceil(wanted / MIB)}`);
  }
  const [backend] = backends;
  // A timeline's keys are the same on all daemons, and cannot be evicted on one.
  const database = backend instanceof MemoryBackend && !hasTimeline(settings) ? backend.database : null;
  return new MemoryLimit({ bytes, policy }, database, gauge, environment);
}

const TOO_SMALL =
  "V8's heap ends before --maxmemory is reached, and the daemon with it: start it with the environment variable";
