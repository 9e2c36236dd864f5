/**
 * The settings of one run, all of which follow from its seed. Each run has only some kinds of faults, so that each
 * kind also occurs alone.
 */
import type { PeeringLimits } from "../../daemon/cluster/peers/shared/peering-limits.js";
import type { SeededRandom } from "../support/seeded-random.js";
import { DECISION_LIES, LIES, LISTED_LIES, type Lie, PATTERN_LIES } from "./lies.js";

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
  /** The number of the byzantine host, or null if there is none. */
  readonly byzantine: number | null;
  readonly lies: ReadonlySet<Lie>;
  /** Milliseconds from the start until the byzantine host lies. */
  readonly liesFromMs: number;
  /** Milliseconds during which faults and clients are active. */
  readonly workMs: number;
  readonly faults: ReadonlySet<Fault>;
  /** Average milliseconds between two faults. */
  readonly faultEveryMs: number;
  readonly window: { readonly past: number; readonly future: number };
  /** Limits of the exchange between members that differ from the defaults. */
  readonly peering: Partial<PeeringLimits>;
  /** The limits of the daemons' tails. The state must not depend on them. */
  readonly tails: readonly { readonly tailMs: number; readonly tailBytes: number }[];
  /** The number of envelopes whose answers a daemon remembers. */
  readonly remembered: number;
  /** The number of entries after which a daemon makes a snapshot, or 0 if it makes none. */
  readonly snapshotEvery: number;
  /** Milliseconds for which entries below a snapshot are retained. A daemon away for longer needs the snapshot. */
  readonly retainMs: number;
  /** Whether the run checks at its end that daemons serve, which takes a long time. */
  readonly isServiceChecked: boolean;
  /** Maximum error of a daemon's clock without a fault, in milliseconds. */
  readonly clockError: number;
  /** Maximum error of a client's clock, in milliseconds. */
  readonly clientError: number;
  /** The interval of --fsync in milliseconds, or 0 for `always`. */
  readonly syncEveryMs: number;
  /** Milliseconds of processor time that sometimes pass between two reads of the clock. */
  readonly readMs: number;
  /** The number of keys that commands use. */
  readonly keys: number;
  /** The chance that a command uses tables. */
  readonly tables: number;
  /** The chance that a command uses consumer groups. No run combines them with tables. */
  readonly groups: number;
  /**
   * The share of unsigned commands that run in a script together with other commands. The daemon tries the script and
   * records its effect.
   */
  readonly scripts: number;
  /** The number of elements that clients put into queues or take from them, through daemons that sign for them. */
  readonly claims: number;
  /** Chances of an envelope with `multi`, with conditions, and with each waiting mode. */
  readonly multi: number;
  readonly conditional: number;
  readonly stable: number;
  readonly replicated: number;
  /**
   * Whether administrators define the members by lists. With a byzantine member, they change the list only at the end.
   */
  readonly lists: boolean;
  /** The number of units of clients that contend for locks and counters, on which the members of the list decide. */
  readonly contended: number;
  /** The number of orders and writes on decided keys; 0: no pattern is announced. */
  readonly patterns: number;
  /** The share of the envelopes on which members decide that have several units. */
  readonly several: number;
  /** The share of a client's calls that use version 1, which a daemon signs. */
  readonly gateway: number;
  /** The share of a client's calls that are KEY commands by administrators. */
  readonly administration: number;
}

/** The chance that each fault occurs in a run. */
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

/** Small limits, so that even small runs reach them. */
const SMALL: Partial<PeeringLimits> = {
  maxOrderKeys: 3,
  maxRequested: 4,
  maxRequests: 6,
  batchBytes: 600,
  batchEntries: 2,
  windowBytes: 1_500,
  maxUnsentBytes: 4_000,
  maxUrgentBytes: 1_000,
  deflateFromBytes: 200,
  quarantineEntries: 3,
  maxReplicationStates: 5,
};

/** Long intervals, so that entries stay missing for a long time. */
const SLOW: Partial<PeeringLimits> = { reconcileMinMs: 12_000, reconcileMaxMs: 20_000, requestMs: 8_000 };

/**
 * The share of runs in which daemons forget early and are away for a long time, so that a returning daemon needs a
 * snapshot.
 */
const FORGETFUL = 0.2;
const AWAY: readonly Fault[] = ["crash", "partition", "wipe"];

/** The share of runs with a byzantine member. */
const BYZANTINE = 0.33;
const LIE = 0.3;
/** The share of the runs with a byzantine member that have only two members. */
const PAIR = 0.15;
/** The time of the first lie: at the start, when there is no other source, or once the other member is live. */
const PAIR_LIES_FROM_MS = [0, 4_000];

type ByzantineSettings = Pick<Settings, "hosts" | "byzantine" | "lies" | "liesFromMs">;

