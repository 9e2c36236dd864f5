/**
 * A module that is loaded into a daemon before dbsyncd (node --expose-gc --import). On SIGUSR2 it collects garbage
 * and prints the memory in use as a line of JSON.
 */

export interface MemoryProbe {
  /** The number of bytes in live objects and buffers. */
  readonly used: number;
  /** The resident memory of the process in bytes after the garbage collection. */
  readonly resident: number;
  /** The resident memory of the process in bytes before the garbage collection. */
  readonly residentBefore: number;
}

process.on("SIGUSR2", () => {
  const { rss: residentBefore } = process.memoryUsage();
  globalThis.gc?.();
  // The stack may still refer to values that have just arrived, so the garbage is collected again in a later turn.
  setImmediate(() => {
    globalThis.gc?.();
    const { heapUsed, arrayBuffers, rss: resident } = process.memoryUsage();
    const probe: MemoryProbe = { used: heapUsed + arrayBuffers, resident, residentBefore };
    console.log(JSON.stringify({ probe }));
  });
});
