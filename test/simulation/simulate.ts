/**
 * One run: some daemons and clients in one process, with simulated time, network and disks. A phase with faults is
 * followed by a phase without faults. At the end the run checks every promise. A seed always produces the same run.
 */
import { PEERING_LIMITS } from "../../daemon/cluster/peers/shared/peering-limits.js";
import { readOrderKey } from "../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { SeededRandom } from "../support/seeded-random.js";
import { makeGenesis, makeKey } from "./cast.js";
import {
  brokenPromises,
  finalEntries,
  foreignKeys,
  oracleOf,
  outcomesOf,
  stateDifference,
  unlevel,
} from "./checks.js";
import { sowClaims, wrongClaims } from "./claims.js";
import { Client, KeyChest } from "./clients.js";
import { Contention, SYNCS_OF_A_DECISION } from "./contention.js";
import { heal, restartFailed, sowFaults } from "./faults.js";
import { SimulatedHost } from "./host.js";
import { Ledger } from "./ledger.js";
import { isInEach } from "./lists/known-lists.js";
import { brokenLists } from "./lists/list-checks.js";
import { ListWork } from "./lists/list-work.js";
import { voidLettersOf } from "./lists/simulated-dead-letters.js";
import { Network } from "./network.js";
import { Operator } from "./operator.js";
import { PatternWork } from "./patterns.js";
import { Scheduler } from "./scheduler.js";
import { checkService } from "./service.js";
import {
  drawClaims,
  drawComparing,
  drawContended,
  drawGroups,
  drawListedLies,
  drawLists,
  drawPatternLies,
  drawPatterns,
  drawScripts,
  drawSettings,
  drawTables,
  MEMBERS_WITH_LIAR,
  SEVERAL,
  type Settings,
} from "./settings.js";
import { differsInForgotten } from "./state-watch.js";
import type { Host, World } from "./world.js";

export interface Verdict {
  readonly seed: number;
  /** Empty if every check succeeded. */
  readonly problems: readonly string[];
  readonly settings: Settings;
  readonly events: number;
  /** The number of envelopes in the final timeline. */
  readonly entries: number;
  readonly acknowledged: number;
  /** The number of acknowledged decisions. */
  readonly decided: number;
  /** The number of acknowledged envelopes that were only placed, and of patterns that have begun. */
  readonly placed: number;
  readonly begun: number;
  /** The number of promises of finality. */
  readonly stable: number;
  readonly replicated: number;
  /** The number of snapshots accepted from members. */
  readonly snapshots: number;
  /** The number of accepted snapshots that an operator had ordered. */
  readonly ordered: number;
  /** 1 if an operator had to remove the byzantine member, otherwise 0. */
  readonly expelled: number;
  /** The number of member lists signed during the faults. */
  readonly lists: number;
  /** The number of hosts that have forgotten entries. */
  readonly pruned: number;
  /** The number of comparisons of members' states. */
  readonly compared: number;
  /** The number of dead letters of void writes on all hosts. */
  readonly voids: number;
  /** The number of units that were undone and applied again. */
  readonly redone: number;
  /** Simulated milliseconds from the last fault until all daemons were equal. */
  readonly healedAfter: number;
}

/** Milliseconds after the last fault within which all daemons must be equal. */
const HEALING_MS_MAX = 30_000;
/**
 * Additional milliseconds if a daemon misses entries that only a snapshot has: the other members make and sign one.
 * A daemon with a damaged entry of which no other copy exists needs this time too: it waits before it continues
 * without the entry.
 */
const SNAPSHOT_MS_MAX = 75_000;
/**
 * Further milliseconds if the daemons' tails differ. Their snapshots then end at different dates, so the members may
 * sign different ones at first, and make others after two and four times `catchUpStuckMs`.
 */
const FURTHER_SNAPSHOTS_MS = (2 + 4) * PEERING_LIMITS.catchUpStuckMs;
/**
 * Additional milliseconds if a member reports that it has forgotten entries and never sends its totals: the daemon
 * waits for them.
 */
