/**
 * Clients of each transport that write under a condition, and a contest in which they compete for a counter, a lock and
 * a lease by conditions that the members of a list decide. The contest records what contradicts an answer.
 */

import { type ChildProcessWithoutNullStreams, spawn } from "node:child_process";
import { createInterface } from "node:readline";
import type { TestContext } from "node:test";
import type { Redis } from "ioredis";
import type { BrowserClient } from "../../client/browser/public-api.js";
import { type Client, DbsyncError } from "../../client/public-api.js";
import { killedAtExit } from "../support/child-process.js";
import { pause } from "../support/pause.js";
import { RedisConnection } from "../support/redis-connection.js";
import { reasonOf } from "./chaos/write.js";

/** The answer to a write. `nil`: its condition did not hold. `refused`: it has no effect. `unknown`: it may have. */
export type Answer = "applied" | "nil" | "refused" | "unknown";

/** How one client reads and writes. */
export interface Contender {
  readonly name: string;
  /** Returns the value, null if the key is absent, or undefined if no daemon answers. */
  get(key: string): Promise<string | null | undefined>;
  /** Sets the key if it is absent. */
  setAbsent(key: string, value: string, lifetimeMs: number): Promise<Answer>;
  /**
   * Replaces the present value of the key, or removes the key, if no other client changes it in the meantime.
   * @param next  returns the new value, null to remove the key, or undefined to leave it
   */
  change(key: string, next: Next): Promise<Answer>;
}

/** A contender that can also read a key in a unit on which the members decide. Plain reads show one daemon's state. */
export interface Reader extends Contender {
  /** Whether it has conditions on the last writer. Otherwise it has only those of commands. */
  readonly hasIf: boolean;
  /** Whether `change` reads the value and its last writer in one unit. Otherwise the value may be newer. */
  readonly readsTogether: boolean;
  /** Returns the value, null if the key is absent, or undefined if the unit was not acknowledged. */
  read(key: string): Promise<string | null | undefined>;
}

/** A key that no client sets. A unit with the condition that it is absent, and a command that writes, is decided. */
const NO_KEY = "no-key";

/** The clients of a face without keys: `transport` of its file test/contender.ts. */
export interface FaceTransport {
  /** The option of the listener, without dashes. */
  readonly option: string;
  /** What the listener serves, as the log names it. */
  readonly clients: `${string} clients`;
  open(t: TestContext, port: number): Promise<Contender>;
}

type NextValue = string | null | undefined;
export type Next = (value: string | null) => NextValue | Promise<NextValue>;

/** Errors of a sidecar that exclude an effect. */
export const NOT_APPLIED = /^(NOTAPPLIED|EXECABORT)/;

/** A Redis client of a sidecar or a daemon. */
export class RedisContender implements Reader {
  readonly name: string;
  readonly hasIf = true;
  readonly readsTogether = false;
  readonly #redis: Redis;
  readonly #failed: (message: string) => void;

  constructor(name: string, redis: Redis, failed: (message: string) => void) {
    this.name = name;
    this.#redis = redis;
    this.#failed = failed;
  }

  async get(key: string): Promise<string | null | undefined> {
    return await this.#redis.get(key).catch(() => undefined);
  }

  async read(key: string): Promise<string | null | undefined> {
    try {
      await this.#redis.watch(NO_KEY);
      const replies = await this.#redis.multi().get(key).del(NO_KEY).exec();
      return replies?.[0]?.[1] as string | null | undefined;
    } catch {
      return undefined;
    }
  }

  setAbsent(key: string, value: string, lifetimeMs: number): Promise<Answer> {
    return this.#answer(this.#redis.set(key, value, "PX", lifetimeMs, "NX"));
  }

