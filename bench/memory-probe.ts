/**
 * Loaded into a daemon before its own program (node --expose-gc --import): on SIGUSR2 it collects garbage and prints a
 * line of JSON.
 */

export interface MemoryProbe {
  /** Bytes of live objects and buffers. */
  readonly used: number;
  /** Resident bytes of the process, after the collection and before it. */
  readonly resident: number;
  readonly residentBefore: number;
}

process.on("SIGUSR2", () => {
  const { rss: residentBefore } = process.memoryUsage();
  globalThis.gc?.();
  // Values that have just arrived may still be on the stack.
  setImmediate(() => {
    globalThis.gc?.();
    const { heapUsed, arrayBuffers, rss: resident } = process.memoryUsage();
    const probe: MemoryProbe = { used: heapUsed + arrayBuffers, resident, residentBefore };
    console.log(JSON.stringify({ probe }));
  });
});
