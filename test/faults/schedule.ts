/**
 * What happens to whom, and when: made of the seed alone, so that a failing run can be replayed. Each daemon has a lane of
 * faults, one behind the other; the lanes run side by side, so it may be one, two or all that are away.
 */
import type { SeededRandom } from "../support/seeded-random.js";

/**
 * `kill`: SIGKILL, and started again. `end`: the same by SIGTERM. `freeze`: SIGSTOP, SIGCONT. `erase`: killed, its folder
 * removed, and started again. `damage`: killed, a bit of an entry flipped in its file, and started again.
 */
export type FaultKind = "kill" | "end" | "freeze" | "erase" | "damage";

export interface Fault {
  readonly kind: FaultKind;
  /** Milliseconds of peace before it. */
  readonly after: number;
  /** Milliseconds that it lasts. */
  readonly lasts: number;
}

/** One lane for each daemon. */
export type Round = readonly (readonly Fault[])[];

const PEACE_MS = [300, 4000] as const;
/** Shorter and longer than what members take for silence (10 s). */
const LASTS_MS: Record<FaultKind, readonly [number, number]> = {
  kill: [100, 5000],
  end: [100, 3000],
  freeze: [100, 12_000],
  erase: [100, 3000],
  damage: [100, 3000],
};
const USUAL: readonly FaultKind[] = ["kill", "kill", "freeze", "freeze", "end"];

/** @param ms  how long it should take. Of `erase` and `damage` there is one each, on different daemons */
export function makeRound(random: SeededRandom, daemons: number, ms: number): Round {
  const [erased, damaged] = random.shuffled(Array.from({ length: daemons }, (_, index) => index));
  return Array.from({ length: daemons }, (_, index) => {
    const lane: Fault[] = [];
    const special = index === erased ? "erase" : index === damaged ? "damage" : null;
    for (let used = 0; ; ) {
      const kind = special !== null && lane.length === 1 ? special : random.oneOf(USUAL);
      const fault = { kind, after: random.between(...PEACE_MS), lasts: random.between(...LASTS_MS[kind]) };
      used += fault.after + fault.lasts;
      if (used > ms && lane.length >= 2) return lane;
      lane.push(fault);
    }
  });
}
