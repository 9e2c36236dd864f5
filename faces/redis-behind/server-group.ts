/**
 * Several Redis servers as one backend. A finder (redis-cluster.ts, redis-sentinel.ts) determines the server that currently has a
 * command's keys, and lanes keep the commands in order. While a server is down, its commands wait for up to
 * --backend-timeout.
 */
import type { Backend, BackendFailure, Outcome } from "../../daemon/engine/backends/backend.js";
import { isolationOf } from "../../daemon/engine/backends/connection-isolation.js";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import { commands } from "../../daemon/store/command-table.js";
import type { KeyRange } from "../../daemon/store/rows/key-spec.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { error } from "../../protocol/reply.js";
import { CommandBarrier, Lane, type LaneCommand, lateFailure } from "./command-lane.js";
import { isScan, sendScan, sendScans } from "./marked-cursors.js";
import { transactionRefusal } from "./redis-backend.js";
import { type Address, type Argv, commandOf, isAscii } from "./redis-link.js";
import {
  ALL,
  type Broadcast,
  type CommandRoute,
  isScript,
  redirectionOf,
  type ServerFinder,
} from "./server-finder.js";

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
 * Finds a command's keys: from dbsync's own table if they are at fixed positions, otherwise with ioredis. Returns
 * the keys of a command; empty for commands that neither the tables nor ioredis know.
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
