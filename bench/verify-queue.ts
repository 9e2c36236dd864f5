/** A daemon as a queue: one main thread, and threads that check signatures for it; what a connection sent first is applied first. */

/** Of one envelope, in microseconds. */
export interface Costs {
  /** What the main thread does besides. */
  readonly other: number;
  /** Checking its signature. */
  readonly check: number;
  /** What handing it to a thread and taking the answer keeps the main thread busy for. */
  readonly hand: number;
}

export interface Daemon extends Costs {
  /** 0: the main thread checks. */
  readonly threads: number;
}

const MICROSECONDS = 1_000_000;
const ENVELOPES = 20_000;

/** Envelopes a second, at most. */
export function capacity({ other, check, hand, threads }: Daemon): number {
  if (threads === 0) return MICROSECONDS / (other + check);
  return Math.min(MICROSECONDS / (other + hand), (MICROSECONDS * threads) / check);
}

/** The middle time from arrival to the answer, in microseconds. @param rate  envelopes a second, by chance */
export function middleDelay({ other, check, hand, threads }: Daemon, rate: number): number {
  const draw = chance(1);
  const free = new Array<number>(Math.max(threads, 1)).fill(0);
  const delays: number[] = [];
  let [arrived, main, applied] = [0, 0, 0];
  for (let i = 0; i < ENVELOPES; i++) {
    arrived += (-Math.log(1 - draw()) * MICROSECONDS) / rate;
    main = Math.max(main, arrived) + (threads === 0 ? other + check : other + hand);
    if (threads === 0) applied = main;
    else {
      const next = free.indexOf(Math.min(...free));
      free[next] = Math.max(free[next] as number, main) + check;
      applied = Math.max(applied, free[next] as number);
    }
    delays.push(applied - arrived);
  }
  delays.sort((one, other) => one - other);
  return delays[ENVELOPES >> 1] as number;
}

/** The same numbers each time, at least 0 and below 1 (mulberry32). */
function chance(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
}
