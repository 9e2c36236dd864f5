/** The size of the working memory of queries, if --work-memory does not state it. */
import { totalmem } from "node:os";
import type { Limits } from "../../options/limits.js";
import type { WorkingMemoryLimits } from "../backends/working-memory.js";
import { HeapGauge } from "./memory-gauge.js";

/** The part of the memory that queries may use. */
const PART = 1 / 4;
/** The least default, with which one query may hold half as much. */
const BYTES_MIN = 64 * 1024 * 1024;

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