  async change(key: string, next: Next): Promise<Answer> {
    let value: string | null | undefined;
    try {
      await this.#redis.watch(key);
      value = await next(await this.#redis.get(key));
    } catch {
      value = undefined;
    }
    if (value === undefined) {
      await this.#redis.unwatch().catch(() => {});
      return "refused";
    }
    const multi = this.#redis.multi();
    return await this.#answer((value === null ? multi.del(key) : multi.set(key, value)).exec());
  }

  async #answer(reply: Promise<unknown>): Promise<Answer> {
    try {
      return (await reply) === null ? "nil" : "applied";
    } catch (problem) {
      const { message } = problem as Error;
      this.#failed(message);
      return NOT_APPLIED.test(message) ? "refused" : "unknown";
    }
  }
}

/** A Redis client of a daemon, which connects again after an error. Its transactions name the keys that it watches. */
export class DaemonContender implements Contender {
  readonly name: string;
  readonly #port: number;
  readonly #failed: (message: string) => void;
  #line: RedisConnection | null = null;

  constructor(name: string, port: number, failed: (message: string) => void) {
    this.name = name;
    this.#port = port;
    this.#failed = failed;
  }

  async get(key: string): Promise<string | null | undefined> {
    return await this.#text("GET", key).catch(() => undefined);
  }

  /** Does nothing: the members do not decide on it. */
  setAbsent(): Promise<Answer> {
    return Promise.resolve("refused");
  }

  async change(key: string, next: Next): Promise<Answer> {
    try {
      await this.#text("WATCH", key);
      const value = await next(await this.#text("GET", key));
      if (value === undefined) return "refused";
      await this.#text("MULTI");
      await this.#text(...(value === null ? ["DEL", key] : ["SET", key, value]));
    } catch {
      this[Symbol.dispose]();
      return "refused";
    }
    try {
      const replies = await this.#line?.value("EXEC");
      if (replies instanceof Error) throw replies;
      return replies === null ? "nil" : "applied";
    } catch (problem) {
      this[Symbol.dispose]();
      const { message } = problem as Error;
      this.#failed(message);
      return NOT_APPLIED.test(message) ? "refused" : "unknown";
    }
  }

  /** Closes the connection, and with it the transaction and the watched keys. */
  [Symbol.dispose](): void {
    this.#line?.[Symbol.dispose]();
    this.#line = null;
  }

  async #text(...argv: readonly string[]): Promise<string | null> {
    this.#line ??= await RedisConnection.open(this.#port);
    const value = await this.#line.value(...argv);
    if (value instanceof Error) throw value;
    return value === null ? null : String(value);
  }
}

/** A program or a web page that signs. */
export class SignedContender implements Reader {
  readonly name: string;
  readonly hasIf = true;
  readonly readsTogether = true;
  readonly #client: Client;
  readonly #failed: (message: string) => void;

  constructor(name: string, client: Client | BrowserClient, failed: (message: string) => void) {
    this.name = name;
    this.#client = client as Client;
    this.#failed = failed;
  }

  async get(key: string): Promise<string | null | undefined> {
    return await this.#client.call<string | null>(["GET", key]).catch(() => undefined);
  }

  async read(key: string): Promise<string | null | undefined> {
    const commands = [
      ["GET", key],
      ["DEL", NO_KEY],
    ];
    const condition = { key: NO_KEY, writer: null };
    const replies = await this.#client.multi(commands, { if: [condition] }).catch(() => null);
    return replies?.[0] as string | null | undefined;
  }

  setAbsent(key: string, value: string, lifetimeMs: number): Promise<Answer> {
    return this.#answer(this.#client.call(["SET", key, value, "PX", lifetimeMs, "NX"]));
  }

  async change(key: string, next: Next): Promise<Answer> {
    const commands = ["GET", "WRITERS"].map((name) => [name, key]);
    const read = await this.#client.multi(commands, { buffers: true }).catch(() => null);
    if (read === null) return "refused";
    const [before, [writer = null]] = read as [Uint8Array | null, (Buffer | null)[]];
    const value = await next(before === null ? null : Buffer.from(before).toString());
    if (value === undefined) return "refused";
    const command = value === null ? ["DEL", key] : ["SET", key, value];
    return await this.#answer(this.#client.multi([command], { if: [{ key, writer }] }));
  }

