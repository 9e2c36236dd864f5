/** What one run is like: all of it follows from its seed. Each run has some kinds of faults only, so that each kind is met alone. */
import type { PeeringLimits } from "../../cluster/peers/shared/peering-limits.js";
import type { SeededRandom } from "../support/seeded-random.js";
import { LIES, type Lie } from "./lies.js";

export const FAULTS = [
  "lossy",
  "doubling",
  "slow-link",
  "partition",
  "one-way",
  "reset",
  "crash",
  "crash-at-disk",
  "pause",
  "clock-step",
  "clock-day",
  "rot",
  "full-disk",
  "slow-disk",
  "wipe",
] as const;

export type Fault = (typeof FAULTS)[number];

export interface Settings {
  readonly hosts: number;
  readonly clients: number;
  readonly envelopes: number;
  /** Number of the host that has turned bad; null: none has. */
  readonly byzantine: number | null;
  readonly lies: ReadonlySet<Lie>;
  /** Milliseconds from the begin until it lies. */
  readonly liesFromMs: number;
  /** Milliseconds during which faults and clients are at work. */
  readonly workMs: number;
  readonly faults: ReadonlySet<Fault>;
  /** Milliseconds between two faults, on average. */
  readonly faultEveryMs: number;
  readonly window: { readonly past: number; readonly future: number };
  /** Bounds of the exchange between members, where they are not the usual ones. */
  readonly peering: Partial<PeeringLimits>;
  /** Each daemon has one of these limits: the state must not depend on them. */
  readonly tails: readonly { readonly tailMs: number; readonly tailBytes: number }[];
  /** Envelopes whose answers a daemon remembers. */
  readonly remembered: number;
  /** Entries after which a snapshot is made; 0: none are. */
  readonly snapshotEvery: number;
  /** Milliseconds for which entries are kept below a snapshot: whoever was away for longer needs one. */
  readonly retainMs: number;
  /** Whether daemons have to serve in the end; it takes long. */
  readonly isServiceChecked: boolean;
  /** Milliseconds that a daemon's clock is off, at most, without any fault. */
  readonly clockError: number;
  /** The same of a client. */
  readonly clientError: number;
  /** --fsync interval, in milliseconds; 0: always. */
  readonly syncEveryMs: number;
  /** Milliseconds of processor time that pass now and then between two looks at the clock. */
  readonly lookMs: number;
  /** How many different keys commands are about. */
  readonly keys: number;
  /** Chance of a command to be about tables. */
  readonly tables: number;
  /** The same, about groups of streams' consumers; not beside tables. */
  readonly groups: number;
  /** Of the commands without a signature, those that a script chooses with others: it is tried, and what it did is recorded. */
  readonly scripts: number;
  /** Chances of an envelope. */
  readonly multi: number;
  readonly conditional: number;
  readonly stable: number;
  readonly replicated: number;
  /** Whether administrators say by lists which daemons the members are. */
  readonly lists: boolean;
  /** Of a client's calls, those of version 1, which a daemon signs. */
  readonly gateway: number;
  /** Of a client's calls, KEY commands by administrators. */
  readonly administration: number;
}

/** Of the faults each one's chance to occur in a run. */
const CHANCE: Readonly<Record<Fault, number>> = {
  lossy: 0.3,
  doubling: 0.3,
  "slow-link": 0.3,
  partition: 0.4,
  "one-way": 0.3,
  reset: 0.3,
  crash: 0.4,
  "crash-at-disk": 0.3,
  pause: 0.3,
  "clock-step": 0.3,
  "clock-day": 0.06,
  rot: 0.2,
  "full-disk": 0.15,
  "slow-disk": 0.25,
  wipe: 0.08,
};

/** Every bound is met, in small runs too. */
const SMALL: Partial<PeeringLimits> = {
  maxPlaces: 3,
  maxRequested: 4,
  maxRequests: 6,
  batchBytes: 600,
  batchEntries: 2,
  windowBytes: 1_500,
  maxUnsentBytes: 4_000,
  maxAtOnceBytes: 1_000,
  deflateFromBytes: 200,
  quarantineEntries: 3,
  maxReplicationStates: 5,
};

/** What was missed is missing for long. */
const SLOW: Partial<PeeringLimits> = { reconcileMinMs: 12_000, reconcileMaxMs: 20_000, requestMs: 8_000 };

/** In every so many runs daemons forget early, and are away for long: whoever comes back needs a snapshot. */
const FORGETFUL = 0.2;
const AWAY: readonly Fault[] = ["crash", "partition", "wipe"];

