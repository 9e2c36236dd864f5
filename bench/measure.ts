/** Measures calls, and summarizes their latencies in microseconds. */
import { setTimeout } from "node:timers/promises";
import { cpuMicros, sumOf } from "./usage.js";

export type Figures = {
  readonly calls: number;
  readonly perSecond: number;
  readonly p50: number;
  readonly p99: number;
  readonly p999: number;
  readonly max: number;
};

/** The figures of calls, and CPU times per call in microseconds. */
export type CpuFigures = Figures & {
  /** Of all servers. */
  readonly cpu: number;
  readonly busiest: number;
  /** Of the server with the second highest CPU time, or 0 if there is one server. */
  readonly second: number;
  /** Of this process. */
  readonly client: number;
};

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

/** Opens clients of which each makes one call at a time. */
export async function openPool<Client extends Disposable>(open: () => Promise<Client>, count: number) {
  const clients = await Promise.all(Array.from({ length: count }, open));
  const free: Client[] = [...clients];
  return {
    /** Makes a call with a free client. There must be one. */
    async use<Result>(call: (client: Client) => Promise<Result>): Promise<Result> {
      const client = free.pop() as Client;
      const result = await call(client);
      free.push(client);
      return result;
    },
    [Symbol.dispose](): void {
      for (const client of clients) client[Symbol.dispose]();
    },
  };
}

/** Does the same as `measure`, with a client of its own for each caller. */
export async function measureClients<Client extends Disposable>(
  open: () => Promise<Client>,
  load: Load,
  call: (client: Client) => Promise<unknown>,
): Promise<Figures> {
  using pool = await openPool(open, load.callers);
  return await measure(load, () => pool.use(call));
}

export function figuresOf(latencies: number[], seconds: number): Figures {
  latencies.sort((a, b) => a - b);
  const at = (share: number) =>
    latencies[Math.min(latencies.length - 1, Math.floor(latencies.length * share))] ?? 0;
  return {
    calls: latencies.length,
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

/** Does the same as `measure`, and measures the CPU time of servers. */
export async function measureWithCpu(
  servers: readonly { readonly pid: number }[],
  load: Load,
  call: () => Promise<unknown>,
): Promise<CpuFigures> {
  const used = () => servers.map(({ pid }) => cpuMicros(pid));
  const before = used();
  const own = process.cpuUsage();
  const figures = await measure(load, call);
  const { user, system } = process.cpuUsage(own);
  const perServer = used().map((micros, i) => (micros - (before[i] as number)) / figures.calls);
  const [busiest = 0, second = 0] = perServer.toSorted((a, b) => b - a);
  return { ...figures, cpu: sumOf(perServer), busiest, second, client: (user + system) / figures.calls };
}

/** Returns the median of each figure. */
export function medians<Run extends Readonly<Record<string, number>>>(runs: readonly Run[]): Run {
  const names = Object.keys(runs[0] ?? {});
  return Object.fromEntries(
    names.map((name) => [name, median(runs.map((run) => run[name] ?? Number.NaN))]),
  ) as Run;
}

/**
 * Measures subjects in turn, so that other work on the machine affects all of them equally.
 * @param warmUps  the number of rounds that do not count
 * @returns the runs of each subject
 */
export async function alternate<Subject, Run>(
  subjects: readonly Subject[],
  { rounds, warmUps = 0 }: { readonly rounds: number; readonly warmUps?: number },
  run: (subject: Subject) => Run | Promise<Run>,
): Promise<Run[][]> {
  const runs = subjects.map((): Run[] => []);
  for (let round = -warmUps; round < rounds; round++)
    for (const [i, subject] of subjects.entries()) {
      const figures = await run(subject);
      if (round >= 0) runs[i]?.push(figures);
    }
  return runs;
}

/** Makes calls at a rate, unless the previous call is unanswered. @returns the number of calls */
export async function paced(
  call: () => Promise<unknown>,
  { perSecond, seconds }: { readonly perSecond: number; readonly seconds: number },
): Promise<number> {
  const startedAt = performance.now();
  let calls = 0;
  for (let slot = 1; slot <= seconds * perSecond; slot++) {
    const wait = startedAt + (slot * 1000) / perSecond - performance.now();
    if (wait < 0) continue;
    await setTimeout(wait);
    await call();
    calls++;
  }
  return calls;
}
