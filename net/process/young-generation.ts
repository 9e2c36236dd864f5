/**
 * Keeps the engine's young generation small, where objects are until they have survived twice. By itself it grows to
 * 16 MiB, and collecting it while most objects stay, as when keys are set, stops all clients for 10 ms and more; a
 * quarter of it takes as much work in all, in steps of 2 ms.
 */
import { PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** Bytes at which it no longer grows; the engine doubles it, from 1 MiB on, and reports a little less than it is. */
const ENOUGH_BYTES = 3.5 * 1024 * 1024;
/** @param options  of the engine; one about this size is left alone */
export function boundYoungGeneration(options: string): void {
  if (options.includes("semi-space")) return;
  let grows = true;
  const look = () => {
    // The engine makes it smaller when there is little to do.
    if (grows === youngBytes() < ENOUGH_BYTES) return;
    grows = !grows;
    setFlagsFromString(`--semi-space-growth-factor=${grows ? 2 : 1}`);
  };
  // Its size changes only then. A timer would find 8 MiB at a busy daemon.
  new PerformanceObserver(look).observe({ entryTypes: ["gc"] });
}

/** Returns the bytes of new objects before they are collected. */
export function youngBytes(): number {
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  return space === undefined ? 0 : space.space_used_size + space.space_available_size;
}
