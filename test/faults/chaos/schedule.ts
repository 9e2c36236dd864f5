/**
 * The schedule of faults, derived from the seed alone so that a failing run can be replayed. Each seat has a lane of
 * consecutive faults; the lanes run concurrently, so that one, two or all daemons may be away. The operator's acts run
 * alongside.
 */
import type { SeededRandom } from "../../support/seeded-random.js";

/**
 * `kill`: SIGKILL and restart. `end`: the same with SIGTERM. `freeze`: SIGSTOP, SIGCONT. `cut`: clients reach the
 * daemon, members do not.
 */
export type FaultKind = "kill" | "end" | "freeze" | "cut";

/**
 * `evict`: a daemon that is cut off and killed is removed, returns, and a new one replaces it. `replace`: its folder is
 * lost. `damage`: a bit of an entry in its file is flipped. `join`, `leave`: of the last seat. `settings`, `upgrade`:
 * daemons are restarted in turn with other settings or another build. `blackout`: all are killed together.
 */
export type ActKind = "evict" | "replace" | "damage" | "join" | "leave" | "settings" | "upgrade" | "blackout";

export interface Fault {
  readonly kind: FaultKind;
  /** Milliseconds without a fault before it. */
  readonly after: number;
  /** Duration in milliseconds. */
  readonly lasts: number;
}

export interface Act {
  readonly kind: ActKind;
  /** One of the founders' seats. */
  readonly seat: number;
  /** Milliseconds of one phase: the daemon is cut off or away. */
  readonly lasts: number;
}

export interface Round {
  /** One lane for each seat. */
  readonly lanes: readonly (readonly Fault[])[];
  /** Consecutive acts. At most one destroys a folder, since two could destroy entries that only those two daemons had. */
  readonly acts: readonly Act[];
}

const PEACE_MS = [300, 4000] as const;
/** Durations below and above the time after which members consider a peer silent (10 s). */
const LASTS_MS: Record<FaultKind, readonly [number, number]> = {
  kill: [100, 5000],
  end: [100, 3000],
  freeze: [100, 12_000],
  cut: [100, 6000],
};
const USUAL: readonly FaultKind[] = ["kill", "kill", "freeze", "freeze", "cut", "end"];
const ACT_MS = [200, 2500] as const;
const PAIRS: readonly (readonly ActKind[])[] = [
  ["replace", "upgrade"],
  ["evict", "settings"],
  ["join", "damage"],
  ["blackout", "leave"],
];
/** Rounds in which everything happens once. */
export const ROUNDS_OF_ALL: number = PAIRS.length;

/** The number of seats that are occupied from the start; the seat after them is only used at times. */
export const FOUNDERS = 3;

/** Returns a round's faults. @param number  counts the rounds, from 0 @param ms  the intended duration of its faults */
export function makeRound(random: SeededRandom, number: number, ms: number): Round {
  const lanes = Array.from({ length: FOUNDERS + 1 }, () => makeLane(random, ms));
  const kinds = PAIRS[number % PAIRS.length] ?? [];
  const acts = kinds.map((kind) => ({
    kind,
    seat: random.below(FOUNDERS),
    lasts: random.between(...ACT_MS),
  }));
  return { lanes, acts };
}

function makeLane(random: SeededRandom, ms: number): Fault[] {
  const lane: Fault[] = [];
  for (let used = 0; ; ) {
    const kind = random.oneOf(USUAL);
    const fault = { kind, after: random.between(...PEACE_MS), lasts: random.between(...LASTS_MS[kind]) };
    used += fault.after + fault.lasts;
    if (used > ms && lane.length > 0) return lane;
    lane.push(fault);
  }
}
