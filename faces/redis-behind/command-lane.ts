import type { BackendFailure, BackendOutcome } from "../../daemon/engine/backends/backend.js";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { error } from "../../protocol/reply.js";
import type { CommandBarrier, CommandGroup } from "./command-barrier.js";
import { type Redirection, redirectionOf } from "./redirections.js";
import type { RedisAddress, RedisLink } from "./redis-link.js";
import type { ServerFinder } from "./server-finder.js";

/** Milliseconds between two attempts if nothing indicates when the next one may succeed. */
export const AGAIN_MS = 50;

export interface LaneCommand {
  /** Returns the keys of the command. Called only after a redirection. */
  readonly keys: () => readonly ByteString[];
  /** Whether the command's errors may come from a script; called only for an error. */
  readonly isScript: () => boolean;
  readonly send: (link: RedisLink, sendsAsking: boolean) => Promise<BackendOutcome>;
}

/** A command in a lane. It is a class so that all its objects have the same shape, which is faster in V8. */
class QueuedCommand {
  readonly command: LaneCommand;
  readonly group: CommandGroup;
  readonly number: number;
  readonly until: number;
  readonly resolve: (outcome: BackendOutcome) => void;
  /** The server that this command was redirected to for one attempt, or null if there is none. */
  askAddress: RedisAddress | null = null;
  /** The last reply of a server that did not execute the command, or null if there is none. */
  reply: string | null = null;
  redirections = 0;
  /** Whether a later command that shares a key was executed first. */
  isOvertaken = false;

  constructor(
    command: LaneCommand,
    position: { readonly group: CommandGroup; readonly number: number; readonly until: number },
    resolve: (outcome: BackendOutcome) => void,
  ) {
    this.command = command;
    this.group = position.group;
    this.number = position.number;
    this.until = position.until;
    this.resolve = resolve;
  }
}

/**
 * The commands for one destination (a slot of a cluster, or the master that sentinels name), which are sent in the
 * order of arrival, while servers join, leave and redirect. Usually each command is sent immediately. After a server
 * has redirected a command, later commands wait until all running commands have returned. Then the waiting commands are
 * sent in order, the redirected ones first. A command is sent again only if it was certainly not executed.
 */
export class Lane {
  readonly #number: number;
  readonly #finder: ServerFinder;
  readonly #barrier: CommandBarrier;
  readonly #environment: Environment;
  #nextNumber = 0;
  #running = 0;
  /** The connection of the running commands. */
  #link: RedisLink | null = null;
  /** Waiting commands, in the order of arrival. */
  readonly #waiting: QueuedCommand[] = [];
  #cancel: (() => void) | null = null;

  /** @param barrier  counts the commands of all lanes */
  constructor(number: number, finder: ServerFinder, barrier: CommandBarrier, environment: Environment) {
    this.#number = number;
    this.#finder = finder;
    this.#barrier = barrier;
    this.#environment = environment;
  }

  enqueue(command: LaneCommand): Promise<BackendOutcome> {
    return new Promise((resolve) => {
      const position = {
        group: this.#barrier.enter(),
        number: this.#nextNumber++,
        until: this.#environment.uptime() + this.#finder.timeout,
      };
      const queued = new QueuedCommand(command, position, resolve);
      if (this.#waiting.length === 0 && this.#trySend(queued)) return;
      this.#waiting.push(queued);
      this.#resumeLater();
    });
  }

  /** Answers all waiting commands with an outcome. */
  stop(outcome: BackendOutcome): void {
    this.#cancel?.();
    for (const queued of this.#waiting.splice(0)) this.#settle(queued, outcome);
  }

  #trySend(queued: QueuedCommand): boolean {
    const link = this.#finder.linkFor(this.#number, queued.askAddress);
    if (link === null || (this.#running > 0 && link !== this.#link)) return false;
    this.#link = link;
    this.#running++;
    void queued.command
      .send(link, queued.askAddress !== null)
      .then((outcome) => this.#returned(queued, outcome, link));
    return true;
  }

  #returned(queued: QueuedCommand, outcome: BackendOutcome, link: RedisLink): void {
    this.#running--;
    const reported = outcome.kind === "error" ? redirectionOf(outcome.text, link.address) : null;
    const redirection =
      reported !== null && queued.command.isScript() ? this.#finder.checkedRedirection(reported) : reported;
    if (redirection !== null)
      this.#redirect(queued, outcome.kind === "error" ? outcome.text : "", redirection, link);
    // The command was not written, because the connection was closing.
    else if (outcome.kind === "failed" && outcome.code === "database-down") {
      this.#wait(queued);
      this.#resumeLater();
    } else {
      for (const other of this.#waiting)
        if (other.number < queued.number && haveOneInCommon(other.command.keys(), queued.command.keys()))
          other.isOvertaken = true;
      this.#settle(queued, outcome);
    }
    if (this.#running > 0) return;

    const next = this.#waiting[0];
    // Wait before the next attempt: two servers may redirect to each other until both have learnt of a change.
    if (next !== undefined && next.redirections > 1) this.#resumeLater();
    else this.#resume();
  }

  #redirect(queued: QueuedCommand, text: string, redirection: Redirection, link: RedisLink): void {
    queued.reply = text;
    queued.redirections += redirection.kind === "later" ? 2 : 1;
    queued.askAddress = redirection.kind === "ask" ? redirection.address : null;
    this.#finder.redirected(redirection, link);
    this.#wait(queued);
  }

  #wait(queued: QueuedCommand): void {
    const index = this.#waiting.findIndex(({ number }) => number > queued.number);
    this.#waiting.splice(index === -1 ? this.#waiting.length : index, 0, queued);
  }

  #resumeLater(): void {
    if (this.#cancel !== null || this.#running > 0) return;
    this.#cancel = this.#environment.setTimer(AGAIN_MS, () => {
      this.#cancel = null;
      this.#resume();
    });
  }

  #resume(): void {
    if (this.#cancel !== null) return;
    const now = this.#environment.uptime();
    for (let next = this.#waiting[0]; next !== undefined; next = this.#waiting[0]) {
      if (next.isOvertaken) this.#settle(next, error(`TRYAGAIN ${OVERTAKEN}: ${next.reply}`));
      else if (next.until <= now) this.#settle(next, lateFailure(this.#finder, this.#number, next.reply));
      else if (!this.#trySend(next)) break;
      this.#waiting.shift();
    }
    if (this.#waiting.length > 0) this.#resumeLater();
  }

  #settle(queued: QueuedCommand, outcome: BackendOutcome): void {
    queued.group.leave();
    queued.resolve(outcome);
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