const SILENCE_MS_MAX = 30_000;
/** The number of times that all entries may have to be transferred, for `transferMs`. */
const PASSES = 2;
const CHECK_EVERY_MS = 250;
/** Milliseconds after which the clocks advance to the dates of entries that are ahead of all clocks. */
const PATIENCE_MS = 10_000;
const SHIFTS_MAX = 3;
/** The share of the runs at whose end all daemons restart. */
const RESTARTS = 0.3;
/** The maximum number of milliseconds that each of them is down. */
const RESTART_MS = 3_000;
/** Milliseconds by which runs with decided keys are longer. */
const PATTERNS_MS = 25_000;
/** The window in these runs, unless a decision takes longer: with a longer one, patterns begin later. */
const PATTERNS_WINDOW = { past: 3_000, future: 2_000 };
/** How many times rarer faults are in these runs, because a disconnection begins the wait for a pattern again. */
const PATTERNS_FAULTS = 4;
/** Milliseconds in which messages in flight arrive. */
const SETTLE_MS = 500;
/** Maximum milliseconds by which a folded entry may be ahead of a clock. */
const DUE_AHEAD_MS = 4_000;

export type Trace = (line: string) => void;

export interface SimulateOptions {
  readonly print?: Trace | null;
  /**
   * Faults to leave out. `tables`, `groups`, `scripts`, `claims`, `comparing`, `lists`, `contention`, `several`,
   * `patterns` and `administrators` leave out features.
   */
  readonly without?: readonly string[];
}

export async function simulate(
  seed: number,
  { print = null, without = [] }: SimulateOptions = {},
): Promise<Verdict> {
  const world = makeWorld(seed, print, without);
  const { scheduler, settings, hosts, ledger } = world;
  const problems: string[] = [];
  const thrown = (problem: unknown) =>
    void problems.push(`thrown: ${problem instanceof Error ? problem.stack : problem}`);
  process.on("unhandledRejection", thrown);

  let healedAt = settings.workMs;
  let equalAt = healedAt;
  let entries = 0;
  try {
    for (const host of hosts) host.start();
    sowFaults(world);
    setClientsToWork(world);
    sowClaims(world, seed);

    const lists = settings.lists ? new ListWork(world, seed) : null;
    lists?.sow();
    const contention = contentionIn(world, seed);
    contention?.sow();
    patternsIn(world, seed)?.sow();
    await scheduler.runUntil(settings.workMs);
    world.trace("world", () => "the faults have ended");
    heal(world);
    if (lists !== null) problems.push(...(await settledLists(world, lists)));
    healedAt = scheduler.time;

    if (problems.length === 0) entries = await untilEqual(world, problems, contention);
    equalAt = scheduler.time;

    const isAlone = world.honest.length === 1 && lists === null;
    if (problems.length === 0 && (settings.isServiceChecked || lists !== null) && !isAlone) {
      await serve(world, healedAt, contention, problems);
      if (problems.length === 0) entries = await untilEqual(world, problems, contention);

      if (problems.length === 0 && (await restartAll(world, seed))) {
        await serve(world, scheduler.time, contention, problems);
        if (problems.length === 0) entries = await untilEqual(world, problems, contention);
      }
    }

    if (problems.length === 0 && lists !== null) problems.push(...brokenLists(world));
  } catch (problem) {
    thrown(problem);
  } finally {
    process.off("unhandledRejection", thrown);
  }

  return {
    seed,
    problems,
    settings,
    events: scheduler.events,
    entries,
    acknowledged: ledger.acknowledged.size,
    decided: ledger.decisions.acknowledged,
    placed: ledger.decisions.placed.size,
    begun: ledger.decisions.begun,
    stable: ledger.stable.length,
    replicated: ledger.replicated,
    snapshots: ledger.snapshots,
    ordered: ledger.ordered,
    expelled: world.isByzantineRemoved ? 1 : 0,
    lists: Object.values(ledger.lists).reduce((sum, count) => sum + count, 0),
    pruned: world.honest.filter(({ disk }) => disk.marks.has("pruned")).length,
    compared: ledger.compared,
    voids: voidLettersOf(world),
    redone: hosts.reduce((sum, { daemon }) => sum + (daemon?.timeline.figures.redone ?? 0), 0),
    healedAfter: equalAt - healedAt,
  };
}

