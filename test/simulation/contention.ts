/**
 * Clients that contend for counters and locks by units with conditions, on which the members of a list decide. An
 * acknowledged increment must be part of the counter in the end, and a lock must never have two holders, unless the
 * decision is lost, as `DecisionLedger` defines it.
 * Source: docs/consistency.md "Conditional writes".
 */

import type { Database } from "../../daemon/store/database.js";
import type { Entry } from "../../daemon/timeline/entries/entry.js";
import type { ByteString } from "../../protocol/byte-string.js";
import type { Condition } from "../../protocol/version-2/envelope.js";
import { SeededRandom } from "../support/seeded-random.js";
import { randomBytes, shortId } from "./cast.js";
import type { Outcomes } from "./decisions.js";
import type { Outcome, Sent } from "./ledger.js";
import { isInEach } from "./lists/known-lists.js";
import { type SimulatedKey, sign } from "./signatures.js";
import type { Host, World } from "./world.js";

type Argv = readonly ByteString[];

const COUNTERS = ["contended:counter-0", "contended:counter-1"];
const LOCKS = ["contended:lock-0", "contended:lock-1"];
/** Commands of other clients that may remove all keys. */
const CLEARS: readonly ByteString[] = ["FLUSHALL", "FLUSHDB", "SWAPDB"];

/** The numbers of clients that act at the same time; one of them is drawn. */
const RIVALS: readonly number[] = [1, 1, 2, 3];
/** The share of units that increment a counter; the others take a lock. */
const INCREMENTS = 0.6;
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
/**
 * The number of disk syncs that a decision may take. If they take longer than the window, clients stop waiting before.
 */
const SYNCS_OF_A_DECISION = 4;

/** What a client learns about its unit. */
interface Watcher {
  /** Called when the first answer arrives. @param isApplied  whether the condition held */
  readonly decided?: (isApplied: boolean) => void;
  /** Called when the client stops waiting. */
  readonly gaveUp?: () => void;
  /** Whether the client sends the unit to all daemons at first; otherwise often to some. */
  readonly isSentToAll?: boolean;
}

/** A client that holds a lock. */
interface Holder {
  readonly token: ByteString;
  /** The id of the unit that took the lock. */
  readonly unit: ByteString;
}

export class Contention {
  readonly #world: World;
  readonly #key: SimulatedKey;
  /** Its own generator, so that its draws do not change the rest of the run. */
  readonly #random: SeededRandom;
  readonly #increments: Sent[] = [];
  /** By lock. */
  readonly #holders = new Map<ByteString, Holder>();
  /** The locks that two clients held at the same time, with the units of those that held them first. */
  readonly #shared: { readonly unit: ByteString; readonly text: string }[] = [];
  #tokens = 0;

  constructor(world: World, seed: number, key: SimulatedKey) {
    this.#world = world;
    this.#key = key;
    this.#random = new SeededRandom(seed, 8);
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
          if (isIncrement) this.#increment(key);
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
    const patience = DECIDED_MS_MAX + SYNCS * settings.syncEveryMs;
    const deadline = scheduler.time + patience;
    const first = this.#increments.length;
    const isLate = settings.window.past < SYNCS_OF_A_DECISION * settings.syncEveryMs;
    // A member may answer after the client has stopped waiting.
    const isDone = () =>
      this.#increments.slice(first).some(({ entry: { id } }) => {
        const { decisions } = ledger;
        return decisions.wordOn(id) !== null || (isLate && decisions.isDecided(id));
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
    const { ledger } = this.#world;
    // Two decisions of one slot, which a liar can make, may find the same condition true.
    if (ledger.decisions.isContradictory) return [];
    const calls = entries.flatMap(({ envelope }) => envelope.commands);
    if (calls.some(([name = ""]) => CLEARS.includes(name.toUpperCase()))) return [];
    const finalValue = (key: ByteString) => database.keyspaces[0]?.find(key)?.content ?? null;
    const sum = COUNTERS.reduce((total, key) => total + Number(finalValue(key) ?? 0), 0);
    const isLost = (unit: ByteString) => ledger.decisions.isLost(unit, outcomes);
    let [applied, open] = [0, 0];
    for (const { entry } of this.#increments) {
      const word = ledger.decisions.wordOn(entry.id);
      if (word === "applied" && !isLost(entry.id)) applied++;
      // A unit of which the decision is lost may be decided again.
      else if (word === null || (word === "unmet" && isLost(entry.id))) open++;
    }
    const problems = this.#shared.filter(({ unit }) => !isLost(unit)).map(({ text }) => text);
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
    this.#increments.push(this.#send(["INCR", key], conditions, watcher));
  }

