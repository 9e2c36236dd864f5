/**
 * Several Redis servers as one backend. A finder (a `ServerFinder`: redis-cluster.ts, redis-sentinel.ts) determines the
 * server that currently has a command's keys, and lanes keep the commands in order. While a server is down, its
 * commands wait for up to --backend-timeout.
 */
import type { Backend, BackendFailure, Outcome } from "../../daemon/engine/backends/backend.js";
import { isolationOf } from "../../daemon/engine/backends/connection-isolation.js";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import { commands, findCommand } from "../../daemon/store/command-table.js";
import type { KeyRange } from "../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../protocol/reply.js";
import { isScan, sendScan, sendScans, transactionRefusal } from "./redis-backend.js";
import { type Address, type Argv, commandOf, isAscii, type RedisLink } from "./redis-link.js";

/** Milliseconds between two attempts if nothing indicates when the next one may succeed. */
const AGAIN_MS = 50;

export class RedisGroupBackend implements Backend {
  readonly name: string;
  readonly databases = 1;
  readonly #environment: Environment;
  readonly #finder: ServerFinder;
  readonly #lanes = new Map<number, Lane>();
  readonly #barrier = new CommandBarrier();
  /** Set while a write for all servers waits for earlier commands. Later commands wait for this promise. */
  #gate: Promise<void> | null = null;
  #isStopped = false;

  constructor(finder: ServerFinder, environment: Environment) {
    this.name = finder.name;
    this.#environment = environment;
    this.#finder = finder;
  }

  async start(): Promise<void> {
    this.#finder.start();
  }

