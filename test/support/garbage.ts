/** Measures memory in use, for tests of bounds. */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");

/** Collects all garbage. */
export const collectGarbage = runInNewContext("gc") as () => void;

/** Returns the bytes in use, in the heap and in buffers. */
export function bytesInUse(): number {
  collectGarbage();
  const { heapUsed, arrayBuffers } = process.memoryUsage();
  return heapUsed + arrayBuffers;
}
