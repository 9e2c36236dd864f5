/**
 * Several Redis servers as one backend. A finder (a `ServerFinder`: redis-cluster.ts, redis-sentinel.ts) determines the
 * server that currently has a command's keys, and lanes keep the commands in order. While a server is down, its
 * commands wait for up to --backend-timeout.
 */
import type { Backend, BackendFailure, BackendOutcome } from "../../daemon/engine/backends/backend.js";
import { isolationOf } from "../../daemon/engine/backends/connection-isolation.js";
import type { Environment } from "../../daemon/net/process/clock-and-randomness.js";
import { findCommand } from "../../daemon/store/command-table.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { error } from "../../protocol/reply.js";
import { CommandBarrier } from "./command-barrier.js";
import { keysOf } from "./command-keys.js";
import { AGAIN_MS, Lane, type LaneCommand, lateFailure } from "./command-lane.js";
import { redirectionOf } from "./redirections.js";
import { isScan, sendScan, sendScans, transactionRefusal } from "./redis-backend.js";
import { type Argv, isAscii, type RedisAddress } from "./redis-link.js";
import { ALL, type Broadcast, type CommandRoute, type ServerFinder } from "./server-finder.js";

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
    for (const lane of this.#lanes.values()) lane.stop(this.#downFailure("the daemon is stopping"));
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

  execute(argv: Argv): BackendOutcome | Promise<BackendOutcome> {
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

  #send(argv: Argv, route: CommandRoute): BackendOutcome | Promise<BackendOutcome> {
    return this.#route(route, {
      keys: () => keysOf(argv),
      isScript: () => isScript(argv),
      send: (link, sendsAsking) => (sendsAsking ? link.sendInOrder([["ASKING"], argv]) : link.send(argv)),
    });
  }

  /** Sends MULTI, the commands and EXEC to one server, without other commands between them. */
  async executeTogether(commands: readonly Argv[]): Promise<BackendOutcome> {
    const refused = transactionRefusal(commands);
    if (refused !== null) return refused;
    const route = this.#finder.routeOf(commands);
    if (typeof route !== "number" && route.kind === "broadcast") return error(`ERR ${NOT_TOGETHER}`);
    return await sendScans(commands, async (own) => this.#sendTogether(own, route));
  }

  #sendTogether(commands: readonly Argv[], route: CommandRoute): BackendOutcome | Promise<BackendOutcome> {
    const all = [["MULTI"], ...commands, ["EXEC"]];
    return this.#route(route, {
      keys: () => commands.flatMap(keysOf),
      // An error that a script returns is inside the reply to EXEC, so an error of the transaction itself is genuine.
      isScript: () => false,
      send: (link, sendsAsking) => link.sendInOrder(sendsAsking ? [["ASKING"], ...all] : all),
    });
  }

  #route(route: CommandRoute, command: LaneCommand): BackendOutcome | Promise<BackendOutcome> {
    if (this.#isStopped) return this.#downFailure("the daemon is stopping");
    if (typeof route !== "number" && route.kind === "error") return route;
    // Promise callbacks run in order, so the waiting commands keep their order.
    if (this.#gate !== null) return this.#gate.then(() => this.#route(route, command));
    return typeof route === "number" ? this.#laneOf(route).enqueue(command) : this.#broadcast(route);
  }

  /**
   * Runs a command for all servers once all earlier commands are answered, so that no earlier command is redirected and
   * executed after it.
   */
  #broadcast({ isBarrier, run }: Broadcast): Promise<BackendOutcome> {
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
  async #executeAlone(argv: Argv, route: number): Promise<BackendOutcome> {
    const until = this.#environment.uptime() + this.timeout;
    let askAddress: RedisAddress | null = null;
    for (let reply: string | null = null; ; ) {
      const link = this.#finder.linkFor(route, askAddress);
      if (link !== null) {
        const outcome = await link.sendAlone(askAddress === null ? [argv] : [["ASKING"], argv]);
        const redirection = outcome.kind === "error" ? redirectionOf(outcome.text, link.address) : null;
        // Sent again only if no server has executed it: it was redirected, or the connection failed before.
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

  #downFailure(reason: string): BackendFailure {
    return this.#failure("database-down", reason);
  }

  #failure(code: "database-down" | "not-carried", detail: string): BackendFailure {
    return { kind: "failed", code, detail: `${this.name}: ${detail}`, effect: "not-applied" };
  }
}

const NOT_TOGETHER =
  "a transaction is sent to one server of the cluster: it cannot contain a command for all servers";

/** Whether a command runs a script, which may return any error, including invented redirections. */
const isScript = ([name = ""]: readonly ByteString[]): boolean => findCommand(name)?.runsScript === true;
