/** Loaded into a daemon before its own program (node --expose-gc --import): at SIGUSR2 collects, and prints a line of JSON. */

export interface MemoryProbe {
  /** Bytes of live objects and buffers. */
  readonly used: number;
  /** Of the process, after the collection and before it. */
  readonly resident: number;
  readonly residentBefore: number;
}

process.on("SIGUSR2", () => {
  const { rss: residentBefore } = process.memoryUsage();
  globalThis.gc?.();
  // What has just come may still stand on the stack.
  setImmediate(() => {
    globalThis.gc?.();
    const { heapUsed, arrayBuffers, rss: resident } = process.memoryUsage();
    const probe: MemoryProbe = { used: heapUsed + arrayBuffers, resident, residentBefore };
    console.log(JSON.stringify({ probe }));
  });
});
