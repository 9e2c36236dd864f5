/** Measures and summarizes latencies, in microseconds. */

export interface Figures {
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
}

export interface Load {
  /** The number of calls that are in flight at any time. */
  readonly callers: number;
  readonly seconds: number;
}

/** Runs parallel callers that repeat a call. Each caller waits for the answer before its next call. */
export async function measure(
  { callers, seconds }: Load,
  call: () => Promise<unknown> | undefined,
): Promise<Figures> {
  const latencies: number[] = [];
  const start = performance.now();
  const end = start + seconds * 1000;
  const caller = async () => {
    for (let before = performance.now(); before < end; ) {
      await call();
      const after = performance.now();
      latencies.push((after - before) * 1000);
      before = after;
    }
  };
  await Promise.all(Array.from({ length: callers }, caller));
  return figuresOf(latencies, (performance.now() - start) / 1000);
}

/** Does the same as `measure`, with one connection per caller. */
export function measureOver<Client>(
  clients: readonly Client[],
  seconds: number,
  call: (client: Client) => Promise<unknown>,
): Promise<Figures> {
  const free = [...clients];
  return measure({ callers: clients.length, seconds }, async () => {
    const client = free.pop() as Client;
    await call(client);
    free.push(client);
  });
}

export function figuresOf(latencies: number[], seconds: number): Figures {
  latencies.sort((a, b) => a - b);
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return {
    perSecond: latencies.length / seconds,
    p50: at(0.5),
    p99: at(0.99),
    p999: at(0.999),
    max: latencies.at(-1) ?? 0,
  };
}

export function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length / 2)] ?? Number.NaN;
}
