/**
 * Rounds in which clients of three daemons put jobs into a queue and take them out, while links between the daemons
 * are slow or cut and daemons are killed or suspended. Afterwards the rounds count the jobs that were lost.
 */

import { ActiveCluster } from "../../support/active-cluster.js";
import { amount } from "../../support/amount.js";
import { EARLY_PATTERNS } from "../../support/decided-patterns.js";
import { pause } from "../../support/pause.js";
import { SeededRandom } from "../../support/seeded-random.js";
import { Connections } from "../connections.js";
import { seed } from "../scenario.js";

/** The daemons of the tests, by index. */
export const DAEMONS = [0, 1, 2] as const;
/** The rounds that run at the same time, during the same faults. */
const ROUNDS_AT_ONCE = amount(8, 20);
/** The duration of a fault in milliseconds. */
const FAULT_MS_MIN = 30;
const FAULT_MS_MAX = 120;
/** The maximum time until a daemon is killed or suspended, if the members decide: the rounds take about that long. */
const START_MS_MAX = 600;
/** The duration for which a daemon is suspended. */
const SUSPENDED_MS = amount(600, 3000);
/** The probability that all links are held back for the whole time, instead of one after the other. */
const ALL_APART = 0.4;

type Fault = "slow links" | "cut links" | "kill" | "suspension";

/** The faults of groups of rounds, in turn. Most are slow links, because these need no time to reconnect. */
const FAULTS: readonly Fault[] = ["slow links", "slow links", "slow links", "cut links", "kill"];
/** The same, if the members decide. Slow links only delay the answers then. */
const DECIDED_FAULTS: readonly Fault[] = [
  ...(["kill", "suspension", "slow links"] as const),
  ...(["kill", "suspension", "cut links"] as const),
];

/** Returns the number of rounds: DBSYNC_SCENARIO_RUNS, or `all` in full runs, and otherwise as many as run at once. */
export const roundsOf = (all: number): number =>
  Number(process.env["DBSYNC_SCENARIO_RUNS"] ?? amount(ROUNDS_AT_ONCE, all));

/** What the rounds of a scenario have counted. */
export interface Figures {
  rounds: number;
  /** The jobs whose addition a daemon has acknowledged. */
  jobs: number;
  /** The jobs that clients have received. */
  received: number;
  /** Jobs that no client received and that no client can receive any more. */
  lost: number;
  /** Jobs that a client received and that the queue would give to another one again. */
  back: number;
  /** Jobs in the queue without their data. */
  withoutData: number;
  /** Keys that should expire and never do. */
  withoutLifetime: number;
  /** Jobs that more than one client received. */
  doubles: number;
  /** The maximum number of jobs that claims without an answer have taken, as when a Redis server is killed. */
  unanswered: number;
}

export const noFigures = (): Figures => ({
  rounds: 0,
  jobs: 0,
  received: 0,
  lost: 0,
  back: 0,
  withoutData: 0,
  withoutLifetime: 0,
  doubles: 0,
  unanswered: 0,
});

/** The figures that must be 0. */
export const PERFECT = { lost: 0, back: 0, withoutData: 0, withoutLifetime: 0 } as const;

export const failuresOf = ({ lost, back, withoutData, withoutLifetime }: Figures): typeof PERFECT =>
  ({ lost, back, withoutData, withoutLifetime }) as typeof PERFECT;

export const described = (name: string, figures: Figures): string =>
  `${name}: ${Object.entries(figures)
    .map(([what, count]) => `${what} ${count}`)
    .join(", ")}`;

/** One round: its keys and its connections. */
export interface Round {
  readonly number: number;
  readonly random: SeededRandom;
  /** The beginning of the names of the round's keys. */
  readonly key: string;
  readonly connections: Connections;
  /** The number of this round among those that run at the same time. */
  readonly lane: number;
}

export interface Play {
  readonly name: string;
  /** The number of rounds that run at the same time; by default ROUNDS_AT_ONCE. */
  readonly atOnce?: number;
  /** Whether daemons may be killed. */
  readonly withKills: boolean;
  /** Whether workers continue to write while the rounds are counted, so that daemons need not become equal. */
  readonly isContinuous?: boolean;
  /** Prepares a round before the faults. */
  prepare?(round: Round): Promise<void>;
  /** Adds jobs and claims them, during the faults. */
  work(round: Round): Promise<void>;
  /** Adds to the figures what became of the round's jobs. All daemons are equal now. */
  count(round: Round, figures: Figures): Promise<void>;
}

interface Options {
  readonly hasDocuments?: boolean;
  readonly hasMemcached?: boolean;
  /** Whether the members decide on all keys. Then daemons are also suspended. */
  readonly isDecided?: boolean;
}