function drawByzantineSettings(random: SeededRandom): ByzantineSettings {
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

/** Draws the share of table commands from a separate generator, so that runs without tables do not change. */
export function drawTables(random: SeededRandom): number {
  return random.chance(TABLES) ? random.oneOf([0.3, 0.9]) : 0;
}

/** Draws the share of group commands in the same way. */
export function drawGroups(random: SeededRandom): number {
  return random.chance(GROUPS) ? random.oneOf([0.3, 0.9]) : 0;
}

/** Draws the share of scripts in the same way. */
export function drawScripts(random: SeededRandom): number {
  return random.chance(SCRIPTS) ? random.oneOf([0.3, 0.9]) : 0;
}

const CLAIMS = 0.3;

/** Draws the number of claims in the same way. */
export function drawClaims(random: SeededRandom): number {
  return random.chance(CLAIMS) ? random.between(50, 300) : 0;
}

/** The share of runs in which members compare their states frequently. */
const COMPARING = 0.5;

/** Draws how states are compared. Runs that do not compare states stay the same. */
export function drawComparing(random: SeededRandom, isExcluded: boolean): Partial<PeeringLimits> {
  const isOn = !isExcluded && random.chance(COMPARING);
  return isOn ? { compareEveryMs: 1_000, comparePercent: 50 } : { comparePercent: 0 };
}

const LISTS = 0.5;

/** The numbers of members in runs with lists of which one lies. */
export const MEMBERS_WITH_LIAR: readonly number[] = [3, 4, 5];

/**
 * Draws the lies about decisions in the same way. Called only for runs with lists and with a byzantine member.
 * @param others  the lies of the same run without lists
 */
export function drawListedLies(random: SeededRandom, others: ReadonlySet<Lie>): ReadonlySet<Lie> {
  const decisions = [random.oneOf(DECISION_LIES), ...DECISION_LIES.filter(() => random.chance(LIE))];
  return new Set([...decisions, ...[...others].filter((lie) => LISTED_LIES.has(lie))]);
}

/** Draws the lies about decided keys in the same way. Called only for runs with such keys and a byzantine member. */
export function drawPatternLies(random: SeededRandom): readonly Lie[] {
  return [random.oneOf(PATTERN_LIES), ...PATTERN_LIES.filter(() => random.chance(LIE))];
}

/** Draws whether members are listed. Called only for runs with administrators. */
export function drawLists(random: SeededRandom): boolean {
  return random.chance(LISTS);
}

/** The share of the envelopes with `decide` that have several units, in runs with such envelopes. */
export const SEVERAL = 0.5;

const CONTENDED = 0.8;

/** Draws the number of contended units in the same way. Called only for runs with lists. */
export function drawContended(random: SeededRandom): number {
  return random.chance(CONTENDED) ? random.between(8, 40) : 0;
}

const PATTERNS = 0.6;

/** Draws the number of orders and writes on decided keys in the same way. Called only for lists. */
export function drawPatterns(random: SeededRandom): number {
  return random.chance(PATTERNS) ? random.between(20, 120) : 0;
}

export function drawSettings(
  random: SeededRandom,
): Omit<
  Settings,
  "tables" | "groups" | "scripts" | "claims" | "lists" | "contended" | "several" | "patterns"
> {
  const byzantineSettings = drawByzantineSettings(random);
  const isForgetful = random.chance(FORGETFUL);
  const past = isForgetful ? 3_000 : random.oneOf([3_000, 3_000, 5_000, 10_000, 30_000]);
  const snapshotEvery = isForgetful ? random.between(3, 8) : random.chance(0.4) ? random.between(3, 40) : 0;
  const workMs = isForgetful ? random.between(20_000, 40_000) : random.between(5_000, 24_000);
  const isForgotten = isForgetful || (snapshotEvery > 0 && random.chance(0.4));
  const away = isForgetful ? [random.oneOf(AWAY)] : [];
  const faults = [...FAULTS.filter((fault) => random.chance(CHANCE[fault])), ...away];

  return {
    ...byzantineSettings,
    clients: random.between(2, 4),
    envelopes: random.between(30, 160),
    workMs,
    faults: new Set(faults.filter((fault) => fault !== "wipe" || byzantineSettings.hosts > 2)),
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
    readMs: random.oneOf([0, 0, 5, 20]),
    keys: random.oneOf([1, 2, 3, 6]),
    multi: random.oneOf([0, 0.2]),
    conditional: random.oneOf([0, 0.15]),
    stable: random.oneOf([0, 0.2, 0.5]),
    replicated: random.oneOf([0, 0.1]),
    gateway: random.oneOf([0, 0, 0.2]),
    administration: random.oneOf([0, 0.05, 0.2, 0.5]),
  };
}
