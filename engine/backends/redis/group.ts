/**
 * Several Redis servers as one backend: who has a command's keys now is found (cluster.ts, sentinel.ts), and its commands
 * go there by lanes, so that they keep their order. While no such server is there they wait, up to --backend-timeout.
 */

import type { Environment } from "../../../net/process/environment.js";
import type { RedisGroupSpecification } from "../../../options/addresses/redis-group-list.js";
import type { ByteString } from "../../../protocol/byte-string.js";
import { type ErrorReply, error } from "../../../protocol/reply.js";
import type { Backend, BackendFailure, Outcome } from "../backend.js";
import { isolationOf } from "../isolation.js";
import { keysOf } from "./keys.js";
import { type Flight, Lane, type LaneParts } from "./lane.js";
import { type Address, type Argv, isAscii, type RedisLink } from "./link.js";
import { isScan, sendScan, sendScans } from "./marked-cursors.js";
import { notShared, type RedisBackendParts } from "./redis.js";
import { Traffic } from "./traffic.js";
import { isScript, type Turn, turnOf } from "./turns.js";

const AGAIN_MS = 50;
/** The lane of what is for all servers. */
export const ALL = -1;

/** Where commands go: the number of a lane, to all servers at once, or nowhere. */
export type Way = number | Spread | ErrorReply;

/** A command for all servers. */
export interface Spread {
  readonly kind: "spread";
  /** Whether those behind it go after it: it writes. */
  readonly isBefore: boolean;
  readonly run: () => Promise<Outcome>;
}

export interface Finder {
  start(): void;
  stop(): void;
  readonly isUp: boolean;
  /** Where it was found. */
  readonly server: string;
  timeout: number;
  /** Of one command, or of several that are to go together. */
  wayOf(commands: readonly Argv[]): Way;
  /** @param ask  a server that one command was sent to; null: the lane's own @returns null: it cannot be reached now */
  linkFor(lane: number, ask: Address | null): RedisLink | null;
  turned(turn: Turn, link: RedisLink): void;
  /** What it believes of a turn that may be a script's invention; null: it is an answer. */
  believed(turn: Turn): Turn | null;
  /** Why a lane's server cannot be reached. */
  reasonFor(lane: number): string;
  /** Whether all servers can be reached: commands for all of them wait for that. */
  readonly isWhole: boolean;
}

export class RedisGroupBackend implements Backend {
  readonly name: string;
  readonly databases = 1;
  readonly #environment: Environment;
  readonly #finder: Finder;
  readonly #laneParts: LaneParts;
  readonly #lanes = new Map<number, Lane>();
  readonly #traffic = new Traffic();
  /** While a write for all servers waits for those before it: those behind it wait for this. */
  #gate: Promise<void> | null = null;
  #isStopped = false;

  constructor(parts: RedisBackendParts<RedisGroupSpecification>, finder: Finder) {
    this.name = parts.specification.name;
    this.#environment = parts.environment;
    this.#finder = finder;
    this.#laneParts = {
      linkFor: (lane, ask) => finder.linkFor(lane, ask),
      turned: (turn, link) => finder.turned(turn, link),
      believed: (turn) => finder.believed(turn),
      late: (lane, told) => this.#late(lane, told),
      traffic: this.#traffic,
      timeout: () => finder.timeout,
      environment: parts.environment,
    };
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
    const way = this.#finder.wayOf([argv]);
    if (isolation.kind === "own" && typeof way === "number") return this.#executeAlone(argv, way);
    // A cursor of all masters names one of them.
    const isOfOne = typeof way === "number" && isScan(argv);
    return isOfOne ? sendScan(argv, (own) => this.#send(own, way)) : this.#send(argv, way);
  }

