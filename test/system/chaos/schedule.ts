/**
 * The schedule of faults. It depends on the seed alone, so that a failing run can be replayed. Each seat has a lane
 * of consecutive faults. The lanes run concurrently, so one, several or all daemons may be down. The operator's acts
 * run at the same time.
 */
import type { SeededRandom } from "../../support/seeded-random.js";

/**
 * The kinds of faults. `kill`: SIGKILL and a restart. `end`: SIGTERM and a restart. `freeze`: SIGSTOP and SIGCONT.
 * `cut`: the daemon is disconnected from the members, but not from clients.
 */
export type FaultKind = "kill" | "end" | "freeze" | "cut";

/**
 * The acts of the operator. `evict`: a daemon that is disconnected and killed is removed, returns, and is replaced by
 * a new daemon. `replace`: a daemon whose folder is lost is replaced. `damage`: a bit of an entry in a file is flipped.
 * `join`, `leave`: a daemon at the last seat is added or removed. `settings`, `upgrade`: daemons are restarted one
 * after the other with other settings or another build. `blackout`: all daemons are killed together.
 */
export type ActKind = "evict" | "replace" | "damage" | "join" | "leave" | "settings" | "upgrade" | "blackout";

export interface Fault {
  readonly kind: FaultKind;
  /** Milliseconds without a fault before this fault. */
  readonly after: number;
  /** The duration in milliseconds. */
  readonly lasts: number;
}

export interface Act {
  readonly kind: ActKind;
  /** The seat of a founder. */
  readonly seat: number;
  /** Milliseconds of each phase in which the daemon is disconnected or down. */
  readonly lasts: number;
}

export interface Round {
  /** The lanes, one for each seat. */
  readonly lanes: readonly (readonly Fault[])[];
  /**
   * The acts, in order. At most one act destroys a folder, since two acts could destroy entries that only two daemons
   * had.
   */
  readonly acts: readonly Act[];
}

const PEACE_MS = [300, 4000] as const;
/** The range of durations: shorter and longer than the 10 s after which members consider a peer silent. */
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
/** The number of rounds in which each act occurs once. */
export const ROUNDS_OF_ALL: number = PAIRS.length;

/** The number of seats with a daemon from the start. The seat after them is empty most of the time. */
export const FOUNDERS = 3;

/**
 * Returns the faults and acts of a round.
 * @param number  the number of the round, from 0
 * @param ms  the intended duration of its faults
 */
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