/** Creates the world of a seed. @param fixed  settings that do not follow from the seed */
export function makeWorld(
  seed: number,
  print: Trace | null,
  without: readonly string[],
  fixed: Partial<Settings> = {},
): World {
  const random = new SeededRandom(seed);
  const drawn = drawSettings(random);
  const withRoots = makeGenesis(random);
  const drawnGenesis = without.includes("administrators") ? { ...withRoots, roots: [] } : withRoots;

  // A clock that was a day ahead has raised watermarks by a day: no list that is signed within that day is accepted.
  const isInTime = !drawn.faults.has("clock-day");
  const isHonest = drawn.byzantine === null;
  const mayHaveLists =
    (isHonest || MEMBERS_WITH_LIAR.includes(drawn.hosts)) &&
    drawnGenesis.roots.length > 0 &&
    isInTime &&
    !without.includes("lists");

  const lists = mayHaveLists && drawLists(new SeededRandom(seed, isHonest ? 4 : 10));
  const patterns =
    lists && !without.includes("patterns") ? drawPatterns(new SeededRandom(seed, isHonest ? 13 : 15)) : 0;
  const patternLies = isHonest || patterns === 0 ? [] : drawPatternLies(new SeededRandom(seed, 16));
  const listedLies = lists && !isHonest ? drawListedLies(new SeededRandom(seed, 11), drawn.lies) : drawn.lies;
  const lies = [...listedLies, ...patternLies];

  // A lost folder and a liar together are a majority of three.
  const excluded = lists && !isHonest ? [...without, "wipe"] : without;
  // Entries that only removed members have are lost, as their lists say, and claims among them.
  const mayClaim = !lists && !without.includes("claims");

  const settings = {
    ...drawn,
    // A pattern begins once the writes from before it are final.
    workMs: patterns > 0 ? PATTERNS_MS + drawn.workMs : drawn.workMs,
    window: patterns > 0 ? patternsWindow(drawn) : drawn.window,
    faultEveryMs: patterns > 0 ? PATTERNS_FAULTS * drawn.faultEveryMs : drawn.faultEveryMs,
    lists,
    tables: without.includes("tables") ? 0 : drawTables(new SeededRandom(seed, 0)),
    groups: without.includes("groups") ? 0 : drawGroups(new SeededRandom(seed, 1)),
    scripts: without.includes("scripts") ? 0 : drawScripts(new SeededRandom(seed, 2)),
    claims: mayClaim ? drawClaims(new SeededRandom(seed, 5)) : 0,
    contended: lists && !without.includes("contention") ? drawContended(new SeededRandom(seed, 7)) : 0,
    several: without.includes("several") ? 0 : SEVERAL,
    patterns,
    peering: {
      ...drawn.peering,
      ...drawComparing(new SeededRandom(seed, 3), without.includes("comparing")),
    },
    faults: new Set([...drawn.faults].filter((fault) => !excluded.includes(fault))),
    lies: new Set(lies.filter((lie) => !without.includes(lie))),
    ...fixed,
  };

  const genesis =
    settings.contended === 0 && settings.patterns === 0
      ? drawnGenesis
      : { ...drawnGenesis, contender: makeKey(new SeededRandom(seed, 9)) };

  const scheduler = new Scheduler();
  const hosts: Host[] = [];
  const honest: Host[] = [];
  const world: World = {
    isByzantineRemoved: false,
    scheduler,
    random,
    settings,
    hosts,
    ledger: new Ledger(),
    genesis,
    heads: [],
    get honest() {
      const { heads } = world;
      const known = honest.filter(({ isForeign }) => !isForeign);
      return heads.length === 0 ? known : known.filter((host) => isInEach(heads, host));
    },
    network: new Network(scheduler, random),
    trace: (who, what) => print?.(`${scheduler.time.toFixed(1).padStart(9)} ${who.padEnd(8)} ${what()}`),
  };

  for (let number = 0; number < settings.hosts; number++) {
    const clockOffset = random.between(-settings.clockError, settings.clockError);
    const isByzantine = number === settings.byzantine;
    const host = new SimulatedHost(world, `d${number}`, { clockOffset, isByzantine });
    hosts.push(host);
    if (!isByzantine) honest.push(host);
  }
  return world;
}

