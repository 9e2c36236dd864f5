/**
 * How much memory the daemon may use (--maxmemory). Above it what may need more is refused before it is recorded, in one way
 * for signed commands and for Redis clients; or keys are evicted. What is recorded or comes from a peer is always applied:
 * the fold must not know of any daemon's memory. Source: docs/limits.md "Memory"; texts: redis-server 7.0.
 */

import type { Environment } from "../../net/process/environment.js";
import type { Service } from "../../net/process/service.js";
import {
  EVICTION_POLICIES,
  type Evicting,
  type EvictionPolicy,
  usageKindOf,
} from "../../options/eviction-policy.js";
import type { ByteString } from "../../protocol/byte-string.js";
import { CommandFailure } from "../../store/arguments/errors.js";
import { resolveCommand } from "../../store/command-table.js";
import { type Refused, refused } from "../answers/request.js";
import type { Evictor } from "./eviction.js";
import type { MemoryGauge } from "./memory-gauge.js";

/** Milliseconds between two looks at the gauge. */
const LOOK_INTERVAL_MS = 50;
/**
 * A collection is forced no sooner than so many milliseconds, and so many times its own duration, after it was last certain
 * how much there is; or, however soon, when this part of the limit has come since and nothing is refused yet, or this part of all
 * keys has gone.
 */
const GAP_MS = 2000;
const GAP_COLLECTIONS = 20;
const GROWTH = 1 / 8;
const GONE = 1 / 2;
/** This part of the limit is freed beyond it, so that not every collection finds it passed. */
const SPARE = 1 / 32;

/** What the ways in ask. */
export interface MemoryFace {
  /** Whether nothing may come that needs memory. */
  readonly isFull: boolean;
  /** Whether a command is refused; looks once more. @param needsMemory  as its flag `denyoom` says */
  refuses(needsMemory: boolean): boolean;
  /** Why an envelope's commands are refused; null: they are not. */
  refusal(commands: readonly (readonly ByteString[])[]): Refused | null;
}

/** For where there is no limit. */
export const UNBOUNDED: MemoryFace = { isFull: false, refuses: () => false, refusal: () => null };

export interface MemoryLimitParts {
  /** 0: no limit. */
  readonly bytes: number;
  readonly gauge: MemoryGauge;
  readonly policy: EvictionPolicy;
  /** What evicts by a policy; null: nothing may be evicted. */
  readonly makeEvictor: ((policy: Evicting) => Evictor) | null;
  /** How many keys there are whose memory is free once they go; 0: a timeline holds them a while longer. */
  readonly keys: () => number;
  readonly environment: Pick<Environment, "uptime" | "setTimer">;
}

export class MemoryLimit implements MemoryFace, Service {
  readonly #parts: MemoryLimitParts;
  #bytes: number;
  /** null: nothing is evicted. */
  #evictor: Evictor | null = null;
  /** Keys that earlier policies have evicted. */
  #evicted = 0;
  #isFull = false;
  /** Takes the next look back; null: none is to come. */
  #cancelLook: (() => void) | null = null;
  #isRunning = false;
  /** There were no more bytes than these, and when that was. */
  #known = 0;
  #knownAt = Number.NEGATIVE_INFINITY;
  /** Keys at that time. */
  #keys = 0;
  #collectionMs = 0;

  constructor(parts: MemoryLimitParts) {
    this.#parts = parts;
    this.#bytes = parts.bytes;
    this.#evictor = this.#evictorBy(parts.policy);
  }

  /** 0: no limit. */
  get bytes(): number {
    return this.#bytes;
  }

  set bytes(bytes: number) {
    this.#bytes = bytes;
    this.#knownAt = Number.NEGATIVE_INFINITY;
    this.#look();
  }

  /** Bytes in use, garbage among them. */
  get used(): number {
    return this.#parts.gauge.used();
  }

  get policy(): EvictionPolicy {
    return this.#evictor?.policy ?? "noeviction";
  }

  set policy(policy: EvictionPolicy) {
    this.#evictor?.stop();
    this.#evicted = this.evicted;
    this.#evictor = this.#evictorBy(policy);
    this.#knownAt = Number.NEGATIVE_INFINITY;
    this.#isFull = false;
    this.#look();
  }

  /** Those that can be chosen: the use of keys is kept from the start, as the policy of then needs it, or not at all. */
  get policies(): readonly EvictionPolicy[] {
    const { makeEvictor, policy } = this.#parts;
    if (makeEvictor === null) return ["noeviction"];
    const kept = usageKindOf(policy);
    return EVICTION_POLICIES.filter((one) => [null, kept].includes(usageKindOf(one)));
  }

  /** How many keys were evicted. */
  get evicted(): number {
    return this.#evicted + (this.#evictor?.evicted ?? 0);
  }

  get isFull(): boolean {
    return this.#isFull;
  }

  async start(): Promise<void> {
    this.#isRunning = true;
    this.#look();
  }

  async stop(): Promise<void> {
    this.#isRunning = false;
    this.#cancelLook?.();
    this.#evictor?.stop();
  }

  refuses(needsMemory: boolean): boolean {
    if (!this.#isFull || !needsMemory) return false;
    // What has come since is garbage of refusals and reads: nothing that needs memory came.
    if (this.#isTime || this.#parts.keys() < this.#keys * (1 - GONE)) this.#measure();
    return this.#isFull;
  }

  refusal(commands: readonly (readonly ByteString[])[]): Refused | null {
    if (!this.#isFull || !this.refuses(commands.some(needsMemory))) return null;
    return refused("out-of-memory", `${this.#known} bytes are used of ${this.#bytes}`);
  }

  #evictorBy(policy: EvictionPolicy): Evictor | null {
    return policy === "noeviction" ? null : (this.#parts.makeEvictor?.(policy) ?? null);
  }

  #look(): void {
    this.#cancelLook?.();
    this.#cancelLook = null;
    this.#compare();
    if (this.#isRunning && this.#bytes > 0)
      this.#cancelLook = this.#parts.environment.setTimer(LOOK_INTERVAL_MS, () => this.#look());
  }

  #compare(): void {
    const used = this.#bytes === 0 ? 0 : this.used;
    if (used <= this.#bytes) {
      this.#note(used);
      this.#isFull = false;
      return;
    }
    // V8 has collected by itself what was evicted: growth counts from here.
    this.#known = Math.min(this.#known, used);
    if (!this.#isFull && this.#isDue(used)) this.#measure();
  }

  #note(used: number): void {
    this.#known = used;
    this.#knownAt = this.#parts.environment.uptime();
    this.#keys = this.#parts.keys();
  }

  #isDue(used: number): boolean {
    return used - this.#known >= this.#bytes * GROWTH || this.#isTime;
  }

  get #isTime(): boolean {
    const gap = Math.max(GAP_MS, GAP_COLLECTIONS * this.#collectionMs);
    return this.#parts.environment.uptime() - this.#knownAt >= gap;
  }

  #measure(): void {
    const { gauge, environment } = this.#parts;
    const evictor = this.#evictor;
    const before = environment.uptime();
    gauge.collect();
    this.#note(this.used);
    this.#collectionMs = this.#knownAt - before;
    const excess = this.#known - this.#bytes;
    this.#isFull = excess > 0 && evictor === null;
    if (excess <= 0 || evictor === null) return;
    evictor.free(excess + this.#bytes * SPARE, () => {
      this.#isFull = this.used > this.#bytes;
    });
  }
}

function needsMemory(argv: readonly ByteString[]): boolean {
  const command = resolveCommand(argv);
  return !(command instanceof CommandFailure) && command.flags.includes("denyoom");
}
