/** Samples the listener's load, for the rates and the peak memory in INFO. Redis does this in serverCron. */
import type { Environment } from "../../../daemon/net/process/clock-and-randomness.js";

const SAMPLE_MS = 100;
const SAMPLES = 16;

/** The counts since the start. */
export interface Counts {
  readonly commands: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
}

/** The counts per second. */
export interface Rates {
  readonly commands: number;
  readonly inputBytes: number;
  readonly outputBytes: number;
}

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