/** Three daemons that stay the same for many rounds. */
export class ClaimRounds implements AsyncDisposable {
  readonly cluster: ActiveCluster;
  readonly connections: Connections;
  /** The number of kills so far. */
  kills = 0;
  readonly #isDecided: boolean;

  private constructor(cluster: ActiveCluster, isDecided: boolean) {
    this.cluster = cluster;
    this.connections = new Connections(cluster);
    this.#isDecided = isDecided;
  }

  static async start({ isDecided = false, ...options }: Options = {}): Promise<ClaimRounds> {
    // A pattern begins sooner, and what waits at a suspended daemon becomes too old to be decided.
    const args = () => (isDecided ? EARLY_PATTERNS : []);
    const cluster = await ActiveCluster.start(DAEMONS.length, { ...options, args });
    const rounds = new ClaimRounds(cluster, isDecided);
    if (isDecided)
      await cluster.decideOn(["*"]).catch(async (problem: unknown) => {
        await rounds[Symbol.asyncDispose]();
        throw problem;
      });
    return rounds;
  }

  /** Runs the rounds of a scenario. @param path  the number of the scenario, for its random numbers */
  async run(play: Play, path: number, rounds: number): Promise<Figures> {
    const figures = noFigures();
    const { atOnce = ROUNDS_AT_ONCE } = play;
    for (let first = 0; first < rounds; first += atOnce) {
      const epoch = first / atOnce;
      const lanes = Array.from({ length: Math.min(atOnce, rounds - first) }, (_, lane) => lane);
      const group = lanes.map(
        (lane): Round => ({
          number: first + lane,
          random: new SeededRandom(seed, path, first + lane),
          key: `${path}:${first + lane}`,
          connections: this.connections,
          lane,
        }),
      );

      await Promise.all(group.map((round) => play.prepare?.(round)));
      const random = new SeededRandom(seed, path, epoch, 1);
      // A fault is healed even if a round fails, so that the cluster can be stopped.
      const fault = this.#fault(random, epoch + path, play);
      await Promise.all(group.map((round) => play.work(round))).finally(() => fault);
      await fault;

      if (play.isContinuous !== true) await this.cluster.untilEqual();
      await Promise.all(group.map((round) => play.count(round, figures)));
      figures.rounds += group.length;
    }
    return figures;
  }

  /** Lets one fault happen, and heals it. @param turn  chooses it; first groups of scenarios have different ones */
  async #fault(random: SeededRandom, turn: number, { withKills }: Play): Promise<void> {
    const { cluster } = this;
    const length = () => pause(random.between(FAULT_MS_MIN, FAULT_MS_MAX));
    const faults = this.#isDecided ? DECIDED_FAULTS : FAULTS;
    const fault = faults[turn % faults.length];
    if (fault === "suspension") return await this.#suspend(random);
    if (fault === "kill" && withKills) return await this.#kill(random);

    if (fault === "cut links") {
      cluster.areApart = true;
      await length();
      cluster.areApart = false;
    } else if (random.chance(ALL_APART)) {
      this.hold(true);
      await length();
      await length();
    } else {
      for (let step = 0; step < 4; step++) {
        const one = random.oneOf(DAEMONS);
        cluster.hold(one, (one + 1) % DAEMONS.length, random.chance(0.7));
        await length();
      }
    }

    this.hold(false);
  }

  /** Kills a daemon: while the members decide, or else before other daemons have its last writes. */
  async #kill(random: SeededRandom): Promise<void> {
    const { cluster } = this;
    const victim = random.oneOf(DAEMONS);
    this.hold(!this.#isDecided);
    await pause(random.between(FAULT_MS_MIN, this.#isDecided ? START_MS_MAX : FAULT_MS_MAX));
    this.kills++;
    await cluster.end(victim, "SIGKILL");
    this.hold(false);
    await cluster.restart(victim);
  }

  async #suspend(random: SeededRandom): Promise<void> {
    const { cluster } = this;
    const suspended = random.oneOf(DAEMONS);
    await pause(random.between(FAULT_MS_MIN, START_MS_MAX));
    cluster.hang(suspended);
    await pause(SUSPENDED_MS);
    cluster.resume(suspended);
    await cluster.untilWritable(suspended);
  }

  /** Holds back all bytes between the daemons, or forwards them again. */
  hold(isHeld: boolean): void {
    for (const one of DAEMONS) this.cluster.hold(one, (one + 1) % DAEMONS.length, isHeld);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connections[Symbol.asyncDispose]();
    await this.cluster[Symbol.asyncDispose]();
  }
}
