/**
 * Puts load on daemons and measures their latency. In a closed loop, each caller sends its next command when the
 * previous one is answered. In an open loop, commands arrive at random times (Poisson) at a given rate, however slow
 * the daemons are. Their latency counts from the arrival, so a stall affects all commands that arrive during it.
 */
import type { Environment } from "../../../client/shared/client-environment.js";
import { DbsyncError } from "../../../client/shared/errors.js";

/**
 * The open loop uses a timer only for waits of at least this many milliseconds, because a timer may fire a millisecond
 * late.
 */
const SHORT_WAIT_MS = 2;

/** Time after which the open loop reads answers even if arrivals are overdue, in milliseconds. */
const BUSY_MS = 1;

export interface LoadPlan {
  readonly send: () => Promise<unknown>;
  /** Number of callers in a closed loop. */
  readonly callers: number;
  /** Arrivals a second in an open loop, or null for a closed loop. */
  readonly rate: number | null;
  readonly seconds: number;
}

/** The result so far; complete once `run` has resolved. */
export interface LoadResult {
  readonly latencies: LatencyHistogram;
  /** Failed calls, by the stage at which a daemon failed or by the error's code. */
  readonly errors: Map<string, { count: number; example: string }>;
  failed: number;
  /** Milliseconds from the first call to the last answer. */
  ms: number;
  /** Number of calls in flight. */
  pending: number;
}

export class Load {
  readonly result: LoadResult;
  readonly #plan: LoadPlan;
  readonly #environment: Environment;
  #startedAt = 0;
  #endsAt = 0;
  /** The time of the last pause for reading answers. */
  #busySince = 0;
  #wake: () => void = () => {};

  constructor(plan: LoadPlan, environment: Environment) {
    this.#plan = plan;
    this.#environment = environment;
    this.result = { latencies: new LatencyHistogram(), errors: new Map(), failed: 0, ms: 0, pending: 0 };
  }

  /** Runs the load. Resolves when the last call has settled, even if calls failed. */
  async run(): Promise<LoadResult> {
    this.#startedAt = this.#busySince = this.#environment.now();
    this.#endsAt = this.#startedAt + this.#plan.seconds * 1000;
    const { callers, rate } = this.#plan;
    if (rate !== null) await this.#arrive(rate);
    else await Promise.all(Array.from({ length: callers }, () => this.#callOn()));
    this.result.ms = this.#environment.now() - this.#startedAt;
    return this.result;
  }

  /** Stops making calls. `run` resolves when the calls in flight have settled. */
  stop(): void {
    this.#endsAt = Number.NEGATIVE_INFINITY;
    this.#wake();
  }

  async #callOn(): Promise<void> {
    for (let now = this.#environment.now(); now < this.#endsAt; now = this.#environment.now())
      await this.#call(now);
  }

  async #arrive(rate: number): Promise<void> {
    const inFlight = new Set<Promise<void>>();
    let arrival = this.#startedAt;
    for (;;) {
      arrival += (-Math.log(1 - this.#environment.random()) / rate) * 1000;
      if (arrival >= this.#endsAt) break;
      await this.#waitUntil(arrival);
      // `stop` may have been called during the wait.
      if (arrival >= this.#endsAt) break;
      const call = this.#call(arrival).finally(() => inFlight.delete(call));
      inFlight.add(call);
    }
    await Promise.all(inFlight);
  }

  async #waitUntil(time: number): Promise<void> {
    for (let now = this.#environment.now(); time < this.#endsAt; now = this.#environment.now()) {
      const wait = time - now;
      if (wait <= 0 && now - this.#busySince < BUSY_MS) return;
      if (wait < SHORT_WAIT_MS) await new Promise((resolve) => setImmediate(resolve));
      else await this.#sleep(wait - SHORT_WAIT_MS / 2);
      this.#busySince = this.#environment.now();
    }
  }

  #sleep(ms: number): Promise<void> {
    return new Promise((resolve) => {
      const timer = this.#environment.setTimer(ms, resolve);
      this.#wake = () => {
        timer.cancel();
        resolve();
      };
    });
  }

  /** Makes one call. @param start  the time at which the call began or arrived */
  async #call(start: number): Promise<void> {
    const { result } = this;
    result.pending++;
    try {
      await this.#plan.send();
      result.latencies.add(this.#environment.now() - start);
    } catch (error) {
      if (!(error instanceof DbsyncError)) throw error;
      result.failed++;
      for (const reason of reasonsOf(error)) this.#count(reason, error.message);
    } finally {
      result.pending--;
    }
  }

  #count(reason: string, example: string): void {
    const known = this.result.errors.get(reason);
    if (known !== undefined) known.count++;
    else this.result.errors.set(reason, { count: 1, example });
  }
}

/** Returns the different stages at which daemons failed; if no daemon failed, the error's code. */
function reasonsOf({ code, outcomes }: DbsyncError): string[] {
  const stages = outcomes.flatMap((outcome) => (outcome.status === "failed" ? [outcome.stage] : []));
  return stages.length === 0 ? [code] : [...new Set(stages)];
}

/** Number of buckets between a value and twice that value. */
const PER_OCTAVE = 64;
/** The minimum latency in milliseconds; shorter latencies are counted as this value. */
const MIN_MS = 0.001;
/** Number of doublings, up to 2²⁶ µs (67 s), which is longer than any call may take. */
const OCTAVES = 26;

/** A line of the histogram: the number of calls that took at least `from` and less than `to` milliseconds. */
interface Band {
  readonly from: number;
  readonly to: number;
  readonly count: number;
}

/**
 * The latencies of any number of calls in little memory: they are counted in buckets whose width grows with the value.
 * Every figure is accurate to about 1.5 %.
 */
export class LatencyHistogram {
  readonly #counts = new Float64Array(OCTAVES * PER_OCTAVE);
  count = 0;
  max = 0;
  #sum = 0;

  /** @param ms  0 or more */
  add(ms: number): void {
    const octaves = Math.log2(Math.max(ms, MIN_MS) / MIN_MS);
    const bucket = Math.min(Math.floor(octaves * PER_OCTAVE), this.#counts.length - 1);
    this.#counts[bucket] = (this.#counts[bucket] as number) + 1;
    this.count++;
    this.#sum += ms;
    if (ms > this.max) this.max = ms;
  }

  get mean(): number {
    return this.count === 0 ? 0 : this.#sum / this.count;
  }

  /** Returns the latency that the given share of all calls (0 to 1) did not exceed; returns 0 if there are no calls. */
  quantile(share: number): number {
    const rank = Math.max(1, Math.ceil(share * this.count));
    let seen = 0;
    for (const [bucket, count] of this.#counts.entries()) {
      seen += count;
      if (count > 0 && seen >= rank) return Math.min(startOf(bucket + 1), this.max);
    }
    return 0;
  }

  /** Returns a band for each doubling, from the first to the last that contains a call. */
  bands(): Band[] {
    const bands: Band[] = [];
    for (let octave = 0; octave < OCTAVES; octave++) {
      const counts = this.#counts.subarray(octave * PER_OCTAVE, (octave + 1) * PER_OCTAVE);
      const count = counts.reduce((sum, each) => sum + each, 0);
      bands.push({ from: startOf(octave * PER_OCTAVE), to: startOf((octave + 1) * PER_OCTAVE), count });
    }
    const first = bands.findIndex(({ count }) => count > 0);
    return first < 0 ? [] : bands.slice(first, bands.findLastIndex(({ count }) => count > 0) + 1);
  }
}

function startOf(bucket: number): number {
  return MIN_MS * 2 ** (bucket / PER_OCTAVE);
}