  #acquire(lock: ByteString): void {
    const token = `holder-${this.#tokens++}`;
    let hasGivenUp = false;
    const { entry } = this.#send(["SET", lock, token, "NX"], null, {
      decided: (isApplied) => {
        if (!isApplied || hasGivenUp) return;
        const holder = this.#holders.get(lock);
        if (holder !== undefined)
          this.#shared.push({ unit: holder.unit, text: `${holder.token} and ${token} both hold ${lock}` });
        this.#holders.set(lock, { token, unit: entry.id });
        this.#later(() => this.#release(lock, token));
      },
      gaveUp: () => {
        hasGivenUp = true;
        this.#release(lock, token);
      },
    });
  }

  /** Removes a lock if this client still holds it. @param left  the number of further attempts */
  #release(lock: ByteString, token: ByteString, left = RELEASES_MAX): void {
    const found = this.#find(lock);
    if (found?.value !== token) {
      if (left > 0) this.#later(() => this.#release(lock, token, left - 1));
      return;
    }
    if (this.#holders.get(lock)?.token === token) this.#holders.delete(lock);
    this.#send(["DEL", lock], [{ db: 0, key: lock, writer: found.writer }], {});
  }

  #later(run: () => void): void {
    this.#world.scheduler.after(this.#random.between(...HELD_MS), null, run);
  }

  /** Reads a key of a random daemon. @returns null if the daemon is not running */
  #find(key: ByteString): { readonly value: unknown; readonly writer: ByteString } | null {
    const { daemon } = this.#random.oneOf(this.#world.hosts);
    if (daemon === null) return null;
    const found = daemon.timeline.database.keyspaces[0]?.find(key);
    return { value: found?.content ?? null, writer: found?.writer ?? "" };
  }

  #send(argv: Argv, conditions: readonly Condition[] | null, watcher: Watcher): Sent {
    const { hosts, scheduler, genesis, ledger, trace } = this.#world;
    const random = this.#random;
    const clocks = hosts.map((host) => host.clock()).sort((a, b) => a - b);
    const at = (clocks[(clocks.length - 1) >> 1] as number) + random.between(-CLOCK_ERROR_MS, CLOCK_ERROR_MS);
    const header = { cluster: genesis.cluster, nonce: randomBytes(random, 16), at, seq: 0, decide: true };
    const entry = sign(this.#key, { ...header, if: conditions }, [argv]);
    const sent: Sent = { entry, isRead: false, outcomes: [] };
    ledger.sent.set(entry.id, sent);
    trace("rival", () => `signs ${shortId(entry.id)}: ${argv.join(" ")}`);
    const call = { sent, watcher, isDone: false };
    const some = random.chance(TO_SOME) ? random.between(1, hosts.length) : hosts.length;
    const count = watcher.isSentToAll ? hosts.length : some;
    for (const host of random.shuffled(hosts).slice(0, count)) this.#deliver(call, host);
    this.#retry(call, scheduler.time + DEADLINE_MS);
    return sent;
  }

  #retry(call: Call, deadline: number): void {
    const { scheduler, hosts } = this.#world;
    scheduler.after(this.#random.between(...RETRY_MS), null, () => {
      if (call.isDone) return;
      if (scheduler.time > deadline) {
        call.isDone = true;
        call.watcher.gaveUp?.();
        return;
      }
      this.#deliver(call, this.#random.oneOf(hosts));
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
        const word = ledger.decisions.answered(entry, answer);
        network.send(host.name, "rival", () => {
          if (word === null || call.isDone) return;
          call.isDone = true;
          call.watcher.decided?.(word === "applied");
        });
      });
    });
  }
}

interface Call {
  readonly sent: Sent;
  readonly watcher: Watcher;
  isDone: boolean;
}
