/** Counts the calls and times of a command, for INFO and LATENCY HISTOGRAM, and samples the listener's load. */
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";

/**
 * The number of buckets. A call that takes at most 2^k microseconds, but more than half of that, counts in bucket k.
 * The last bucket contains all longer calls.
 */
const BUCKETS = 32;
const MICROSECONDS = 1000;

/** The calls and times of one command. This code runs for every command. */
export class CommandCounts {
  calls = 0;
  milliseconds = 0;
  /** The number of calls that were answered with an error. */
  failed = 0;
  /**
   * The number of calls that were rejected, for example because of a wrong number of arguments, missing permission or
   * full memory.
   */
  rejected = 0;
  #buckets: Uint32Array | null = null;

  add(milliseconds: number, hasFailed: boolean): void {
    this.calls++;
    this.milliseconds += milliseconds;
    if (hasFailed) this.failed++;
    this.#buckets ??= new Uint32Array(BUCKETS);
    const microseconds = (milliseconds * MICROSECONDS) | 0;
    this.#buckets[32 - Math.clz32(microseconds)]!++;
  }

  /** Records that a call, which was counted before its reply came, has failed. */
  addFailure(): void {
    this.failed++;
  }

  get microseconds(): number {
    return Math.round(this.milliseconds * MICROSECONDS);
  }

  /**
   * Upper bounds in microseconds, each with the number of calls up to it. Bounds at which that number does not rise are
   * omitted.
   */
  get distribution(): readonly (readonly [bound: number, calls: number])[] {
    const found: [number, number][] = [];
    let sum = 0;
    for (const [bucket, count] of (this.#buckets ?? []).entries()) {
      sum += count;
      if (count > 0) found.push([2 ** bucket, sum]);
    }
    return found;
  }

  /**
   * Returns the approximate time in microseconds that a share of the calls did not exceed. @param share  from 0 to 1
   */
  percentile(share: number): number {
    const needed = Math.max(1, Math.ceil(share * this.calls));
    return this.distribution.find(([, calls]) => calls >= needed)?.[0] ?? 0;
  }

  reset(): void {
    this.calls = 0;
    this.milliseconds = 0;
    this.failed = 0;
    this.rejected = 0;
    this.#buckets = null;
  }
}

const SAMPLE_MS = 100;
const SAMPLES = 16;

/** The counts since the start. */
interface Counts {
  readonly commands: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
}

/** The counts per second. */
interface Rates {
  readonly commands: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
}

/** Samples of the listener's load, for the rates and the peak memory in INFO. Redis does this in serverCron. */
export class LoadSamples {
  /** The highest memory usage in a sample, in bytes. */
  peakBytes = 0;
  readonly #environment: Environment;
  readonly #counted: Counts;
  readonly #usedBytes: () => number;
  /** The time and counts of each sample, in ring buffers. */
  readonly #times: number[] = [];
  readonly #commands: number[] = [];
  readonly #input: number[] = [];
  readonly #output: number[] = [];
  #timer: NodeJS.Timeout | null = null;

  /** @param counted  the counts, which are read at each sample */
  constructor(environment: Environment, counted: Counts, usedBytes: () => number) {
    this.#environment = environment;
    this.#counted = counted;
    this.#usedBytes = usedBytes;
  }

  start(): void {
    this.sample();
    this.#timer = setInterval(this.sample, SAMPLE_MS).unref();
  }

  stop(): void {
    if (this.#timer !== null) clearInterval(this.#timer);
    this.#timer = null;
  }

  readonly sample = (): void => {
    this.peakBytes = Math.max(this.peakBytes, this.#usedBytes());
    const { commands, inputBytes, outputBytes } = this.#counted;
    // CONFIG RESETSTAT may have reset the counts since the last sample.
    if (commands < (this.#commands.at(-1) ?? 0) || inputBytes < (this.#input.at(-1) ?? 0)) this.#clear();
    this.#times.push(this.#environment.uptime());
    this.#commands.push(commands);
    this.#input.push(inputBytes);
    this.#output.push(outputBytes);
    if (this.#times.length > SAMPLES)
      for (const ring of [this.#times, this.#commands, this.#input, this.#output]) ring.shift();
  };

  get rates(): Rates {
    const seconds = span(this.#times) / 1000;
    const rate = (ring: readonly number[]) => (seconds === 0 ? 0 : span(ring) / seconds);
    return {
      commands: rate(this.#commands),
      inputBytes: rate(this.#input),
      outputBytes: rate(this.#output),
    };
  }

  #clear(): void {
    for (const ring of [this.#times, this.#commands, this.#input, this.#output]) ring.length = 0;
  }
}

const span = (ring: readonly number[]) => (ring.at(-1) ?? 0) - (ring[0] ?? 0);
