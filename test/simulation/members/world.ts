/** One run of the model of daemons, a network, operators and clients: a phase with faults, and then one without. */
import { SeededRandom } from "../../support/seeded-random.js";
import { Daemon } from "./daemon.js";
import { bitsOf, Envelopes } from "./envelopes.js";
import { Ledger } from "./ledger.js";
import { CLUSTER, Lists } from "./lists.js";
import { Network } from "./network.js";
import { firstMembers, Operator } from "./operator.js";
import type { Rules } from "./rules.js";
import {
  DAEMONS_MAX,
  drawSettings,
  FAULTS_UNTIL,
  HEALED_WITHIN,
  LIMITS,
  type Settings,
  TICK_MS,
} from "./settings.js";
import type { Surroundings } from "./surroundings.js";

const DAY_MS = 86_400_000;
const BEGIN_MS = 1_800_000_000_000;
const DRIFT_MS = 500;
const CLOCK_STEPS = [0, 3000, -3000, 60_000, -60_000, DAY_MS, -DAY_MS];

export interface Verdict {
  readonly problems: readonly string[];
  readonly settings: Settings;
  /** Ticks from the last fault until the cluster had recovered, or null if it never did. */
  readonly healedAfter: number | null;
  readonly stableMoves: number;
  readonly lists: number;
  readonly envelopes: number;
  readonly deadLetters: number;
}

export class World {
  readonly #random: SeededRandom;
  readonly #settings: Settings;
  readonly #rules: Rules;
  readonly #lists: Lists;
  readonly #envelopes = new Envelopes();
  readonly #ledger = new Ledger(this.#envelopes);
  readonly #network: Network;
  readonly #daemons: Daemon[] = [];
  readonly #operator: Operator;
  readonly #around: Surroundings;
  #tick = 0;
  #downUntil: number[] = [];
  #pausedUntil: number[] = [];
  /** The other daemons' numbers, by daemon. */
  #others: (readonly number[])[] = [];

  constructor(seed: number, rules: Rules) {
    const random = new SeededRandom(seed);
    this.#random = random;
    this.#settings = drawSettings(random);
    this.#rules = rules;
    this.#lists = new Lists(rules);
    this.#network = new Network(random, this.#settings);

    this.#around = {
      rules,
      settings: this.#settings,
      random,
      lists: this.#lists,
      envelopes: this.#envelopes,
      ledger: this.#ledger,
      time: () => this.#time,
      others: (own) => this.#others[own] as readonly number[],
      send: (message) => this.#network.send(this.#tick, message),
    };