  async #answer(reply: Promise<unknown>): Promise<Answer> {
    try {
      return (await reply) === null ? "nil" : "applied";
    } catch (problem) {
      if (!(problem instanceof DbsyncError)) throw problem;
      this.#failed(`${problem.effect}: ${reasonOf(problem)}`);
      return problem.effect === "not-applied" ? "refused" : "unknown";
    }
  }
}

/** What programs/contender.py and programs/contender.php print for a unit. */
interface ProgramEnd {
  readonly reply?: unknown;
  readonly effect?: "not-applied" | "unknown";
  readonly text?: string;
}

/** A client of another language, in a process of its own that runs one unit after the other. */
export class ProgramContender implements Reader, Disposable {
  readonly name: string;
  readonly hasIf: boolean;
  readonly readsTogether = true;
  readonly #process: ChildProcessWithoutNullStreams;
  readonly #ends: AsyncIterator<string>;
  readonly #failed: (message: string) => void;

  constructor(
    name: string,
    [program, ...args]: readonly [string, ...string[]],
    failed: (message: string) => void,
    { hasIf = true, env = {} }: { hasIf?: boolean; env?: Readonly<Record<string, string>> } = {},
  ) {
    this.name = name;
    this.hasIf = hasIf;
    this.#failed = failed;
    this.#process = killedAtExit(spawn(program, args, { env: { ...process.env, ...env } }));
    this.#process.stderr.pipe(process.stderr);
    this.#process.stdin.on("error", () => {});
    this.#ends = createInterface({ input: this.#process.stdout })[Symbol.asyncIterator]();
  }

  async get(key: string): Promise<string | null | undefined> {
    return (await this.#run([["GET", key]])).reply as string | null | undefined;
  }

  async read(key: string): Promise<string | null | undefined> {
    const commands = [
      ["GET", key],
      ["DEL", NO_KEY],
    ];
    const { reply } = await this.#run(commands, [NO_KEY, null]);
    return Array.isArray(reply) ? (reply[0] as string | null) : undefined;
  }

  async setAbsent(key: string, value: string, lifetimeMs: number): Promise<Answer> {
    return this.#answer(await this.#run([["SET", key, value, "PX", String(lifetimeMs), "NX"]]));
  }

  async change(key: string, next: Next): Promise<Answer> {
    const { reply } = await this.#run(["GET", "WRITERS"].map((name) => [name, key]));
    if (!Array.isArray(reply)) return "refused";
    const [before, [writer]] = reply as [string | null, [string | null]];
    const value = await next(before);
    if (value === undefined) return "refused";
    const command = value === null ? ["DEL", key] : ["SET", key, value];
    return this.#answer(await this.#run([command], [key, writer || null]));
  }

  async #run(
    commands: readonly (readonly string[])[],
    condition: readonly [key: string, writer: string | null] | null = null,
  ): Promise<ProgramEnd> {
    this.#process.stdin.write(`${JSON.stringify([commands, condition])}\n`);
    const { value, done } = await this.#ends.next();
    if (done === true) throw new Error(`${this.name} has ended`);
    return JSON.parse(value) as ProgramEnd;
  }

  #answer({ reply, effect, text = "" }: ProgramEnd): Answer {
    if (effect === undefined) return reply === null ? "nil" : "applied";
    this.#failed(`${this.name}: ${text} ${effect}`);
    return effect === "not-applied" ? "refused" : "unknown";
  }

  [Symbol.dispose](): void {
    this.#process.kill();
  }
}

