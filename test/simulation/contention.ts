/**
 * Clients that contend for counters and locks by units with conditions, on which the members of a list decide. An
 * acknowledged increment must be part of the counter in the end, and a lock must never have two holders, unless the
 * decision is lost, as `DecisionLedger` defines it.
 * Source: docs/consistency.md "What a decision guarantees".
 */

import type { Database } from "../../daemon/store/database.js";
import type { Entry } from "../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { SeededRandom } from "../support/seeded-random.js";
import { randomBytes, shortId } from "./cast.js";
import type { Outcomes, UnitOfEnvelope } from "./decisions.js";
import type { Outcome, Sent } from "./ledger.js";
import { isInEach } from "./lists/known-lists.js";
import type { Settings } from "./settings.js";
import { conditionsIn, type DrawnUnit, disagreements, drawUnits, type UnitSource } from "./several-units.js";
import { type SimulatedKey, sign } from "./signatures.js";
import type { Host, World } from "./world.js";

const COUNTERS = ["contended:counter-0", "contended:counter-1"];
const LOCKS = ["contended:lock-0", "contended:lock-1"];
/** Keys of which only the outcomes of several units of one envelope are checked, against each other. */
const TEXTS = ["contended:text-0", "contended:text-1"];
const HASHES = ["contended:hash-0"];
/** Commands of other clients that may remove all keys. */
const CLEARS: readonly ByteString[] = ["FLUSHALL", "FLUSHDB", "SWAPDB"];

/** The numbers of clients that act at the same time; one of them is drawn. */
const RIVALS: readonly number[] = [1, 1, 2, 3];
/** The share of units that increment a counter; the others take a lock. */
const INCREMENTS = 0.6;
/** The share of the envelopes with several units that also take locks, and maximum number of locks. */
const LOCKING = 0.4;
const LOCKS_MAX = 3;
/** The share of the envelopes with several units that are sent again later, often after their decision. */
const REPLAYED = 0.2;
const REPLAY_AFTER_MS: readonly [number, number] = [500, 30_000];
/** The share of units that are sent to some of the daemons only. */
const TO_SOME = 0.3;
/** Maximum error of a client's clock, in milliseconds. */
const CLOCK_ERROR_MS = 300;
/** Milliseconds between two attempts of a client, and until it stops waiting. */
const RETRY_MS: readonly [number, number] = [300, 3_000];
const DEADLINE_MS = 8_000;
/** Milliseconds for which a client holds a lock, and between its attempts to release it. */
const HELD_MS: readonly [number, number] = [20, 1_500];
const RELEASES_MAX = 6;
/** Milliseconds within which running, connected members decide a unit, in addition to this number of disk syncs. */
const DECIDED_MS_MAX = 15_000;
const SYNCS = 10;

/** Returns the milliseconds within which running, connected members decide a unit. */
export const decidedMsMax = ({ syncEveryMs }: Pick<Settings, "syncEveryMs">): number =>
  DECIDED_MS_MAX + SYNCS * syncEveryMs;

/**
 * The number of disk syncs that a decision may take. If they take longer than the window, clients stop waiting before.
 */
export const SYNCS_OF_A_DECISION = 4;

/** What a client learns about its unit. */
interface Watcher {
  /** Called when the first answer arrives. @param isApplied  whether the condition held */
  readonly decided?: (isApplied: boolean, unit: UnitOfEnvelope) => void;
  /** Called when the client stops waiting. */
  readonly gaveUp?: () => void;
  /** Whether the client sends the unit to all daemons at first; otherwise often to some. */
  readonly isSentToAll?: boolean;
}

interface ContendedUnit extends DrawnUnit {
  readonly watcher: Watcher;
}

/** A client that holds a lock. */
interface Holder {
  readonly token: ByteString;
  /** The unit that took the lock. */
  readonly unit: UnitOfEnvelope;
}

export class Contention {
  readonly #world: World;
  readonly #key: SimulatedKey;
  /** Its own generator, so that its draws do not change the rest of the run. */
  readonly #random: SeededRandom;
  /** Another one, so that envelopes of one unit do not depend on those of several units. */
  readonly #several: SeededRandom;
  readonly #increments: UnitOfEnvelope[] = [];
  /** The ids of the envelopes with several units. */
  readonly #ofSeveral: ByteString[] = [];
  /** By lock. */
  readonly #holders = new Map<ByteString, Holder>();
  /** The locks that two clients held at the same time, with the units of those that held them first. */
  readonly #shared: { readonly unit: UnitOfEnvelope; readonly text: string }[] = [];
  #tokens = 0;

  constructor(world: World, seed: number, key: SimulatedKey) {
    this.#world = world;
    this.#key = key;
    this.#random = new SeededRandom(seed, 8);
    this.#several = new SeededRandom(seed, 12);
  }