export function setClientsToWork(world: World): void {
  const { scheduler, random, settings } = world;
  const chest = new KeyChest();
  const clients = Array.from({ length: settings.clients }, (_, i) => new Client(world, `c${i}`, chest));
  for (let left = settings.envelopes; left > 0; left--) {
    scheduler.after(random.below(settings.workMs), null, () => random.oneOf(clients).act());
  }
}

/** Returns the run's clients that contend for locks and counters, or null if there are none. */
function contentionIn(world: World, seed: number): Contention | null {
  const { contender } = world.genesis;
  return contender === undefined ? null : new Contention(world, seed, contender);
}

/** Checks that daemons accept writes, and that members decide. Adds to `problems` what is wrong. */
async function serve(
  world: World,
  settledAt: number,
  contention: Contention | null,
  problems: string[],
): Promise<void> {
  problems.push(...(await checkService(world, settledAt)));
  const undecided = problems.length > 0 ? null : ((await contention?.probe()) ?? null);
  if (undecided !== null) problems.push(undecided);
}

/**
 * Restarts all daemons in some of the runs in which none loses its data, or waits for a byzantine member.
 * @returns whether they were restarted
 */
async function restartAll({ hosts, random, scheduler, trace }: World, seed: number): Promise<boolean> {
  const isRestarting = new SeededRandom(seed, 17).chance(RESTARTS);
  if (!isRestarting || hosts.some(({ options, isByzantine }) => isByzantine || !options.hasData))
    return false;

  trace("world", () => "all daemons restart");
  for (const host of hosts) host.kill("all daemons restart", random.chance(0.5));
  for (const host of hosts) host.restartAfter(random.between(10, RESTART_MS));
  await scheduler.runUntil(scheduler.time + RESTART_MS + PEERING_LIMITS.catchUpMs);
  return true;
}

const patternsWindow = ({ syncEveryMs }: Pick<Settings, "syncEveryMs">): Settings["window"] => ({
  ...PATTERNS_WINDOW,
  past: Math.max(PATTERNS_WINDOW.past, SYNCS_OF_A_DECISION * syncEveryMs),
});

/** Returns the run's clients that write decided keys, or null if there are none. */
function patternsIn(world: World, seed: number): PatternWork | null {
  const { contender } = world.genesis;
  return contender === undefined || world.settings.patterns === 0
    ? null
    : new PatternWork(world, seed, contender);
}

/** Settles the lists. @returns why administrators cannot reach one list that all daemons use; empty if they can */
async function settledLists(world: World, lists: ListWork): Promise<readonly string[]> {
  const operator = new Operator(world);
  const problem = await lists.settle(() => operator.order(), transferMs(world));
  return problem === null ? [] : [`lists of members: ${problem}`, ...world.ledger.violations];
}