/** The lifetime of a lock in milliseconds, longer than clocks may differ. The owner releases the lock earlier. */
const LOCK_MS = 120_000;
/** Milliseconds for which an owner holds a lock. */
const HOLD_MS = 5;
/** Milliseconds until a client repeats a refused write. */
const RETRY_MS = 20;
/** The lifetime of a lease in milliseconds, by its owner's clock. The owner never releases it. */
const LEASE_MS = 1_000;

/** The answers of one round, and what contradicts them. */
export class Contest {
  readonly counts: Record<Answer, number> = { applied: 0, nil: 0, refused: 0, unknown: 0 };
  readonly taken = { lock: 0, lease: 0 };
  readonly problems: string[] = [];
  readonly counter: string;
  isOver = false;
  /** Whether leases are taken. Clocks that differ by more than their lifetime end them early. */
  hasLeases = true;
  /** The tokens of the owners, by key. */
  readonly #owners = new Map<string, Set<string>>();
  readonly #round: string;
  /** The number of the current lock. After an `unknown` answer, the lock may have no owner, so the next one is used. */
  #lock = 0;

  constructor(round: string) {
    this.#round = round;
    this.counter = `counter:${round}`;
  }

  /** Competes until the contest is over. */
  async run(contender: Contender): Promise<void> {
    for (let number = 0; !this.isOver; number++) {
      await this.#count(contender);
      const token = `${contender.name}:${number}`;
      await (number % 4 === 3 ? this.#takeLease(contender, token) : this.#takeLock(contender, token));
    }
  }

  /** Counts until the contest is over, without locks and leases. @returns the number of acknowledged changes */
  async count(contender: Contender): Promise<number> {
    let applied = 0;
    while (!this.isOver) if ((await this.#count(contender)) === "applied") applied++;
    return applied;
  }

  async #count(contender: Contender): Promise<Answer> {
    const answer = await contender.change(this.counter, (value) => String(Number(value ?? 0) + 1));
    this.counts[answer]++;
    if (answer === "refused") await pause(RETRY_MS);
    return answer;
  }

  async #takeLock(contender: Contender, token: string): Promise<void> {
    const key = `lock:${this.#round}:${this.#lock}`;
    const answer = await contender.setAbsent(key, token, LOCK_MS);
    if (answer === "unknown") this.#lock++;
    if (answer !== "applied") return;
    await this.#own("lock", contender, key, token, performance.now() + HOLD_MS);
    for (let isOver = false; !isOver && !this.isOver; ) {
      const released = await contender.change(key, (value) => (value === token ? null : undefined));
      isOver = released === "applied" || (await contender.get(key)) !== token;
      if (!isOver) await pause(RETRY_MS);
    }
  }

  async #takeLease(contender: Contender, token: string): Promise<void> {
    if (!this.hasLeases) return;
    const key = `lease:${this.#round}`;
    const until = performance.now() + LEASE_MS;
    const answer = await contender.setAbsent(key, token, LEASE_MS);
    if (answer === "applied" && performance.now() < until)
      await this.#own("lease", contender, key, token, until);
  }

  /** Checks that a client is the only owner of a key until a time, and that no daemon loses its value earlier. */
  async #own(kind: "lock" | "lease", contender: Contender, key: string, token: string, until: number) {
    const owners = this.#owners.get(key) ?? new Set();
    this.#owners.set(key, owners);
    this.taken[kind]++;
    if (owners.size > 0) this.problems.push(`${token} owns ${key}, as ${[...owners].join()} does`);
    owners.add(token);
    await sleepUntil(until - (kind === "lock" ? 0 : LEASE_MS / 10));
    const value = await contender.get(key);
    const mustBeThere = kind === "lock" || performance.now() < until;
    if (mustBeThere && value !== undefined && value !== token)
      this.problems.push(`${token} has lost ${key} to ${value}`);
    await sleepUntil(until);
    owners.delete(token);
  }
}

const sleepUntil = (time: number) => pause(Math.max(0, time - performance.now() - 1));