  /** Lets clients contend while the run's faults happen. */
  sow(): void {
    const { scheduler, settings } = this.#world;
    const random = this.#random;
    for (let left = settings.contended; left > 0; ) {
      const rivals = Math.min(left, random.oneOf(RIVALS));
      const isIncrement = random.chance(INCREMENTS);
      const key = random.oneOf(isIncrement ? COUNTERS : LOCKS);
      left -= rivals;
      scheduler.after(random.below(settings.workMs), null, () => {
        for (let rival = 0; rival < rivals; rival++) {
          if (this.#several.chance(settings.several)) this.#actBySeveral();
          else if (isIncrement) this.#increment(key);
          else this.#acquire(key);
        }
      });
    }
  }

  /**
   * Increments a counter after the faults, unless the lists name a liar, which may prevent decisions.
   * @returns a problem if no member has answered, or decided in a run in which answers come too late; otherwise null
   */
  async probe(): Promise<string | null> {
    const { scheduler, settings, hosts, heads, ledger } = this.#world;
    if (hosts.some((host) => host.isByzantine && isInEach(heads, host))) return null;

    const patience = decidedMsMax(settings);
    const deadline = scheduler.time + patience;
    const first = this.#increments.length;
    const isLate = settings.window.past < SYNCS_OF_A_DECISION * settings.syncEveryMs;

    // A member may answer after the client has stopped waiting.
    const isDone = () =>
      this.#increments.slice(first).some((unit) => {
        const { decisions } = ledger;
        return decisions.wordOn(unit) !== null || (isLate && decisions.isDecided(unit.id));
      });

    const attempt = () => {
      // A daemon that is no member does not decide, and its client may be too late for the members.
      if (!isDone() && scheduler.time < deadline)
        this.#increment(COUNTERS[0] as string, { gaveUp: attempt, isSentToAll: true });
    };

