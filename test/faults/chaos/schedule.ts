/**
 * What happens to whom, and when: made of the seed alone, so that a failing run can be replayed. Each seat has a lane of faults, one
 * behind the other; the lanes run side by side, so it may be one, two or all that are away. Beside them goes what an operator does.
 */
import type { SeededRandom } from "../../support/seeded-random.js";

/** `kill`: SIGKILL, and started again. `end`: the same by SIGTERM. `freeze`: SIGSTOP, SIGCONT. `cut`: clients reach it, members do not. */
export type FaultKind = "kill" | "end" | "freeze" | "cut";

/**
 * `evict`: a daemon that is cut off and killed is left out, comes back, and a new one takes its place. `replace`: its folder is lost.
 * `damage`: a bit of an entry is flipped in its file. `join`, `leave`: of the last seat. `settings`, `upgrade`: one after the other is
 * started again, with others, or with another build. `blackout`: all are killed at once.
 */
export type ActKind = "evict" | "replace" | "damage" | "join" | "leave" | "settings" | "upgrade" | "blackout";

export interface Fault {
  readonly kind: FaultKind;
  /** Milliseconds of peace before it. */
  readonly after: number;
  /** Milliseconds that it lasts. */
  readonly lasts: number;
}

export interface Act {
  readonly kind: ActKind;
  /** Of those that are there from the first. */
  readonly seat: number;
  /** Milliseconds that a part of it takes: a daemon is cut off, or is away. */
  readonly lasts: number;
}

export interface Round {
  /** One for each seat. */
  readonly lanes: readonly (readonly Fault[])[];
  /** One behind the other. Of those that cost a folder one at most: two at once may cost what two daemons had. */
  readonly acts: readonly Act[];
}

const PEACE_MS = [300, 4000] as const;
/** Shorter and longer than what members take for silence (10 s). */
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
/** In so many rounds everything happens once. */
export const ROUNDS_OF_ALL: number = PAIRS.length;

/** The seats that are there from the first; behind them is one that comes and goes. */
export const FOUNDERS = 3;

/** @param number  counts the rounds, from 0 @param ms  how long its faults should take */
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