  async stop(): Promise<void> {
    this.#isStopped = true;
    this.#finder.stop();
    for (const lane of this.#lanes.values()) lane.stop(this.#down("the daemon is stopping"));
  }

  get up(): boolean {
    return this.#finder.isUp;
  }

  get server(): string {
    return this.#finder.server;
  }

  get timeout(): number {
    return this.#finder.timeout;
  }

  set timeout(timeout: number) {
    this.#finder.timeout = timeout;
  }

  execute(argv: Argv): Outcome | Promise<Outcome> {
    const name = (argv[0] as ByteString).toUpperCase();
    if (!isAscii(name)) return error(`ERR unknown command '${argv[0]}'`);
    const isolation = isolationOf(name, argv);
    if (isolation.kind === "none") return this.#failure("not-carried", `${name}: ${isolation.reason}`);
    const route = this.#finder.routeOf([argv]);
    if (isolation.kind === "own" && typeof route === "number") return this.#executeAlone(argv, route);
    // Mark only the cursors of scans of a single server: a cursor of a scan of all masters already contains the number
    // of its master.
    const isOfOne = typeof route === "number" && isScan(argv);
    return isOfOne ? sendScan(argv, (own) => this.#send(own, route)) : this.#send(argv, route);
  }

  #send(argv: Argv, route: CommandRoute): Outcome | Promise<Outcome> {
    return this.#take(route, {
      keys: () => keysOf(argv),
      isScript: () => isScript(argv),
      send: (link, sendsAsking) => (sendsAsking ? link.sendInOrder([["ASKING"], argv]) : link.send(argv)),
    });
  }

  /** Sends MULTI, the commands and EXEC to one server, without other commands between them. */
  async executeTogether(commands: readonly Argv[]): Promise<Outcome> {
    const refused = transactionRefusal(commands);
    if (refused !== null) return refused;
    const route = this.#finder.routeOf(commands);
    if (typeof route !== "number" && route.kind === "broadcast") return error(`ERR ${NOT_TOGETHER}`);
    return await sendScans(commands, async (own) => this.#sendTogether(own, route));
  }

  #sendTogether(commands: readonly Argv[], route: CommandRoute): Outcome | Promise<Outcome> {
    const all = [["MULTI"], ...commands, ["EXEC"]];
    return this.#take(route, {
      keys: () => commands.flatMap(keysOf),
      // An error that a script returns is inside the reply to EXEC, so an error of the transaction itself is genuine.
      isScript: () => false,
      send: (link, sendsAsking) => link.sendInOrder(sendsAsking ? [["ASKING"], ...all] : all),
    });
  }

  #take(route: CommandRoute, command: LaneCommand): Outcome | Promise<Outcome> {
    if (this.#isStopped) return this.#down("the daemon is stopping");
    if (typeof route !== "number" && route.kind === "error") return route;
    // Promise callbacks run in order, so the waiting commands keep their order.
    if (this.#gate !== null) return this.#gate.then(() => this.#take(route, command));
    return typeof route === "number" ? this.#laneOf(route).take(command) : this.#broadcast(route);
  }

  /**
   * Runs a command for all servers once all earlier commands are answered, so that no earlier command is redirected and
   * executed after it.
   */
  #broadcast({ isBarrier, run }: Broadcast): Promise<Outcome> {
    const ready = Promise.all([this.#allReachable(), this.#barrier.passed()]);
    const ran = ready.then(([isReachable]) => (isReachable ? run() : lateFailure(this.#finder, ALL, null)));
    if (isBarrier)
      this.#gate = ready.then(() => {
        this.#gate = null;
      });
    return ran;
  }

  /** Waits until all servers can be reached. @returns false if they could not be reached in time */
  async #allReachable(): Promise<boolean> {
    const until = this.#environment.uptime() + this.timeout;
    while (!this.#finder.isUp) {
      if (this.#isStopped || this.#environment.uptime() >= until) return false;
      await this.#pause();
    }
    return true;
  }

  /** Runs a blocking command on its own connection, so that its lane is not blocked. */
  async #executeAlone(argv: Argv, route: number): Promise<Outcome> {
    const until = this.#environment.uptime() + this.timeout;
    let askAddress: Address | null = null;
    for (let reply: string | null = null; ; ) {
      const link = this.#finder.linkFor(route, askAddress);
      if (link !== null) {
        const outcome = await link.sendAlone(askAddress === null ? [argv] : [["ASKING"], argv]);
        const redirection = outcome.kind === "error" ? redirectionOf(outcome.text, link.address) : null;
        if (redirection === null && !(outcome.kind === "failed" && outcome.code === "database-down"))
          return outcome;
        if (outcome.kind === "error") reply = outcome.text;
        askAddress = redirection?.kind === "ask" ? redirection.address : null;
        if (redirection !== null) this.#finder.redirected(redirection, link);
      }

      if (this.#isStopped || this.#environment.uptime() >= until)
        return lateFailure(this.#finder, route, reply);
      await this.#pause();
    }
  }

  #pause(): Promise<void> {
    return new Promise((resolve) => {
      this.#environment.setTimer(AGAIN_MS, resolve);
    });
  }

  #laneOf(number: number): Lane {
    let lane = this.#lanes.get(number);
    if (lane === undefined) {
      lane = new Lane(number, this.#finder, this.#barrier, this.#environment);
      this.#lanes.set(number, lane);
    }
    return lane;
  }

  #down(reason: string): BackendFailure {
    return this.#failure("database-down", reason);
  }

  #failure(code: "database-down" | "not-carried", detail: string): BackendFailure {
    return { kind: "failed", code, detail: `${this.name}: ${detail}`, effect: "not-applied" };
  }
}

const NOT_TOGETHER =
  "a transaction is sent to one server of the cluster: it cannot contain a command for all servers";

/** The index of the key, for commands with exactly one key, which are the most common. */
const INDEXES: ReadonlyMap<string, number> = new Map(
  commands.flatMap(({ name, keys }) => {
    const [range, ...more] = Array.isArray(keys) ? (keys as readonly KeyRange[]) : [];
    const isOne = range !== undefined && more.length === 0 && range.first === range.last;
    return isOne && !name.includes("|") ? [[name, range.first] as const] : [];
  }),
);

