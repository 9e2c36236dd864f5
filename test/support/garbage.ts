/** Measures the memory in use, for tests of memory limits. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");

/** Runs a complete garbage collection. */
export const collectGarbage = runInNewContext("gc") as () => void;

/** Collects garbage. @returns the number of bytes in use, in the heap and in buffers */
export function bytesInUse(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
