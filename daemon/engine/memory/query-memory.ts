/** The limits of the memory of queries: --work-memory, or a share of the smallest limit that the process has. */
import { totalmem } from "node:os";
import type { Limits } from "../../options/limits.js";
import type { WorkingMemoryLimits } from "../backends/working-memory.js";
import { HeapGauge } from "./heap-gauge.js";

/** The share of the memory that queries may use. */
const WORK_MEMORY_SHARE = 1 / 4;
/** The minimum default; one query may hold half of it. */
const WORK_MEMORY_BYTES_MIN = 64 * 1024 * 1024;
/**
 * The maximum default. It is enough for the longest permitted join. With the garbage of queries and with unread
 * answers, all clients together use at most about 600 MiB.
 */
const WORK_MEMORY_BYTES_MAX = 384 * 1024 * 1024;

/** Returns the limits of the working memory of queries: the size that --work-memory states, or a default. */
export function workingMemoryLimits({ workMemory, workWait, maxmemory }: Limits): WorkingMemoryLimits {
  return { bytes: workMemory > 0 ? workMemory : defaultBytes(maxmemory), wait: workWait };
}

/** @param maxmemory  the limit in bytes, or 0 if there is none */
function defaultBytes(maxmemory: number): number {
  // Objects of queries are in the heap. The memory of a container may be less than the machine's.
  const sizes = [totalmem(), process.constrainedMemory(), new HeapGauge().heapMax, maxmemory];
  const least = sizes.reduce((min, size) => (size > 0 && size < min ? size : min), Number.POSITIVE_INFINITY);
  const share = Math.min(WORK_MEMORY_BYTES_MAX, Math.floor(least * WORK_MEMORY_SHARE));
  return Math.max(WORK_MEMORY_BYTES_MIN, share);
}