/**
 * The index of the argument that states the number of keys. That number is checked first, because ioredis accepts any
 * number and would run out of memory. The last three have no row: only ioredis, or newer Redis servers, have them.
 */
const COUNTED: ReadonlyMap<string, number> = new Map([
  ...commands.flatMap(({ name, keySearches = [] }) =>
    keySearches.flatMap(([begin, found]) =>
      begin.type === "index" && found.type === "keynum"
        ? [[name, begin.index + found.keynumidx] as const]
        : [],
    ),
  ),
  ["SDIFFCARD", 1],
  ["SUNIONCARD", 1],
  ["MSETEX", 1],
]);

/**
 * Returns a command's keys: by dbsync's own table if they are at fixed positions, otherwise by ioredis. Empty for
 * commands that neither of them knows.
 */
export function keysOf(argv: Argv): ByteString[] {
  const name = (argv[0] as ByteString).toUpperCase();
  if (Number(argv[COUNTED.get(name) ?? argv.length]) > argv.length) return [];
  const index = INDEXES.get(name);
  const key = index === undefined ? undefined : argv[index];
  if (key !== undefined) return [key];
  return commandOf(argv)
    .getKeys()
    .map((found) => (Buffer.isBuffer(found) ? found.toString("latin1") : String(found)));
}

interface LaneCommand {
  /** Returns the keys of the command. Called only after a redirection. */
  readonly keys: () => readonly ByteString[];
  /** Whether the command's errors may come from a script; called only for an error. */
  readonly isScript: () => boolean;
  readonly send: (link: RedisLink, sendsAsking: boolean) => Promise<Outcome>;
}

/** A command in a lane. It is a class so that all its objects have the same shape, which is faster in V8. */
class QueuedCommand {
  readonly command: LaneCommand;
  readonly group: CommandGroup;
  readonly number: number;
  readonly until: number;
  readonly resolve: (outcome: Outcome) => void;
  /** The server that this command was redirected to for one attempt, or null if there is none. */
  askAddress: Address | null = null;
  /** The last reply of a server that did not execute the command, or null if there is none. */
  reply: string | null = null;
  redirections = 0;
  /** Whether a later command that shares a key was executed first. */
  isOvertaken = false;