/** Waits until all daemons are equal. @returns the number of entries that all daemons have in the end */
export async function untilEqual(
  world: World,
  problems: string[],
  contention: Contention | null,
): Promise<number> {
  const { scheduler, honest: hosts, ledger } = world;
  const patience =
    HEALING_MS_MAX + (world.settings.byzantine === null ? 0 : SILENCE_MS_MAX) + transferMs(world);
  let deadline = scheduler.time + patience;
  let shiftsFrom = scheduler.time + PATIENCE_MS;
  let shifts = 0;
  let isHelped = false;

  const operator = new Operator(world);
  await scheduler.runUntil(scheduler.time + SETTLE_MS);
  for (;;) {
    // This is repeated, because data that rotted while it was written can be read from the disk only later.
    readRotten(hosts);
    await scheduler.runUntil(scheduler.time + CHECK_EVERY_MS);
    for (const host of world.hosts) restartFailed(host);
    if (ledger.isTainted) {
      problems.push(...ledger.violations, ...foreignKeys(world));
      return 0;
    }

    let difference = unlevel(world);
    if (difference === null || scheduler.time >= shiftsFrom) {
      shiftsFrom = scheduler.time + PATIENCE_MS;
      // Entries that the byzantine member withheld may arrive even after the daemons are equal.
      if (shifts < SHIFTS_MAX && advanceClocks(world)) {
        shifts++;
        deadline = scheduler.time + patience;
        continue;
      }
    }

    if (difference === null) {
      const entries = finalEntries(world);
      const oracle = oracleOf(entries, world);
      difference = stateDifference(world, oracle);
      if (difference === null) {
        problems.push(...brokenPromises(world, entries, oracle));
        problems.push(...wrongClaims(world, entries, oracle));
        if (contention !== null)
          problems.push(...contention.wrong(entries, oracle.database, outcomesOf(world, entries)));
        return entries.length;
      }
    }

    if (scheduler.time < deadline) continue;
    if (!isHelped && hosts.some((host) => differsInForgotten(host, world))) {
      isHelped = true;
      deadline = scheduler.time + snapshotMs(hosts);
      continue;
    }
    if (operator.order()) {
      // A snapshot that was adopted by order may lack an entry that is damaged on another daemon.
      isHelped = false;
      deadline = scheduler.time + patience;
      continue;
    }

    problems.push(`not equal ${patience / 1000} s after the last fault: ${difference}`, ...ledger.violations);
    return 0;
  }
}

/**
 * Returns the milliseconds in which an empty host receives all entries. A host confirms each window only once it is on
 * the disk, so it receives one window per sync.
 */
function transferMs({ honest: hosts, settings }: World): number {
  const { windowBytes = PEERING_LIMITS.windowBytes } = settings.peering;
  const bytes = Math.max(...hosts.map(({ disk: { entries } }) => bytesIn(entries.values())));
  return PASSES * Math.floor(bytes / windowBytes) * settings.syncEveryMs;
}

/** Returns the milliseconds in which the members agree on a snapshot, and a daemon that needs it adopts it. */
const snapshotMs = (hosts: readonly Host[]): number =>
  SNAPSHOT_MS_MAX + (new Set(hosts.map(({ tail }) => tail)).size > 1 ? FURTHER_SNAPSHOTS_MS : 0);

const bytesIn = (values: Iterable<Buffer>): number =>
  [...values].reduce((sum, { length }) => sum + length, 0);

/**
 * Advances the clocks to the latest date ahead: daemons then fold the entries that wrong clocks dated, and accept the
 * entries signed by keys that those entries add.
 * @returns whether there are such entries
 */
function advanceClocks(world: World): boolean {
  const { honest: hosts } = world;
  const dates = hosts
    .map(({ disk }) => disk.orderKeys().at(-1))
    .map((orderKey) => (orderKey === undefined ? 0 : dateOf(orderKey)));
  const ahead = Math.max(...dates) - Math.min(...hosts.map((host) => host.clock())) - DUE_AHEAD_MS;
  if (ahead <= 0) return false;
  for (const host of world.hosts) host.clockOffset += ahead + DUE_AHEAD_MS;
  return true;
}

const dateOf = (orderKey: ByteString) => readOrderKey(Buffer.from(orderKey, "latin1")).at;

/** Reads rotten entries, since a daemon repairs only what it reads. */
function readRotten(hosts: readonly Host[]): void {
  for (const { daemon, disk } of hosts)
    for (const orderKey of [...disk.rotten])
      daemon?.timeline.read(readOrderKey(Buffer.from(orderKey, "latin1")));
}
