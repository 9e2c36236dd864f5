/**
 * Limits the engine's young generation, which holds objects until they have survived two collections. By default it
 * grows to 16 MiB. If most objects survive, for example while clients set keys, collecting it pauses all clients for
 * 10 ms or more. With a quarter of that size the total work is the same, but is done in steps of 2 ms.
 */
import { PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/**
 * The size in bytes at which the young generation stops growing. The engine doubles the size, starting at 1 MiB, and
 * reports slightly less than the actual size.
 */
const ENOUGH_BYTES = 3.5 * 1024 * 1024;
/**
 * Limits the young generation.
 * @param options  the engine's options; if they set this size, nothing is changed
 * @returns a function that sets the engine's flag as at the start, until the next collection
 */
export function boundYoungGeneration(options: string): () => void {
  if (options.includes("semi-space")) return () => undefined;
  let grows = true;
  const set = (wanted: boolean) => {
    if (grows === wanted) return;
    grows = wanted;
    setFlagsFromString(`--semi-space-growth-factor=${grows ? 2 : 1}`);
  };
  // Enable growth again if the young generation is small: the engine shrinks it while the process has little to do.
  const adjust = () => set(youngBytes() < ENOUGH_BYTES);
  // The size changes only during a collection. On a busy daemon, a timer would run too late and find 8 MiB.
  new PerformanceObserver(adjust).observe({ entryTypes: ["gc"] });
  return () => set(true);
}

/** Returns the size of the young generation in bytes. */
export function youngBytes(): number {
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  return space === undefined ? 0 : space.space_used_size + space.space_available_size;
}
