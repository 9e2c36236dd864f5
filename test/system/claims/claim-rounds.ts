/**
 * Rounds in which clients of three daemons put jobs into a queue and take them out, while links between the daemons
 * are slow or cut and daemons are killed. Afterwards the rounds count the jobs that were lost.
 */

import { ActiveCluster } from "../../support/active-cluster.js";
import { amount } from "../../support/amount.js";
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
/** The probability that all links are held back for the whole time, instead of one after the other. */
const ALL_APART = 0.4;

/** Returns the number of rounds: DBSYNC_SCENARIO_RUNS, or `all` in full runs, and otherwise as many as run at once. */
export const roundsOf = (all: number): number =>
  Number(process.env["DBSYNC_SCENARIO_RUNS"] ?? amount(ROUNDS_AT_ONCE, all));

/** What the rounds of a scenario have counted. */
export interface Figures {
  rounds: number;
  /** The jobs whose addition a daemon has acknowledged. */
  jobs: number;
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
  /** Claims that a killed daemon may have executed without an answer. Each may have taken one job, as with Redis. */
  unanswered: number;
}

export const noFigures = (): Figures => ({
  rounds: 0,
  jobs: 0,
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
  /** Adds jobs and claims them, during the faults. */
  work(round: Round): Promise<void>;
  /** Adds to the figures what became of the round's jobs. All daemons are equal now. */
  count(round: Round, figures: Figures): Promise<void>;
}

/** Three daemons that stay the same for many rounds. */
export class ClaimRounds implements AsyncDisposable {
  readonly cluster: ActiveCluster;
  readonly connections: Connections;
  /** The number of kills so far. */
  kills = 0;

  private constructor(cluster: ActiveCluster) {
    this.cluster = cluster;
    this.connections = new Connections(cluster);
  }

  static async start(options: { readonly hasDocuments?: boolean } = {}): Promise<ClaimRounds> {
    return new ClaimRounds(await ActiveCluster.start(DAEMONS.length, options));
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

      const random = new SeededRandom(seed, path, epoch, 1);
      // A fault is healed even if a round fails, so that the cluster can be stopped.
      const fault = this.#fault(random, epoch, play);
      await Promise.all(group.map((round) => play.work(round))).finally(() => fault);
      await fault;

      if (play.isContinuous !== true) await this.cluster.untilEqual();
      await Promise.all(group.map((round) => play.count(round, figures)));
      figures.rounds += group.length;
    }
    return figures;
  }

  /** Lets one fault happen, and heals it. Most are slow links, because these need no time to reconnect. */
  async #fault(random: SeededRandom, epoch: number, { withKills }: Play): Promise<void> {
    const { cluster } = this;
    const length = () => pause(random.between(FAULT_MS_MIN, FAULT_MS_MAX));
    const kind = epoch % 5;
    if (kind === 4 && withKills) {
      const victim = random.oneOf(DAEMONS);
      this.hold(true);
      await length();
      this.kills++;
      await cluster.end(victim, "SIGKILL");
      this.hold(false);
      return await cluster.restart(victim);
    }

    if (kind === 3) {
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

  /** Holds back all bytes between the daemons, or forwards them again. */
  hold(isHeld: boolean): void {
    for (const one of DAEMONS) this.cluster.hold(one, (one + 1) % DAEMONS.length, isHeld);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.connections[Symbol.asyncDispose]();
    await this.cluster[Symbol.asyncDispose]();
  }
}
