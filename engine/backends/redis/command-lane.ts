/**
 * Sends the commands for one destination (a slot of a cluster, or the master that sentinels name) in the order of
 * arrival, while servers join, leave and redirect. Usually each command is sent immediately. After a server has
 * redirected a command, later commands wait until all running commands have returned. Then the waiting commands are
 * sent in order, the redirected ones first. A command is sent again only if it was certainly not executed.
 */

import type { Environment } from "../../../net/process/clock-and-randomness.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { error } from "../../../protocol/reply.js";
import type { BackendFailure, Outcome } from "../backend.js";
import type { CommandBarrier, Crowd } from "./command-barrier.js";
import { type Redirection, redirectionOf } from "./redirections.js";
import type { Address, RedisLink } from "./redis-link.js";
import type { ServerFinder } from "./server-finder.js";

/** Milliseconds between two attempts if nothing indicates when the next one may succeed. */
const AGAIN_MS = 50;

export interface Flight {
  /** Returns the keys of the command. Called only after a redirection. */
  readonly keys: () => readonly ByteString[];
  /** Whether the command's errors may come from a script; called only for an error. */
  readonly isScript: () => boolean;
  readonly send: (link: RedisLink, asks: boolean) => Promise<Outcome>;
}

/** A command in a lane. It is a class so that all its objects have the same shape, which is faster in V8. */
class Taken {
  readonly flight: Flight;
  readonly crowd: Crowd;
  readonly number: number;
  readonly until: number;
  readonly resolve: (outcome: Outcome) => void;
  /** The server that this command was redirected to for one attempt, or null if there is none. */
  ask: Address | null = null;
  /** The last reply of a server that did not execute the command, or null if there is none. */
  reply: string | null = null;
  turns = 0;
  /** Whether a later command that shares a key was executed first. */
  isOvertaken = false;

  constructor(
    flight: Flight,
    position: { readonly crowd: Crowd; readonly number: number; readonly until: number },
    resolve: (outcome: Outcome) => void,
  ) {
    this.flight = flight;
    this.crowd = position.crowd;
    this.number = position.number;
    this.until = position.until;
    this.resolve = resolve;
  }
}

export class Lane {
  readonly #number: number;
  readonly #finder: ServerFinder;
  readonly #traffic: CommandBarrier;
  readonly #environment: Environment;
  #taken = 0;
  #flying = 0;
  /** The connection of the running commands. */
  #link: RedisLink | null = null;
  /** Waiting commands, in the order of arrival. */
  readonly #waiting: Taken[] = [];
  #cancel: (() => void) | null = null;

  /** @param traffic  counts the commands of all lanes */
  constructor(number: number, finder: ServerFinder, traffic: CommandBarrier, environment: Environment) {
    this.#number = number;
    this.#finder = finder;
    this.#traffic = traffic;
    this.#environment = environment;
  }

  take(flight: Flight): Promise<Outcome> {
    return new Promise((resolve) => {
      const position = {
        crowd: this.#traffic.enter(),
        number: this.#taken++,
        until: this.#environment.uptime() + this.#finder.timeout,
      };
      const taken = new Taken(flight, position, resolve);
      if (this.#waiting.length === 0 && this.#launch(taken)) return;
      this.#waiting.push(taken);
      this.#goOnLater();
    });
  }

  /** Answers all waiting commands with an outcome. */
  stop(outcome: Outcome): void {
    this.#cancel?.();
    for (const taken of this.#waiting.splice(0)) this.#settle(taken, outcome);
  }

  #launch(taken: Taken): boolean {
    const link = this.#finder.linkFor(this.#number, taken.ask);
    if (link === null || (this.#flying > 0 && link !== this.#link)) return false;
    this.#link = link;
    this.#flying++;
    void taken.flight.send(link, taken.ask !== null).then((outcome) => this.#landed(taken, outcome, link));
    return true;
  }

  #landed(taken: Taken, outcome: Outcome, link: RedisLink): void {
    this.#flying--;
    const redirection = outcome.kind === "error" ? redirectionOf(outcome.text, link.address) : null;
    const turn =
      redirection !== null && taken.flight.isScript() ? this.#finder.believed(redirection) : redirection;
    if (turn !== null) this.#turn(taken, outcome.kind === "error" ? outcome.text : "", turn, link);
    // The command was not written, because the connection was closing.
    else if (outcome.kind === "failed" && outcome.code === "database-down") {
      this.#wait(taken);
      this.#goOnLater();
    } else {
      for (const other of this.#waiting)
        if (other.number < taken.number && haveOneInCommon(other.flight.keys(), taken.flight.keys()))
          other.isOvertaken = true;
      this.#settle(taken, outcome);
    }
    if (this.#flying > 0) return;
    const next = this.#waiting[0];
    // Wait before the next attempt: two servers may redirect to each other until both have learnt of a change.
    if (next !== undefined && next.turns > 1) this.#goOnLater();
    else this.#goOn();
  }

  #turn(taken: Taken, text: string, turn: Redirection, link: RedisLink): void {
    taken.reply = text;
    taken.turns += turn.kind === "later" ? 2 : 1;
    taken.ask = turn.kind === "ask" ? turn.address : null;
    this.#finder.turned(turn, link);
    this.#wait(taken);
  }

  #wait(taken: Taken): void {
    const index = this.#waiting.findIndex(({ number }) => number > taken.number);
    this.#waiting.splice(index === -1 ? this.#waiting.length : index, 0, taken);
  }

  #goOnLater(): void {
    if (this.#cancel !== null || this.#flying > 0) return;
    this.#cancel = this.#environment.setTimer(AGAIN_MS, () => {
      this.#cancel = null;
      this.#goOn();
    });
  }

  #goOn(): void {
    if (this.#cancel !== null) return;
    const now = this.#environment.uptime();
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (next.isOvertaken) this.#settle(next, error(`TRYAGAIN ${OVERTAKEN}: ${next.reply}`));
      else if (next.until <= now) this.#settle(next, lateFailure(this.#finder, this.#number, next.reply));
      else if (!this.#launch(next)) break;
      this.#waiting.shift();
    }
    if (this.#waiting.length > 0) this.#goOnLater();
  }

  #settle(taken: Taken, outcome: Outcome): void {
    taken.crowd.leave();
    taken.resolve(outcome);
  }
}

const haveOneInCommon = (some: readonly ByteString[], others: readonly ByteString[]): boolean =>
  some.some((key) => others.includes(key));

/**
 * Returns the failure of a command that has waited for too long.
 * @param reply  the reply of a server that did not execute the command
 */
export function lateFailure(finder: ServerFinder, lane: number, reply: string | null): BackendFailure {
  const { name, timeout } = finder;
  const detail = `${name}: ${reply ?? finder.reasonFor(lane)}, for ${timeout} ms (--backend-timeout)`;
  return { kind: "failed", code: "database-down", detail, effect: "not-applied" };
}

const OVERTAKEN = "The command was not executed, and a later command has changed or read the same key";