    attempt();
    await scheduler.runUntil(deadline, isDone);
    return isDone() ? null : `no unit was decided within ${patience / 1000} s`;
  }

  /** Returns how the final state differs from the answers to clients. @param entries  the final entries */
  wrong(entries: readonly Entry[], database: Database, outcomes: Outcomes): string[] {
    const { ledger, settings } = this.#world;
    const decisions = this.#ofSeveral.flatMap((id) => ledger.decisions.on(id));
    // An honest member has evaluated each of them, whatever the keeper is, except perhaps after two votes for one slot.
    const isSound = settings.byzantine === null || !ledger.decisions.isContradictory;
    const problems = isSound ? decisions.flatMap(disagreements) : [];
    // Two decisions of one slot, which a liar can make, may find the same condition true.
    if (ledger.decisions.isContradictory) return problems;

    const calls = entries.flatMap(({ envelope }) => envelope.commands);
    if (calls.some(([name = ""]) => CLEARS.includes(name.toUpperCase()))) return problems;
    const finalValue = (key: ByteString) => database.keyspaces[0]?.find(key)?.content ?? null;
    const sum = COUNTERS.reduce((total, key) => total + Number(finalValue(key) ?? 0), 0);
    const isLost = (unit: UnitOfEnvelope) => ledger.decisions.isLost(unit, outcomes);

    let [applied, open] = [0, 0];
    for (const unit of this.#increments) {
      const word = ledger.decisions.wordOn(unit);
      if (word === "applied" && !isLost(unit)) applied++;
      // A unit of which the decision is lost may be decided again.
      else if (word === null || (word === "unmet" && isLost(unit))) open++;
    }

    problems.push(...this.#shared.filter(({ unit }) => !isLost(unit)).map(({ text }) => text));
    if (sum < applied || sum > applied + open)
      problems.push(
        `${applied} increments were acknowledged and ${open} may be applied, but the counters have ${sum}`,
      );
    for (const [lock, { token, unit }] of this.#holders)
      if (finalValue(lock) !== token && !isLost(unit))
        problems.push(`${token} holds ${lock}, but the lock is gone`);
    return problems;
  }

  #increment(key: ByteString, watcher: Watcher = {}): void {
    const found = this.#find(key);
    if (found === null) return void watcher.gaveUp?.();
    const conditions = [{ db: 0, key, writer: found.writer }];
    const id = this.#send([{ argv: ["INCR", key], conditions, watcher }]);
    this.#increments.push({ id, index: 0 });
  }

  #acquire(lock: ByteString): void {
    this.#send([this.#acquisition(lock)]);
  }

  /** Returns the unit that takes a lock. */
  #acquisition(lock: ByteString): ContendedUnit {
    const token = `holder-${this.#tokens++}`;
    let hasGivenUp = false;
    const watcher: Watcher = {
      decided: (isApplied, unit) => {
        if (!isApplied || hasGivenUp) return;
        const holder = this.#holders.get(lock);
        if (holder !== undefined)
          this.#shared.push({ unit: holder.unit, text: `${holder.token} and ${token} both hold ${lock}` });
        this.#holders.set(lock, { token, unit });
        this.#later(() => this.#release(lock, token));
      },
      gaveUp: () => {
        hasGivenUp = true;
        this.#release(lock, token);
      },
    };
    return { argv: ["SET", lock, token, "NX"], conditions: null, watcher };
  }

  /** Sends an envelope with several units. */
  #actBySeveral(): void {
    const random = this.#several;
    const source: UnitSource = {
      random,
      numbers: COUNTERS,
      texts: TEXTS,
      hashes: HASHES,
      value: () => `text-${this.#tokens++}`,
      condition: (key) => ({ db: 0, key, writer: this.#find(key, random)?.writer ?? "" }),
    };
    const units: ContendedUnit[] = drawUnits(source).map((unit) => ({ ...unit, watcher: {} }));
    for (let left = random.chance(LOCKING) ? random.between(1, LOCKS_MAX) : 0; left > 0; left--)
      units.splice(random.below(units.length + 1), 0, this.#acquisition(random.oneOf(LOCKS)));
    const id = this.#send(units, random);
    this.#ofSeveral.push(id);
    for (const [index, { argv }] of units.entries())
      if (argv[0] === "INCR") this.#increments.push({ id, index });
  }

  /** Removes a lock if this client still holds it. @param left  the number of further attempts */
  #release(lock: ByteString, token: ByteString, left = RELEASES_MAX): void {
    const found = this.#find(lock);
    if (found?.value !== token) {
      if (left > 0) this.#later(() => this.#release(lock, token, left - 1));
      return;
    }
    if (this.#holders.get(lock)?.token === token) this.#holders.delete(lock);
    const conditions = [{ db: 0, key: lock, writer: found.writer }];
    this.#send([{ argv: ["DEL", lock], conditions, watcher: {} }]);
  }

  #later(run: () => void): void {
    this.#world.scheduler.after(this.#random.between(...HELD_MS), null, run);
  }

  /** Reads a key of a random daemon. @returns null if the daemon is not running */
  #find(
    key: ByteString,
    random = this.#random,
  ): { readonly value: unknown; readonly writer: ByteString } | null {
    const { daemon } = random.oneOf(this.#world.hosts);
    if (daemon === null) return null;
    const found = daemon.timeline.database.keyspaces[0]?.find(key);
    return { value: found?.content ?? null, writer: found?.writer ?? "" };
  }

  /** Sends an envelope. @returns its id */
  #send(units: readonly ContendedUnit[], random = this.#random): ByteString {
    const { hosts, scheduler, genesis, ledger, trace } = this.#world;
    const clocks = hosts.map((host) => host.clock()).sort((a, b) => a - b);
    const at = (clocks[(clocks.length - 1) >> 1] as number) + random.between(-CLOCK_ERROR_MS, CLOCK_ERROR_MS);

    const header = { cluster: genesis.cluster, nonce: randomBytes(random, 16), at, seq: 0, decide: true };
    const commands = units.map(({ argv }) => argv);
    const entry = sign(this.#key, { ...header, ...conditionsIn(units) }, commands);
    const sent: Sent = { entry, isRead: false, outcomes: [] };
    ledger.sent.set(entry.id, sent);
    trace("rival", () => `signs ${shortId(entry.id)}: ${commands.map((argv) => argv.join(" ")).join("; ")}`);

    const call: Call = { sent, waiting: new Map(units.entries()), random };
    const some = random.chance(TO_SOME) ? random.between(1, hosts.length) : hosts.length;
    const count = units[0]?.watcher.isSentToAll ? hosts.length : some;
    for (const host of random.shuffled(hosts).slice(0, count)) this.#deliver(call, host);
    this.#retry(call, scheduler.time + DEADLINE_MS);

    if (units.length > 1 && random.chance(REPLAYED))
      scheduler.after(random.between(...REPLAY_AFTER_MS), null, () =>
        this.#deliver(call, random.oneOf(hosts)),
      );
    return entry.id;
  }

  #retry(call: Call, deadline: number): void {
    const { scheduler, hosts } = this.#world;
    const { random, waiting } = call;
    scheduler.after(random.between(...RETRY_MS), null, () => {
      if (waiting.size === 0) return;
      if (scheduler.time > deadline) {
        const left = [...waiting.values()];
        waiting.clear();
        for (const { watcher } of left) watcher.gaveUp?.();
        return;
      }
      this.#deliver(call, random.oneOf(hosts));
      this.#retry(call, deadline);
    });
  }

  #deliver(call: Call, host: Host): void {
    const { network, ledger, trace } = this.#world;
    const { entry, outcomes } = call.sent;
    network.send("rival", host.name, () => {
      const outcome: Outcome = { host: host.name, kind: null };
      outcomes.push(outcome);
      host.send(entry, undefined, (answer) => {
        outcome.kind = host.isByzantine ? "unknown" : answer.kind === "refused" ? answer.effect : "result";
        const text = answer.kind === "refused" ? answer.code : answer.kind;
        trace(host.name, () => `answers ${shortId(entry.id)}: ${text}`);
        if (answer.kind !== "result" || host.isByzantine) return;
        const words = ledger.decisions.answered(entry, answer);
        network.send(host.name, "rival", () => {
          for (const [index, word] of words.entries()) {
            const unit = call.waiting.get(index);
            if (word === null || unit === undefined) continue;
            call.waiting.delete(index);
            unit.watcher.decided?.(word === "applied", { id: entry.id, index });
          }
        });
      });
    });
  }
}

interface Call {
  readonly sent: Sent;
  /** The units whose outcomes the client waits for, by their indexes. */
  readonly waiting: Map<number, ContendedUnit>;
  readonly random: SeededRandom;
}
