/**
 * The settings of a run of the model: times that are the same in each run, and values that the seed determines. A
 * tick is a second, and the window is shorter than the real one.
 */
import type { SeededRandom } from "../../support/seeded-random.js";

export const TICK_MS = 1000;
export const LIMITS = {
  past: 12_000,
  future: 3000,
  skewMs: 2000,
  clockSampleMs: 8000,
  /** Milliseconds below the stable point for which bodies are retained. */
  keepMs: 5000,
  /** Milliseconds after which a daemon without a majority believes its own clock. */
  settleMs: 10_000,
} as const;
/** Ticks between two statuses. */
export const STATUS_EVERY = 2;
export const PULL_EVERY = 4;
export const FAULTS_UNTIL = 80;
/**
 * Ticks after the faults within which all daemons must be equal and the stable point must pass the end of the faults.
 */
export const HEALED_WITHIN = 200;

/** Maximum number of envelopes: the bits of a number, so that sets are compared in one step. */
export const ENVELOPES_MAX = 30;
export const DAEMONS_MAX = 10;
/** Maximum number of lists during the faults. The repair afterwards needs some more. */
export const LISTS_MAX = 12;

export interface Settings {
  /** The number of members in the first list. */
  readonly members: number;
  readonly loss: number;
  readonly doubling: number;
  /** Maximum ticks that a usual message takes. Some messages take much longer. */
  readonly delay: number;
  readonly late: number;
  /** The chance per tick that a daemon's disk is synced. */
  readonly sync: number;
  /** The chance per tick that the file with its lists is synced. */
  readonly syncLists: number;
  /** Whether a crash may lose any unsynced write, not only the last writes. */
  readonly losesAny: boolean;
  /** The chance of a crash per tick. */
  readonly crash: number;
  /** The chance of a crash per tick of a daemon with a list that is not on its disk. */
  readonly crashAtList: number;
  /** The chance that a daemon pauses for a while without noticing. */
  readonly pause: number;
  readonly partition: number;
  readonly wipe: number;
  readonly lists: number;
  /** The chance that two parallel lists are signed. */
  readonly doubles: number;
  /** The number of the daemon whose clock becomes wrong, or -1 if there is none. */
  readonly wrongClock: number;
  /** The number of the daemon that may be without data, or -1 if there is none. */
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