  #send(argv: Argv, way: Way): Outcome | Promise<Outcome> {
    return this.#take(way, {
      keys: () => keysOf(argv),
      isScript: () => isScript(argv),
      send: (link, asks) => (asks ? link.sendInOrder([["ASKING"], argv]) : link.send(argv)),
    });
  }

  /** As MULTI and EXEC, written without anything in between, to one server. */
  async executeTogether(commands: readonly Argv[]): Promise<Outcome> {
    const refused = notShared(commands);
    if (refused !== null) return refused;
    const way = this.#finder.wayOf(commands);
    if (typeof way !== "number" && way.kind === "spread") return error(`ERR ${NOT_TOGETHER}`);
    return await sendScans(commands, async (own) => this.#sendTogether(own, way));
  }

  #sendTogether(commands: readonly Argv[], way: Way): Outcome | Promise<Outcome> {
    const all = [["MULTI"], ...commands, ["EXEC"]];
    return this.#take(way, {
      keys: () => commands.flatMap(keysOf),
      // What a script in it says stands in the answer of EXEC.
      isScript: () => false,
      send: (link, asks) => link.sendInOrder(asks ? [["ASKING"], ...all] : all),
    });
  }

  #take(way: Way, flight: Flight): Outcome | Promise<Outcome> {
    if (this.#isStopped) return this.#down("the daemon is stopping");
    if (typeof way !== "number" && way.kind === "error") return way;
    // What comes later comes later here too.
    if (this.#gate !== null) return this.#gate.then(() => this.#take(way, flight));
    return typeof way === "number" ? this.#laneOf(way).take(flight) : this.#spread(way);
  }

  /** Once all before it are answered: none of them is then sent elsewhere behind it. */
  #spread({ isBefore, run }: Spread): Promise<Outcome> {
    const ready = Promise.all([this.#whole(), this.#traffic.passed()]);
    const ran = ready.then(([isWhole]) => (isWhole ? run() : this.#late(ALL, null)));
    if (isBefore)
      this.#gate = ready.then(() => {
        this.#gate = null;
      });
    return ran;
  }

  /** @returns false: it has waited for too long */
  async #whole(): Promise<boolean> {
    const until = this.#environment.uptime() + this.timeout;
    while (!this.#finder.isWhole) {
      if (this.#isStopped || this.#environment.uptime() >= until) return false;
      await this.#pause();
    }
    return true;
  }

  /** Blocking commands hold up no lane. */
  async #executeAlone(argv: Argv, way: number): Promise<Outcome> {
    const until = this.#environment.uptime() + this.timeout;
    let ask: Address | null = null;
    for (let told: string | null = null; ; ) {
      const link = this.#finder.linkFor(way, ask);
      if (link !== null) {
        const outcome = await link.sendAlone(ask === null ? [argv] : [["ASKING"], argv]);
        const turn = outcome.kind === "error" ? turnOf(outcome.text, link.address) : null;
        if (turn === null && !(outcome.kind === "failed" && outcome.code === "database-down")) return outcome;
        if (outcome.kind === "error") told = outcome.text;
        ask = turn?.kind === "ask" ? turn.address : null;
        if (turn !== null) this.#finder.turned(turn, link);
      }
      if (this.#isStopped || this.#environment.uptime() >= until) return this.#late(way, told);
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
    if (lane === undefined) this.#lanes.set(number, (lane = new Lane(number, this.#laneParts)));
    return lane;
  }

  /** @param told  what a server has said instead of executing it */
  #late(lane: number, told: string | null): BackendFailure {
    return this.#down(`${told ?? this.#finder.reasonFor(lane)}${this.#within()}`);
  }

  #within(): string {
    return `, for ${this.timeout} ms (--backend-timeout)`;
  }

  #down(reason: string): BackendFailure {
    return this.#failure("database-down", reason);
  }

  #failure(code: "database-down" | "not-carried", detail: string): BackendFailure {
    return { kind: "failed", code, detail: `${this.name}: ${detail}`, effect: "not-applied" };
  }
}

const NOT_TOGETHER =
  "a transaction goes to one server of the cluster: a command for all of them cannot be in it";