  constructor(
    command: LaneCommand,
    position: { readonly group: CommandGroup; readonly number: number; readonly until: number },
    resolve: (outcome: Outcome) => void,
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
class Lane {
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

  take(command: LaneCommand): Promise<Outcome> {
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
  stop(outcome: Outcome): void {
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

  #returned(queued: QueuedCommand, outcome: Outcome, link: RedisLink): void {
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

  #settle(queued: QueuedCommand, outcome: Outcome): void {
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
function lateFailure(finder: ServerFinder, lane: number, reply: string | null): BackendFailure {
  const { name, timeout } = finder;
  const detail = `${name}: ${reply ?? finder.reasonFor(lane)}, for ${timeout} ms (--backend-timeout)`;
  return { kind: "failed", code: "database-down", detail, effect: "not-applied" };
}

const OVERTAKEN = "The command was not executed, and a later command has changed or read the same key";

/** The commands that arrived between two calls of `CommandBarrier.passed`. */
class CommandGroup {
  #count = 0;
  #whenDrained: (() => void) | null = null;

  enter(): void {
    this.#count++;
  }

  leave(): void {
    if (--this.#count === 0) this.#whenDrained?.();
  }

  /** Resolves once all commands have left. */
  drained(): Promise<void> {
    if (this.#count === 0) return Promise.resolve();
    return new Promise((resolve) => {
      this.#whenDrained = resolve;
    });
  }
}

/** The number of commands in all lanes, so that a command can wait for all earlier ones. */
class CommandBarrier {
  #group = new CommandGroup();
  #before: Promise<void> = Promise.resolve();

  /** Adds a command. The caller must call `leave` of the result once, when the command is answered. */
  enter(): CommandGroup {
    this.#group.enter();
    return this.#group;
  }

  /** Resolves when all commands that were added before this call are answered. */
  async passed(): Promise<void> {
    const group = this.#group;
    this.#group = new CommandGroup();
    const before = this.#before;
    // Do not use Promise.all: each result would contain the previous one, so that no result could be freed.
    this.#before = group.drained().then(() => before);
    await this.#before;
  }
}

/** The lane of commands for all servers. */
export const ALL = -1;

/** The route of commands: a lane number, all servers, or an error. */
export type CommandRoute = number | Broadcast | ErrorReply;

/** A command that is sent to all servers. */
interface Broadcast {
  readonly kind: "broadcast";
  /** Whether the command writes, so that later commands must wait for it. */
  readonly isBarrier: boolean;
  readonly run: () => Promise<Outcome>;
}

/**
 * The choice of the server for a command: in a cluster by the slot of its keys, otherwise the one master that sentinels
 * name.
 */
export interface ServerFinder {
  /** The prefix of failure messages. */
  readonly name: string;
  start(): void;
  stop(): void;
  /** Whether all servers can be reached. Commands for all servers wait until this is true. */
  readonly isUp: boolean;
  /** The address of the server or servers. */
  readonly server: string;
  /** Maximum milliseconds for which a command may run, and for which it may wait before it is sent. */
  timeout: number;
  /** Returns the route of one command, or of several commands that must run together. */
  routeOf(commands: readonly Argv[]): CommandRoute;
  /**
   * Returns the connection for a lane's commands.
   * @param askAddress  the server that one command was redirected to, or null for the lane's own server
   * @returns null if the server cannot be reached now
   */
  linkFor(lane: number, askAddress: Address | null): RedisLink | null;
  /** Records that a server has redirected or refused a command. */
  redirected(redirection: Redirection, link: RedisLink): void;
  /**
   * Checks a redirection that a script may have invented. Returns the redirection to follow instead, or null to pass
   * the error to the client as an answer.
   */
  checkedRedirection(redirection: Redirection): Redirection | null;
  /** Returns the reason why a lane's server cannot be reached. */
  reasonFor(lane: number): string;
}

export type Redirection =
  /** `moved`: the slot has another master. `ask`: only this command must be sent to another server. */
  | { readonly kind: "moved" | "ask"; readonly slot: number; readonly address: Address }
  | { readonly kind: "later" };

const ELSEWHERE = /^(MOVED|ASK) (\d{1,5}) (.*):(\d{1,5})$/;
/**
 * Matches the errors after which a command may be sent again. The patterns contain the servers' exact wording, because
 * scripts may return similar errors. UNBLOCKED means that a master became a replica while the command was waiting.
 */
const LATER = new RegExp(
  "^(TRYAGAIN Multiple keys request during rehashing of slot|CLUSTERDOWN (The cluster is down|Hash slot not served)|" +
    "LOADING \\w+ is loading the dataset in memory|MASTERDOWN Link with MASTER is down|" +
    "READONLY You can't write against a read only replica\\.$|UNBLOCKED force unblock)",
);

/**
 * Parses the error replies by which a Redis server redirects a command that it did not execute, or asks the client to
 * try again later.
 * @param server  the address of the server that replied, whose host is used if the reply omits the host
 * @returns null if the error is an answer to the command
 */
function redirectionOf(text: ByteString, server: Address): Redirection | null {
  if (LATER.test(text)) return { kind: "later" };
  const [, kind, slot, host, port] = ELSEWHERE.exec(text) ?? [];
  if (kind === undefined) return null;
  const address = { host: host === "" ? server.host : (host as string), port: Number(port) };
  return { kind: kind === "ASK" ? "ask" : "moved", slot: Number(slot), address };
}

/** Whether a command runs a script, which may return any error, including invented redirections. */
const isScript = ([name = ""]: readonly ByteString[]): boolean => findCommand(name)?.runsScript === true;

export const addressText = ({ host, port }: Address): string =>
  host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