/** In every third run one member is bad. */
const BYZANTINE = 0.33;
const LIE = 0.3;
/** With one other only. */
const PAIR = 0.15;
/** From the begin, when its word is all there is, or once the other is live. */
const PAIR_LIES_FROM_MS = [0, 4_000];

type Badness = Pick<Settings, "hosts" | "byzantine" | "lies" | "liesFromMs">;

function drawBadness(random: SeededRandom): Badness {
  const count = random.oneOf([3, 3, 3, 3, 3, 4, 4, 5, 7]);
  const isPair = random.chance(PAIR);
  const lies = new Set([random.oneOf(LIES), ...LIES.filter(() => random.chance(LIE))]);
  const from = random.oneOf(isPair ? PAIR_LIES_FROM_MS : [0, 2_000, 8_000]);
  if (!random.chance(BYZANTINE)) return { hosts: count, byzantine: null, lies: new Set(), liesFromMs: 0 };
  const hosts = isPair ? 2 : count;
  return { hosts, byzantine: random.below(hosts), lies, liesFromMs: from };
}

const TABLES = 0.3;
const GROUPS = 0.25;
const SCRIPTS = 0.5;

/** Apart from all else that a run is like: runs without tables are what they were before there were any. */
export function drawTables(random: SeededRandom): number {
  return random.chance(TABLES) ? random.oneOf([0.3, 0.9]) : 0;
}

/** The same of groups. */
export function drawGroups(random: SeededRandom): number {
  return random.chance(GROUPS) ? random.oneOf([0.3, 0.9]) : 0;
}

/** The same of scripts. */
export function drawScripts(random: SeededRandom): number {
  return random.chance(SCRIPTS) ? random.oneOf([0.3, 0.9]) : 0;
}

/** In every second run members compare their states, and often. */
const COMPARING = 0.5;

/** The same of comparing states: without it, runs are what they were before. */
export function drawComparing(random: SeededRandom, isOut: boolean): Partial<PeeringLimits> {
  const isOn = !isOut && random.chance(COMPARING);
  return isOn ? { compareEveryMs: 1_000, comparePercent: 50 } : { comparePercent: 0 };
}

const LISTS = 0.5;

/** The same of lists of members: where nobody lies, and there are administrators. */
export function drawLists(random: SeededRandom): boolean {
  return random.chance(LISTS);
}

export function drawSettings(
  random: SeededRandom,
): Omit<Settings, "tables" | "groups" | "scripts" | "lists"> {
  const badness = drawBadness(random);
  const isForgetful = random.chance(FORGETFUL);
  const past = isForgetful ? 3_000 : random.oneOf([3_000, 3_000, 5_000, 10_000, 30_000]);
  const snapshotEvery = isForgetful ? random.between(3, 8) : random.chance(0.4) ? random.between(3, 40) : 0;
  const workMs = isForgetful ? random.between(20_000, 40_000) : random.between(5_000, 24_000);
  const isForgotten = isForgetful || (snapshotEvery > 0 && random.chance(0.4));
  const away = isForgetful ? [random.oneOf(AWAY)] : [];
  const faults = [...FAULTS.filter((fault) => random.chance(CHANCE[fault])), ...away];
  return {
    ...badness,
    clients: random.between(2, 4),
    envelopes: random.between(30, 160),
    workMs,
    faults: new Set(faults.filter((fault) => fault !== "wipe" || badness.hosts > 2)),
    faultEveryMs: random.between(300, 3_000),
    window: { past, future: 5_000 },
    peering: random.chance(0.4) ? SMALL : random.chance(0.2) ? SLOW : {},
    tails: Array.from({ length: random.between(1, 2) }, () => ({
      tailMs: past + random.oneOf([500, 5_000, 90_000]),
      tailBytes: random.oneOf([4_000, 20_000, 1_000_000, 1_000_000]),
    })),
    remembered: random.oneOf([10, 1_000, 1_000]),
    snapshotEvery,
    retainMs: isForgotten ? random.oneOf([0, 2_000, 6_000]) : Infinity,
    isServiceChecked: random.chance(0.2),
    clockError: random.oneOf([0, 300, 1_000]),
    clientError: random.oneOf([0, 1_000, 10_000]),
    syncEveryMs: random.oneOf([0, 0, 0, 300, 2_000]),
    lookMs: random.oneOf([0, 0, 5, 20]),
    keys: random.oneOf([1, 2, 3, 6]),
    multi: random.oneOf([0, 0.2]),
    conditional: random.oneOf([0, 0.15]),
    stable: random.oneOf([0, 0.2, 0.5]),
    replicated: random.oneOf([0, 0.1]),
    gateway: random.oneOf([0, 0, 0.2]),
    administration: random.oneOf([0, 0.05, 0.2, 0.5]),
  };
}
