/**
 * Sets flags of V8: functions are optimized early, the young generation stays small, and so does the garbage of
 * queries.
 */
import { PerformanceObserver } from "node:perf_hooks";
import { getHeapSpaceStatistics, setFlagsFromString } from "node:v8";

/** Returns the options with which the engine was started, as one text. */
export const engineOptions = (): string => [...process.execArgv, process.env["NODE_OPTIONS"]].join(" ");

/**
 * The size in bytes at which the young generation stops growing. The engine doubles the size, starting at 1 MiB, and
 * reports slightly less than the actual size.
 */
const ENOUGH_BYTES = 3.5 * 1024 * 1024;

/**
 * Limits the young generation, which holds objects until they have survived two collections. By default it grows to 16
 * MiB. If most objects survive, for example while clients set keys, collecting it pauses all clients for 10 ms or more.
 * With a quarter of that size the total work is the same, but is done in steps of 2 ms.
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

/**
 * The growth of the heap, in percent of the live objects, after which V8 collects the garbage of large requests. By
 * default it waits until the heap is up to four times as large as the live objects, most of which may be those of a
 * request that has ended.
 */
const GROWTH_PERCENT = 30;

/** The memory that makes a bound of the garbage necessary. */
export type GarbageSource = "queries" | "answers";

/** The bound of the garbage of the old generation while queries or unread answers use much memory. */
export class GarbageBound {
  readonly #sources = new Set<GarbageSource>();
  readonly #set: (isBounded: boolean) => void;

  readonly #begun: () => void;

  /**
   * @param begun  called when the bound has begun, which affects only the collections after the next one
   * @param set  begins or ends the bound; default: by a flag of the engine, unless its options set the growth
   */
  constructor(begun: () => void = () => undefined, set = setGrowth) {
    this.#begun = begun;
    this.#set = engineOptions().includes("heap-growing-percent") ? () => undefined : set;
  }

  change(source: GarbageSource, isBounded: boolean): void {
    const { size } = this.#sources;
    if (isBounded) this.#sources.add(source);
    else this.#sources.delete(source);
    if (size === 0 || this.#sources.size === 0) this.#set(isBounded);
    if (size === 0 && isBounded) this.#begun();
  }
}

/** Sets the growth of the heap from the next collection on. */
const setGrowth = (isBounded: boolean): void =>
  setFlagsFromString(`--heap-growing-percent=${isBounded ? GROWTH_PERCENT : 0}`);

/** Returns the size of the young generation in bytes. */
export function youngBytes(): number {
  const space = getHeapSpaceStatistics().find(({ space_name }) => space_name === "new_space");
  return space === undefined ? 0 : space.space_used_size + space.space_available_size;
}

/**
 * V8's threshold, by V8's major version: that of Node 20, of 22, and of 24. V8 prints an error for a flag that it does
 * not know, so other versions keep their defaults.
 */
const THRESHOLDS: ReadonlyMap<string, Threshold> = new Map([
  ["11", { flag: "interrupt-budget", value: 15_000 }],
  ["12", { flag: "invocation-count-for-turbofan", value: 600 }],
  ["13", { flag: "invocation-count-for-turbofan", value: 600 }],
]);

interface Threshold {
  readonly flag: string;
  /** The bytes of bytecode that a function executes before V8 considers it for optimization, or the calls of it. */
  readonly value: number;
}

/**
 * Makes V8 optimize functions after fewer calls than usual. Most applications make few calls per second: with V8's
 * default thresholds, a daemon runs much of a call's code unoptimized after its start. At 500 calls per second, this
 * was measured to cost 10 to 20 % more CPU time per call.
 * @param options  the engine's options; if they set the threshold, nothing is changed
 */
export function compileEarly(options: string): void {
  const threshold = THRESHOLDS.get(process.versions.v8.split(".")[0] ?? "");
  if (threshold === undefined || options.includes(threshold.flag)) return;
  setFlagsFromString(`--${threshold.flag}=${threshold.value}`);
}