    this.#operator = new Operator({
      ...this.#around,
      daemons: this.#daemons,
      begin: () => this.#begin(true),
    });
    this.#first();
  }

  run(): Verdict {
    for (; this.#tick < FAULTS_UNTIL; this.#tick++) {
      this.#faults();
      this.#operator.act();
      this.#write(this.#settings.writes);
      this.#pass();
    }
    const healedAfter = this.#heal();
    if (healedAfter === null) this.#ledger.problem(-1, this.#differences());
    else this.#judge();
    const { problems, stableMoves, reportedDead } = this.#ledger;
    return {
      problems,
      settings: this.#settings,
      healedAfter,
      stableMoves,
      lists: this.#lists.all.length,
      envelopes: this.#envelopes.dates.length,
      deadLetters: bitsOf(reportedDead).length,
    };
  }

  get #time(): number {
    return BEGIN_MS + this.#tick * TICK_MS;
  }

  /** Starts all daemons of the first list, live and empty. */
  #first(): void {
    const { members, withoutData } = this.#settings;
    const numbers: number[] = [];
    for (let number = 0; number < members; number++) {
      this.#begin(number !== withoutData);
      if (number !== withoutData || !this.#rules.needsData) numbers.push(number);
    }
    const list = this.#rules.nextList([], firstMembers(numbers), CLUSTER);
    if (typeof list === "string") throw new Error(list);
    const lists = this.#lists.add(list);
    for (const number of numbers) {
      const daemon = this.#daemons[number] as Daemon;
      Object.assign(daemon.disk.durable, { lists, isLive: 1 });
      daemon.start();
    }
  }

  #begin(hasData: boolean): Daemon {
    const daemon = new Daemon(this.#daemons.length, this.#around, hasData);
    daemon.clock.offset = this.#random.between(-DRIFT_MS, DRIFT_MS);
    daemon.start();
    this.#daemons.push(daemon);
    this.#meet();
    return daemon;
  }

  /** Informs each daemon of the addresses of the other daemons that have not been wiped. */
  #meet(): void {
    const running = this.#daemons.filter(({ isWiped }) => !isWiped).map(({ number }) => number);
    this.#others = this.#daemons.map(({ number }) => running.filter((other) => other !== number));
  }

  #isThere({ isUp, number }: Daemon): boolean {
    return isUp && (this.#pausedUntil[number] ?? 0) <= this.#tick;
  }

  #pass(): void {
    this.#ledger.tick = this.#tick;
    for (const message of this.#network.take(this.#tick)) {
      const to = this.#daemons[message.to] as Daemon;
      if (this.#isThere(to)) to.receive(message);
    }
    for (const daemon of this.#random.shuffled(this.#daemons))
      if (this.#isThere(daemon)) daemon.act(this.#tick);
    if (this.#tick % 3 === 0) this.#operator.queryOutcomes();
  }

  #faults(): void {
    const { crash, crashAtList, pause, partition, wipe, wrongClock } = this.#settings;
    const random = this.#random;

    for (const daemon of this.#daemons) {
      const { number } = daemon;
      if (!daemon.isUp) {
        if (this.#tick >= (this.#downUntil[number] ?? 0) && !daemon.isWiped) daemon.start();
        continue;
      }
      if (pause > 0 && random.chance(pause)) this.#pausedUntil[number] = this.#tick + random.below(30);

      const hasNewList = (daemon.lists & ~daemon.disk.durable.lists) !== 0;
      if (!random.chance(hasNewList ? Math.max(crash, crashAtList) : crash)) continue;
      daemon.crash();
      this.#downUntil[number] = this.#tick + random.below(random.oneOf([2, 6, 30]));
      if (random.chance(wipe * 10)) this.#wipe(daemon);
    }

    if (wipe > 0 && random.chance(wipe)) this.#wipe(random.oneOf(this.#daemons));
    if (partition > 0 && random.chance(partition)) this.#cut();
    if (random.chance(0.08)) this.#network.repair();
    const wrong = this.#daemons[wrongClock];
    if (wrong !== undefined && random.chance(0.06)) wrong.clock.offset = random.oneOf(CLOCK_STEPS);
  }

  #wipe(daemon: Daemon): void {
    if (daemon.isWiped || !this.#operator.isSoundWithout(daemon)) return;
    daemon.crash();
    daemon.disk.wipe();
    daemon.stable.publishedPoint = 0;
    daemon.isWiped = true;
    this.#meet();
    if (this.#rules.replacesLost) return;
    daemon.isWiped = false;
    this.#meet();
    this.#ledger.onDisk[daemon.number] = 0;
  }

  /** Divides the daemons into two sides, and cuts all links between them or only those in one direction. */
  #cut(): void {
    const random = this.#random;
    const side = random.below(1 << this.#daemons.length);
    const isOneWay = random.chance(0.3);
    for (let from = 0; from < DAEMONS_MAX; from++)
      for (let to = 0; to < DAEMONS_MAX; to++) {
        const [a, b] = [(side >> from) & 1, (side >> to) & 1];
        if (isOneWay ? a > b : a !== b) this.#network.cut(from, to);
      }
  }

  /** Sends a new envelope to some daemons, or an earlier one again. */
  #write(chance: number): void {
    const random = this.#random;
    if (!random.chance(chance)) return;
    const first = random.oneOf(this.#daemons);
    const isAgain = random.chance(0.25) && this.#envelopes.dates.length > 0;
    const at = random.chance(0.5) ? first.clock.now : this.#time + random.between(-2 * LIMITS.past, 2000);
    const bit = isAgain ? 1 << random.below(this.#envelopes.dates.length) : this.#envelopes.add(at);
    if (bit === 0) return;
    const to = random.chance(0.5) ? [first] : this.#daemons.filter(() => random.chance(0.5));
    for (const daemon of to) if (this.#isThere(daemon)) daemon.write(bit);
  }

  /** Ends the faults. @returns the ticks until the cluster had recovered, or null if it never did */
  #heal(): number | null {
    const from = this.#time;
    this.#network.repair();
    const { wrongClock } = this.#settings;
    const staysWrong = this.#random.chance(0.5);
    for (const daemon of this.#daemons) if (!daemon.isUp && !daemon.isWiped) daemon.start();
    this.#pausedUntil = [];

    for (let after = 0; after < HEALED_WITHIN; after++, this.#tick++) {
      const wrong = this.#daemons[wrongClock];
      // With only two members, no majority can show which clock is wrong. The wrong clock is therefore corrected.
      if (wrong !== undefined && (!staysWrong || this.#members.length < 3)) wrong.clock.offset = 0;
      if (after % 4 === 0) this.#operator.repair();
      if (after < 20) this.#write(0.2);
      this.#pass();
      if (after > 20 && this.#hasRecovered(from)) return after;
    }
    return null;
  }

  /** The members of the newest list. */
  get #members(): Daemon[] {
    const { heads } = this.#lists.membership((1 << this.#lists.all.length) - 1);
    return this.#daemons.filter(({ id }) => heads[0]?.list.members.includes(id));
  }

  #hasRecovered(from: number): boolean {
    const members = this.#members;
    const held = members[0]?.disk.durable.held;
    return members.every(
      (member) =>
        member.isLive &&
        member.disk.durable.held === held &&
        member.held === held &&
        member.stable.publishedPoint >= from,
    );
  }

  #differences(): string {
    const states = this.#members.map(({ number, isLive, isWiped, held, stable, lists }) =>
      [
        `${number}${isLive ? "" : " not live"}${isWiped ? " lost" : ""}: ${held.toString(16)}`,
        `stable ${(stable.publishedPoint - BEGIN_MS) / 1000} lists ${lists.toString(2)}`,
      ].join(" "),
    );
    return `the cluster has not recovered after ${HEALED_WITHIN} ticks: ${states.join("; ")}`;
  }

  /** Checks, after the recovery, that the daemons have kept their promises and reported the right outcomes. */
  #judge(): void {
    const ledger = this.#ledger;
    const members = this.#members;
    const final = members[0]?.held ?? 0;
    if ((ledger.onAll & ~final) !== 0) ledger.problem(-1, "an entry that all members had on disk is lost");
    if ((ledger.reportedHeld & ~final) !== 0)
      ledger.problem(-1, "a write that was reported as held is missing");
    if ((ledger.reportedDead & final) !== 0)
      ledger.problem(-1, "a write that was reported as a dead letter is held");
    for (const daemon of this.#daemons) {
      if (daemon.isWiped) continue;
      const lost = (ledger.onDisk[daemon.number] ?? 0) & ~final;
      if (members.includes(daemon) ? lost !== 0 : (lost & ~daemon.disk.durable.firstHand) !== 0)
        ledger.problem(daemon.number, "an entry that it had on disk is lost");
    }
  }
}
