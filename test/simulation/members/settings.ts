/** What a run of the model is like: times, and what follows from its seed. A tick is a second; the window is shorter than the real one. */
import type { SeededRandom } from "../../support/seeded-random.js";

export const TICK_MS = 1000;
export const LIMITS = {
  past: 12_000,
  future: 3000,
  skewMs: 2000,
  clockSampleMs: 8000,
  /** Bodies are kept so long below the stable point. */
  keepMs: 5000,
  /** A daemon that hears no majority believes its own clock after that. */
  settleMs: 10_000,
} as const;
/** Ticks. */
export const STATUS_EVERY = 2;
export const PULL_EVERY = 4;
export const FAULTS_UNTIL = 80;
/** After the faults are over all must be the same and the stable point be past their end. */
export const HEALED_WITHIN = 200;

/** Bits of a number: sets of them are compared in one step. */
export const ENVELOPES_MOST = 30;
export const DAEMONS_MOST = 10;
/** While there are faults; mending them takes some more. */
export const LISTS_MOST = 12;

export interface Settings {
  /** In the first list. */
  readonly members: number;
  readonly loss: number;
  readonly doubling: number;
  /** Ticks a message takes at most; some take far more. */
  readonly delay: number;
  readonly late: number;
  /** That a daemon's disk is synced in a tick. */
  readonly sync: number;
  /** … and the file with its lists. */
  readonly syncLists: number;
  /** Whether a crash may lose any of what was not synced, not only the end of it. */
  readonly losesAny: boolean;
  /** In a tick. */
  readonly crash: number;
  /** … of a daemon with a list that is not on its disk. */
  readonly crashAtList: number;
  /** That it stands still for a while, and knows nothing of it. */
  readonly pause: number;
  readonly partition: number;
  readonly wipe: number;
  readonly lists: number;
  /** Of lists: that two are signed beside each other. */
  readonly doubles: number;
  /** The number of the daemon whose clock goes wrong; -1: none. */
  readonly wrongClock: number;
  /** The number of the daemon without data, if there may be one; -1: none. */
  readonly withoutData: number;
  readonly writes: number;
}

export function drawSettings(random: SeededRandom): Settings {
  const members = random.oneOf([2, 2, 3, 3, 3, 4, 5]);
  return {
    members,
    loss: random.oneOf([0, 0, 0.05, 0.2, 0.35]),
    doubling: random.oneOf([0, 0.1]),
    delay: random.oneOf([1, 1, 2, 4]),
    late: random.oneOf([0, 0.02, 0.05]),
    sync: random.oneOf([0.9, 0.5, 0.25]),
    syncLists: random.oneOf([0.9, 0.4, 0.15]),
    losesAny: random.chance(0.5),
    crash: random.oneOf([0, 0.01, 0.03, 0.1]),
    crashAtList: random.oneOf([0, 0.1, 0.3]),
    pause: random.oneOf([0, 0, 0.02]),
    partition: random.oneOf([0, 0.03, 0.1]),
    wipe: random.oneOf([0, 0, 0.005, 0.015]),
    lists: random.oneOf([0, 0.02, 0.05, 0.1]),
    doubles: random.oneOf([0, 0, 0.3, 0.8]),
    wrongClock: random.chance(0.4) ? random.below(members) : -1,
    withoutData: random.chance(0.1) ? random.below(members) : -1,
    writes: random.oneOf([0.2, 0.35, 0.6]),
  };
}
